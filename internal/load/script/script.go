package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"throng/internal/load/bundle"
	"throng/internal/load/js"
)

// Type says what the argument of the command is.
type Type string

// The types; Auto looks at the content.
const (
	Auto    Type = ""
	JS      Type = "js"
	Archive Type = "archive"
)

// Options say how to read a script. The zero value reads local files and https.
type Options struct {
	Type     Type
	Dir      string // what relative paths mean; "": the working directory
	NoRemote bool   // refuse imports of https URLs
	Client   *http.Client
	CacheDir string // of remote modules, for when the network is away; "": below os.UserCacheDir; "-": none
	Limits   bundle.Limits
	// Map leaves an archive, and the data files that a script opens, on disk, and their pages to the system. They must not be changed
	// meanwhile: it is for a process that packs a test and does not run it.
	Map bool
	Log *slog.Logger
}

// Script is a test that has been found, but not compiled.
type Script struct {
	Source js.Source
	Pwd    *url.URL
	Files  *Files
	// Bundle is the archive that the script came from, else nil.
	Bundle *bundle.Bundle
}

// stdinPath is the path of the URL of a script that came from standard input, as in k6.
const stdinPath = "/-"

// Read finds the script that arg names: a path, an https URL, or "-" for standard input. Each may be an archive.
func Read(arg string, stdin io.Reader, o Options) (*Script, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	pwd, err := directory(o.Dir)
	if err != nil {
		return nil, err
	}
	if name, ok := archiveAt(arg, pwd, o); ok {
		b, err := bundle.Open(name, o.Limits)
		if err != nil {
			return nil, err
		}
		return Unpack(b, o), nil
	}
	files := newFiles(pwd, o)
	u, data, err := files.main(arg, stdin)
	if err != nil {
		return nil, err
	}
	if o.Type != Auto && o.Type != JS && o.Type != Archive {
		return nil, fmt.Errorf("unknown or unspecified test type '%s' for '%s', known are js and archive", o.Type, u)
	}
	if o.Type == Archive || o.Type == Auto && bundle.Is(data) {
		b, err := bundle.Read(bytes.NewReader(data), o.Limits)
		if err != nil {
			return nil, err
		}
		return Unpack(b, o), nil
	}
	files.keep(u, data)
	return &Script{Source: js.Source{URL: u, Data: data}, Pwd: pwd, Files: files}, nil
}

// archiveAt returns the name of the file that arg means, if it is an archive that is not to be read as a whole.
func archiveAt(arg string, pwd *url.URL, o Options) (string, bool) {
	if !o.Map || o.Type != Auto && o.Type != Archive || arg == "-" || arg == "" || strings.Contains(arg, "://") {
		return "", false
	}
	name := arg
	if !filepath.IsAbs(name) {
		name = filepath.Join(local(pwd), name)
	}
	f, err := os.Open(name)
	if err != nil {
		return "", false // who reads it as a script says what is wrong
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(f, head)
	return name, (err == nil || errors.Is(err, io.ErrUnexpectedEOF)) && bundle.Is(head[:n])
}

// Given makes a script of data, as if it had been found under name in the directory of relative paths.
func Given(name string, data []byte, o Options) (*Script, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	pwd, err := directory(o.Dir)
	if err != nil {
		return nil, err
	}
	files := newFiles(pwd, o)
	u := &url.URL{Scheme: "file", Path: path.Join(pwd.Path, name)}
	files.keep(u, data)
	return &Script{Source: js.Source{URL: u, Data: data}, Pwd: pwd, Files: files}, nil
}

// Unpack makes the script of an archive; it reads nothing but what is in b.
func Unpack(b *bundle.Bundle, o Options) *Script {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	files := newFiles(b.Pwd, o)
	files.packed = true
	for at, data := range b.Files {
		files.known[at] = &content{data, b.Own}
	}
	files.keep(b.Filename, b.Script)
	return &Script{Source: js.Source{URL: b.Filename, Data: b.Script}, Pwd: b.Pwd, Files: files, Bundle: b}
}

func directory(dir string) (*url.URL, error) {
	if dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		dir = wd
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return &url.URL{Scheme: "file", Path: slashed(dir)}, nil
}

// slashed makes an absolute path of this system the path of a file URL: C:\x becomes /C:/x.
func slashed(p string) string {
	p = filepath.ToSlash(p)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return p
}

// local is the inverse of slashed.
func local(u *url.URL) string {
	p := u.Path
	if len(p) > 2 && p[2] == ':' {
		p = p[1:]
	}
	return filepath.FromSlash(p)
}

func (f *Files) main(arg string, stdin io.Reader) (*url.URL, []byte, error) {
	if arg == "-" {
		data, err := io.ReadAll(stdin)
		if err != nil {
			return nil, nil, fmt.Errorf("read the script from standard input: %w", err)
		}
		return &url.URL{Scheme: "file", Path: stdinPath}, data, nil
	}
	if arg == "" {
		return nil, nil, errors.New("no script was named")
	}
	var u *url.URL
	var err error
	switch {
	case strings.Contains(arg, "://"):
		u, err = f.Resolve(&url.URL{Scheme: "file", Path: f.pwd.Path + "/x"}, arg)
	case filepath.IsAbs(arg):
		u = &url.URL{Scheme: "file", Path: path.Clean(slashed(arg))}
	default:
		u = &url.URL{Scheme: "file", Path: path.Join(f.pwd.Path, filepath.ToSlash(arg))}
	}
	if err != nil {
		return nil, nil, err
	}
	f.asked[u.String()] = arg
	data, err := f.Load(u)
	return u, data, err
}

// Compile makes a program of the script. opts.StdinPath and opts.Log are filled in.
func (s *Script) Compile(opts js.CompileOptions) (*js.Program, error) {
	opts.StdinPath = stdinPath
	if opts.Log == nil {
		opts.Log = s.Files.options.Log
	}
	if s.Bundle != nil && opts.CompatibilityMode == "" {
		opts.CompatibilityMode = s.Bundle.CompatibilityMode
	}
	return js.Compile(s.Source, s.Files, opts)
}

// Pack makes a bundle of the script and every file that was read so far: call it after the first init. Options is the
// consolidated options as JSON, version what exec.test and k6 shall see as k6version.
func (s *Script) Pack(options json.RawMessage, env map[string]string, mode, version string) *bundle.Bundle {
	return &bundle.Bundle{
		Options: options, Filename: s.Source.URL, Pwd: s.Pwd, Env: maps.Clone(env), CompatibilityMode: mode, Version: version,
		OS: runtime.GOOS, Dependencies: map[string]string{"k6": "*"}, Script: s.Source.Data, Files: s.Files.All(),
	}
}
