// The rules of the house, as tests. ARCHITECTURE.md draws what they hold.
package throng_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors lists every package below internal/, lowest first. A package may import what stands on a line above its own; a
// line ending in "/" stands for all packages below that folder that have no line of their own. The wings load, grid and
// host never import one another, whatever the lines say.
var floors = []struct {
	floor string
	rooms []string
}{
	{"0 stones: standard library only; no goroutine, I/O or clock", []string{"fault", "segment", "pace", "sketch", "plural"}},
	{"1 nouns: what is measured", []string{"metric"}},
	{"1 nouns: what is demanded; what benchmarks measure", []string{"threshold", "metric/metrictest"}},
	{"1 nouns: what is asked", []string{"plan"}},
	{"1 nouns: the contract of a run", []string{"run"}},
	{"1 nouns: the same contract over a pipe; what scripts share, in one process", []string{"run/pipe", "run/shared"}},
	{"2 engines: what nodes agree on", []string{"grid/cluster"}},
	{"2 engines: the tools of a virtual user", []string{"load/js", "load/httpc", "load/meter", "load/bundle", "load/executor", "grid/tally", "grid/fence", "grid/nominate", "grid/trust", "grid/cluster/"}},
	{"2 engines: files become programs; what a module may touch", []string{"load/script", "load/k6/scope", "grid/courier"}},
	{"2 engines: what nodes say to those who vote", []string{"grid/beat"}},
	{"2 engines: what a conductor asks of a worker", []string{"grid/order"}},
	{"2 engines: runners as processes", []string{"grid/runner"}},
	{"2 engines: both ends of a run; they meet in the store and over the courier", []string{"grid/worker", "grid/conductor"}},
	{"2 engines: where the runs are kept", []string{"grid/desk"}},
	{"2 engines: how commands reach a grid; what scripts share", []string{"grid/client", "grid/board"}},
	{"2 engines: help for the modules' tests, and what modules share", []string{"load/k6/scopetest", "load/k6/k6timers", "load/k6/k6html"}},
	{"2 engines: the modules", []string{"load/k6/"}},
	{"2 engines: the table of modules, what needs no import, one virtual user", []string{"load/k6", "load/k6/global", "load/vu"}},
	{"2 engines: the story of a run", []string{"load/scheduler"}},
	{"3 faces: what outputs share; helpers that know no run", []string{"view/output/stream", "view/output/push", "demo", "doctor"}},
	{"3 faces: the outputs", []string{"view/output/"}},
	{"3 faces: they read, they do not decide", []string{"view/"}},
	{"4 roof: one node", []string{"node"}},
	{"4 roof", []string{"cli"}},
}

// doors are the imports that the floors forbid and a reason allows: importer, imported, why.
var doors = []struct{ from, to, why string }{
	// none so far
}

// thirdParty says behind which doors a module from elsewhere is kept. Tests may use what they like.
var thirdParty = map[string][]string{
	"github.com/grafana/sobek":          {"load/js", "load/k6", "load/vu", "load/scheduler"},
	"github.com/evanw/esbuild":          {"load/js"},
	"github.com/go-sourcemap/sourcemap": {"load/js"},
	"github.com/spf13/cobra":            {"cli"},
	"github.com/spf13/pflag":            {"cli", "plan"},
	"golang.org/x/term":                 {"cli"},
	"golang.org/x/net":                  {"load/httpc", "load/k6"},
	"golang.org/x/sys":                  {"load/httpc", "doctor", "cli", "node", "run/pipe"},
	"go.etcd.io/etcd":                   {"grid/cluster/etcdstore"},
	"go.uber.org/zap":                   {"grid/cluster/etcdstore"},
	"google.golang.org/grpc":            {"grid/cluster/etcdstore"},
	"golang.org/x/sync":                 {"grid", "node", "load/scheduler", "load/k6"},
	"golang.org/x/time":                 {"load/k6"},
	"golang.org/x/crypto":               {"load/k6"},
	"golang.org/x/text":                 {"load/k6"},
	"github.com/Azure/go-ntlmssp":       {"load/k6/k6http"},
	"github.com/andybalholm/brotli":     {"load/k6/k6http"},
	"github.com/klauspost/compress":     {"load/k6/k6http", "view/output"},
	"google.golang.org/protobuf":        {"view/output/promout"},
	"github.com/tidwall/gjson":          {"load/k6"},
	"github.com/PuerkitoBio/goquery":    {"load/k6/k6html"},
	"github.com/andybalholm/cascadia":   {"load/k6/k6html"},
}

// source is one Go file of the module.
type source struct {
	path string // from the module's root, with slashes
	room string // its folder below internal/, or the folder itself outside
	file *ast.File
	set  *token.FileSet
}

func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// at is where a reader finds a node.
func (s source) at(n ast.Node) string {
	return s.path + ":" + strconv.Itoa(s.set.Position(n.Pos()).Line)
}

// sources parses every Go file of this module, whatever its build tags, and leaves out modules of their own.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		p = filepath.ToSlash(p)
		if d.IsDir() {
			_, own := os.Stat(path.Join(p, "go.mod"))
			if p != "." && (own == nil || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || d.Name() == "cases") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		room, _ := strings.CutPrefix(path.Dir(p), "internal/")
		all = append(all, source{p, room, f, set})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// imports lists a file's imports; those of this module lose everything up to internal/.
func (s source) imports() (ours, foreign []string) {
	for _, i := range s.file.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		if in, ok := strings.CutPrefix(p, "throng/internal/"); ok {
			ours = append(ours, in)
		} else if strings.Contains(strings.Split(p, "/")[0], ".") {
			foreign = append(foreign, p)
		}
	}
	return ours, foreign
}

// height finds a room's line in floors: its own, else the longest folder that holds it.
func height(room string) (line int, ok bool) {
	best := -1
	for i, f := range floors {
		for _, r := range f.rooms {
			if r == room {
				return i, true
			}
			if strings.HasSuffix(r, "/") && strings.HasPrefix(room, r) && len(r) > best {
				best, line, ok = len(r), i, true
			}
		}
	}
	return line, ok
}

// TestThePictureShowsEveryPackage holds the table of ARCHITECTURE.md to floors: every room is in it, and none stands above one that may
// import it.
func TestThePictureShowsEveryPackage(t *testing.T) {
	b, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "## The floors")
	text, _, _ = strings.Cut(text, "\n## ")
	drawn, last := map[string]bool{"cmd/throng": true}, len(floors)
	for row := range strings.Lines(text) {
		cells := strings.Split(row, "|")
		if len(cells) < 4 {
			continue
		}
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[2], -1) {
			room := strings.TrimSuffix(name[1], "…")
			line := slices.IndexFunc(floors, func(f struct {
				floor string
				rooms []string
			}) bool {
				return slices.Contains(f.rooms, room)
			})
			switch {
			case room == "cmd/throng", strings.HasPrefix(room, "view/") && line < 0:
				continue // the binary; the faces, which share a line that names none of them
			case line < 0:
				t.Errorf("ARCHITECTURE.md draws %s, which stands on no floor", room)
			case line > last:
				t.Errorf("ARCHITECTURE.md draws %s below what it may import", room)
			}
			drawn[room], last = true, min(last, line)
		}
	}
	for _, f := range floors {
		for _, room := range f.rooms {
			if !drawn[room] && room != "view/" {
				t.Errorf("the picture in ARCHITECTURE.md lacks %s", room)
			}
		}
	}
}

func wing(room string) string {
	first, _, _ := strings.Cut(room, "/")
	if slices.Contains([]string{"load", "grid", "host"}, first) {
		return first
	}
	return ""
}

func TestHouse(t *testing.T) {
	used := map[int]bool{}
	for _, s := range sources(t) {
		if !strings.HasPrefix(s.path, "internal/") || s.test() {
			continue
		}
		up, ok := height(s.room)
		if !ok {
			t.Errorf("%s: package %s stands on no floor: give it a line in house_test.go", s.path, s.room)
			continue
		}
		ours, _ := s.imports()
		for _, to := range ours {
			down, _ := height(to)
			crossing := wing(s.room) != "" && wing(to) != "" && wing(s.room) != wing(to)
			if down < up && !crossing {
				continue
			}
			i := slices.IndexFunc(doors, func(d struct{ from, to, why string }) bool { return d.from == s.room && d.to == to })
			if i < 0 {
				t.Errorf("%s: %s (%s) imports %s (%s), which is not below it", s.path, s.room, floors[up].floor, to, floors[down].floor)
				continue
			}
			used[i] = true
		}
	}
	for i, d := range doors {
		if !used[i] || d.why == "" {
			t.Errorf("the door from %s to %s is not used, or has no reason", d.from, d.to)
		}
	}
}

func TestThirdPartiesStayBehindTheirDoors(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() || strings.HasPrefix(s.path, "tools/") {
			continue
		}
		_, foreign := s.imports()
		for _, p := range foreign {
			if strings.HasPrefix(p, "throng/") {
				continue
			}
			allowed, known := []string(nil), false
			for module, rooms := range thirdParty {
				if p == module || strings.HasPrefix(p, module+"/") {
					allowed, known = rooms, true
				}
			}
			if !known {
				t.Errorf("%s: %s is new: choose the one package that may import it", s.path, p)
			} else if !slices.ContainsFunc(allowed, func(r string) bool { return s.room == r || strings.HasPrefix(s.room, r+"/") }) {
				t.Errorf("%s: %s is kept behind %s", s.path, p, strings.Join(allowed, ", "))
			}
		}
	}
}

func TestStonesUseNoClockNoGoroutineNoFiles(t *testing.T) {
	for _, s := range sources(t) {
		if !slices.Contains(floors[0].rooms, s.room) || s.test() {
			continue
		}
		for _, i := range s.file.Imports {
			if p, _ := strconv.Unquote(i.Path.Value); slices.Contains([]string{"os", "io/fs", "net", "net/http", "sync", "sync/atomic", "context", "log", "log/slog"}, p) {
				t.Errorf("%s imports %s: a stone is a function of values", s.path, p)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s: a stone starts no goroutine", s.at(n))
			}
			if c, ok := called(n); ok && slices.Contains([]string{"time.Now", "time.Since", "time.Until", "time.After", "time.NewTimer"}, c) {
				t.Errorf("%s: %s: time comes to a stone as an argument", s.at(n), c)
			}
			return true
		})
	}
}

// called is "package.Name" for a use of a package's name.
func called(n ast.Node) (string, bool) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok || x.Obj != nil { // Obj: a variable that is called as a package is
		return "", false
	}
	return x.Name + "." + sel.Sel.Name, true
}

func TestEveryPackageIntroducesItself(t *testing.T) {
	comments, rooms := map[string][]source{}, map[string]bool{}
	for _, s := range sources(t) {
		if s.test() || s.file.Name.Name == "main" {
			continue
		}
		rooms[s.room] = true
		if s.file.Doc != nil {
			comments[s.room] = append(comments[s.room], s)
		}
	}
	for room := range rooms {
		files := comments[room]
		if len(files) != 1 || path.Base(files[0].path) != "doc.go" {
			t.Errorf("%s: want one package comment, in doc.go; there are %d", room, len(files))
			continue
		}
		text := files[0].file.Doc.Text()
		for _, part := range []string{"\nIn:", "\nOut:", "\nInvariant:", "\nNot here:"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %q", files[0].path, strings.TrimSpace(part))
			}
		}
	}
}

func TestNothingIsWiredBehindTheReadersBack(t *testing.T) {
	for _, s := range sources(t) {
		roof := s.room == "cli" || strings.HasPrefix(s.path, "cmd/") || strings.HasPrefix(s.path, "tools/")
		ast.Inspect(s.file, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: no init: write the table out", s.at(n))
			}
			if c, ok := called(n); ok && !roof && !s.test() && slices.Contains([]string{"os.Exit", "os.Args", "os.Stdin", "os.Stdout", "os.Stderr"}, c) {
				t.Errorf("%s: %s belongs to cmd and cli", s.at(n), c)
			}
			return true
		})
	}
}

// TestTestsDoNotSleep lets a package sleep whose tests run in synctest bubbles: there it costs no time and depends on none.
func TestTestsDoNotSleep(t *testing.T) {
	all, bubbles := sources(t), map[string]bool{}
	for _, s := range all {
		for _, i := range s.file.Imports {
			if i.Path.Value == `"testing/synctest"` {
				bubbles[s.room] = true
			}
		}
	}
	for _, s := range all {
		if !s.test() || bubbles[s.room] {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if c, ok := called(n); ok && c == "time.Sleep" {
				t.Errorf("%s: wait for what you wait for, or use testing/synctest", s.at(n))
			}
			return true
		})
	}
}

func TestEveryWitnessExists(t *testing.T) {
	all, known := sources(t), map[string]bool{}
	for _, s := range all {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.test() {
				known[f.Name.Name] = true
			}
		}
	}
	witness := regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`)
	for _, s := range all {
		for _, group := range s.file.Comments {
			for _, name := range witness.FindAllString(group.Text(), -1) {
				if !known[name] {
					t.Errorf("%s: %s is called as a witness and does not exist", s.at(group), name)
				}
			}
		}
	}
	for _, doc := range documents(t) {
		for _, name := range witness.FindAllString(doc.text, -1) {
			if !known[name] {
				t.Errorf("%s: %s is called as a witness and does not exist", doc.path, name)
			}
		}
	}
}

func TestNothingIsLeftForLater(t *testing.T) {
	later := regexp.MustCompile(`\b(` + "TO" + `DO|FIX` + `ME|XX` + `X)\b`)
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			if later.MatchString(group.Text()) {
				t.Errorf("%s: do it, or write down in docs/decisions why not", s.at(group))
			}
		}
	}
}

type document struct{ path, text string }

// documents are the project's own Markdown files.
func documents(t *testing.T) []document {
	t.Helper()
	var all []document
	for _, pattern := range []string{"*.md", "docs/*/*.md", "bench/*.md", "test/*/*.md", "examples/*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, document{filepath.ToSlash(name), string(b)})
		}
	}
	return all
}

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	for _, doc := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(doc.text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(path.Join(path.Dir(doc.path), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", doc.path, m[1])
			}
		}
	}
}
