// Command zoslint says which packages of throng's dependency tree could not be built for z/OS because of their build
// constraints: those that have no file for GOOS=zos GOARCH=s390x, and those whose files for it miss a symbol that a file
// for another system declares.
//
// Upstream Go knows the name zos but has no standard library for it (IBM's toolchain has), so nothing can simply be
// compiled. The go command still chooses files by their constraints; zoslint type-checks these files itself and takes the
// standard library from this host. What they miss in the standard library is therefore not reported.
//
//	zoslint [-known FILE] [PACKAGE...]
//
// prints a line for each finding. With -known, it fails if there is a finding that the file lacks, or a line in the file
// that is no longer found. Run it from the module's root.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	known := flag.String("known", "", "file with the findings that are known")
	flag.Parse()
	patterns := flag.Args()
	if len(patterns) == 0 {
		patterns = []string{"./cmd/throng"}
	}
	found, err := lint(".", patterns)
	if err == nil && *known != "" {
		err = compare(os.Stdout, found, *known)
	} else {
		for _, line := range found {
			fmt.Println(line)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "zoslint:", err)
		os.Exit(1)
	}
}

// listed is what `go list` says of one package.
type listed struct {
	ImportPath, Dir, Export string
	Standard                bool
	GoFiles                 []string
	ImportMap               map[string]string
	Error                   *struct{ Err string }
}

func list(dir string, env []string, args ...string) ([]listed, error) {
	cmd := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,Dir,Export,Standard,GoFiles,ImportMap,Error"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, &complaints)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

// lint returns a line for each finding in the packages that patterns name in dir, and in all that they import; sorted.
func lint(dir string, patterns []string) ([]string, error) {
	all, err := list(dir, []string{"GOOS=zos", "GOARCH=s390x", "CGO_ENABLED=0"}, append([]string{"-deps"}, patterns...)...)
	if err != nil {
		return nil, err
	}
	var standard []string
	for _, p := range all {
		if p.Standard && p.ImportPath != "unsafe" && !strings.HasPrefix(p.ImportPath, "vendor/") {
			standard = append(standard, p.ImportPath)
		}
	}
	exports, err := list(dir, nil, append([]string{"-export", "-deps"}, standard...)...)
	if err != nil {
		return nil, err
	}
	c := newChecker(exports)
	var found []string
	for _, p := range all { // dependencies come first
		if p.Standard {
			continue
		}
		if len(p.GoFiles) == 0 {
			found = append(found, p.ImportPath+": no file to build")
			continue
		}
		lines, err := c.check(p)
		if err != nil {
			return nil, err
		}
		found = append(found, lines...)
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// checker type-checks packages in the order of their dependencies.
type checker struct {
	set      *token.FileSet
	standard types.Importer
	export   map[string]string
	done     map[string]*types.Package
}

func newChecker(exports []listed) *checker {
	c := &checker{set: token.NewFileSet(), export: map[string]string{}, done: map[string]*types.Package{"unsafe": types.Unsafe}}
	for _, p := range exports {
		c.export[p.ImportPath] = p.Export
	}
	c.standard = importer.ForCompiler(c.set, "gc", func(path string) (io.ReadCloser, error) {
		if c.export[path] == "" {
			return nil, fmt.Errorf("%s is not built on this host", path)
		}
		return os.Open(c.export[path])
	})
	return c
}

// importerFunc makes a function a types.Importer.
type importerFunc func(string) (*types.Package, error)

func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }

func (c *checker) check(p listed) ([]string, error) {
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(c.set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	var found []string
	config := types.Config{
		Sizes: types.SizesFor("gc", "s390x"),
		Importer: importerFunc(func(path string) (*types.Package, error) {
			if to, ok := p.ImportMap[path]; ok {
				path = to
			}
			if done, ok := c.done[path]; ok {
				return done, nil
			}
			return c.standard.Import(path)
		}),
		Error: func(err error) {
			var e types.Error
			if errors.As(err, &e) && c.missing(e, files) {
				found = append(found, p.ImportPath+": "+e.Msg)
			}
		},
	}
	pkg, _ := config.Check(p.ImportPath, c.set, files, nil) // every error has been handed to Error
	c.done[p.ImportPath] = pkg
	return found, nil
}

// missing says whether an error tells of a symbol that build constraints took away, and not one of the standard library.
func (c *checker) missing(e types.Error, files []*ast.File) bool {
	if strings.HasPrefix(e.Msg, "could not import") {
		return true
	}
	name, ok := strings.CutPrefix(e.Msg, "undefined: ")
	if !ok {
		return strings.Contains(e.Msg, "undefined (type")
	}
	qualifier, _, qualified := strings.Cut(name, ".")
	if !qualified {
		return true
	}
	for _, f := range files {
		if f.FileStart > e.Pos || e.Pos > f.FileEnd {
			continue
		}
		for _, i := range f.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			called := path[strings.LastIndex(path, "/")+1:]
			if i.Name != nil {
				called = i.Name.Name
			}
			if called == qualifier {
				return c.export[path] == ""
			}
		}
	}
	return true
}

// compare prints what the file of known findings has too little and too much, and returns an error if there is either.
func compare(w io.Writer, found []string, file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var known []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			known = append(known, line)
		}
	}
	wrong := 0
	for _, line := range found {
		if !slices.Contains(known, line) {
			wrong++
			fmt.Fprintln(w, "new: ", line)
		}
	}
	for _, line := range known {
		if !slices.Contains(found, line) {
			wrong++
			fmt.Fprintln(w, "gone:", line)
		}
	}
	fmt.Fprintf(w, "zoslint: %d known findings, %d changes\n", len(known), wrong)
	if wrong > 0 {
		return fmt.Errorf("%s does not tell what was found", file)
	}
	return nil
}
