package script

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"throng/internal/load/bundle"
)

// Files are all files of a test: what was imported and what open() has read. It is a js.Loader, and safe for concurrent
// use. The bytes that it returns are shared and must not be changed.
type Files struct {
	options Options
	pwd     *url.URL
	remote  remote
	packed  bool // from an archive: nothing else exists

	mu     sync.Mutex
	sealed bool
	known  map[string]*content // by URL
	failed map[string]error    // by URL: why open() could not read it
	asked  map[string]string   // the specifier by which a URL was last asked for, for error messages
}

type content struct {
	data []byte
	own  func([]byte) []byte // makes a copy that may be written to; nil: as one does
}

func newFiles(pwd *url.URL, o Options) *Files {
	return &Files{
		options: o, pwd: pwd, remote: remote{client: o.Client, cache: cacheDir(o.CacheDir), log: o.Log},
		known: map[string]*content{}, asked: map[string]string{}, failed: map[string]error{},
	}
}

// Seal ends the first init: from now on only files that are known already can be read.
func (f *Files) Seal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sealed = true
}

// All returns every file seen so far, by URL.
func (f *Files) All() map[string][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[string][]byte, len(f.known))
	for at, c := range f.known {
		out[at] = c.data
	}
	return out
}

func (f *Files) keep(u *url.URL, data []byte) *content {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &content{data: data}
	f.known[u.String()] = c
	return c
}

// get returns what is known of u. An archive knows a user's home by another name than the script may.
func (f *Files) get(u *url.URL) (c *content, sealed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c = f.known[u.String()]
	if c == nil && f.packed {
		c = f.known[bundle.Anonymous(u).String()]
	}
	return c, f.sealed
}

// Resolve makes specifier, found in the module at base, absolute (https://grafana.com/docs/k6, "Modules"): paths are
// relative to the file that names them, and remote modules are https only.
func (f *Files) Resolve(base *url.URL, specifier string) (*url.URL, error) {
	u, err := f.resolve(base, specifier)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.asked[u.String()] = specifier
	f.mu.Unlock()
	return u, nil
}

func (f *Files) resolve(base *url.URL, specifier string) (*url.URL, error) {
	scheme, _, absolute := strings.Cut(specifier, "://")
	switch {
	case specifier == "":
		return nil, errors.New("an import needs a path or a URL")
	case specifier == "k6" || strings.HasPrefix(specifier, "k6/"):
		return nil, fmt.Errorf("unknown modules [%q] were tried to be loaded, but couldn't - this version has no such module", specifier)
	case absolute && scheme == "https":
		u, err := url.Parse(specifier)
		if err != nil {
			return nil, err
		}
		return u, nil
	case absolute && scheme == "file":
		if base.Scheme != "file" {
			return nil, fmt.Errorf("origin (%s) not allowed to load local file: %s", base, specifier)
		}
		u, err := url.Parse(specifier)
		if err != nil || u.Path == "" {
			// Not escaped as a URL must be, but clear enough.
			u = &url.URL{Scheme: "file", Path: strings.TrimPrefix(specifier, "file://")}
		}
		return &url.URL{Scheme: "file", Path: path.Clean("/" + u.Path)}, nil
	case absolute:
		return nil, fmt.Errorf("only supported schemes for imports are file and https, %s has `%s`", specifier, scheme)
	case specifier[0] != '.' && specifier[0] != '/' && !filepath.IsAbs(specifier):
		return nil, fmt.Errorf("The moduleSpecifier %q couldn't be recognised as something k6 supports.", specifier) // k6's words
	case base.Scheme == "https":
		ref, err := url.Parse(specifier)
		if err != nil {
			return nil, err
		}
		return base.ResolveReference(ref), nil
	default:
		return f.join(base, specifier), nil
	}
}

// join makes a path of the file at base absolute. It is no URL reference: %20 and ? are parts of names.
func (f *Files) join(base *url.URL, p string) *url.URL {
	if filepath.IsAbs(p) {
		return &url.URL{Scheme: "file", Path: path.Clean(slashed(p))}
	}
	if p = filepath.ToSlash(p); path.IsAbs(p) {
		return &url.URL{Scheme: "file", Path: path.Clean(p)}
	}
	dir := path.Dir(base.Path)
	if base.Scheme != "file" || base.Path == stdinPath {
		dir = f.pwd.Path // what came from elsewhere has no directory here
	}
	return &url.URL{Scheme: "file", Path: path.Join(dir, p)}
}

// Load implements js.Loader.
func (f *Files) Load(u *url.URL) ([]byte, error) {
	c, _ := f.get(u)
	if c != nil {
		return c.data, nil
	}
	f.mu.Lock()
	specifier := f.asked[u.String()]
	f.mu.Unlock()
	if specifier == "" {
		specifier = u.String()
	}
	data, err := f.fetch(u, specifier)
	if err != nil {
		return nil, err
	}
	return f.keep(u, data).data, nil
}

func (f *Files) fetch(u *url.URL, specifier string) ([]byte, error) {
	if f.packed {
		return nil, missing(specifier)
	}
	if u.Scheme == "https" {
		if f.options.NoRemote {
			return nil, fmt.Errorf("%s is a remote module, and remote modules are switched off", u)
		}
		data, err := f.remote.load(u)
		if err != nil {
			// k6's words
			return nil, fmt.Errorf("The moduleSpecifier %q couldn't be retrieved from the resolved url %q. Error : \"%w\"", specifier, u, err)
		}
		return data, nil
	}
	data, err := os.ReadFile(local(u))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(specifier)
	}
	return data, err
}

// missing begins with k6's words, which tests and users look for.
func missing(specifier string) error {
	// k6's words
	return fmt.Errorf("The moduleSpecifier %q couldn't be found on local disk. "+
		"Make sure that you've specified the right path to the file; "+
		"in a container, the directory with the script and its modules must be mounted.", specifier)
}

// Open returns the content of a file that the script's open() asks for: p is relative to the module at caller. The bytes are the
// caller's, who may write to them.
func (f *Files) Open(caller *url.URL, p string) ([]byte, error) {
	c, err := f.open(caller, p)
	if err != nil {
		return nil, err
	}
	if c.own != nil {
		return c.own(c.data), nil
	}
	return bytes.Clone(c.data), nil
}

// OpenText is Open for a file read as text; all virtual users get the same string.
func (f *Files) OpenText(caller *url.URL, p string) (string, error) {
	c, err := f.open(caller, p)
	if err != nil {
		return "", err
	}
	return unsafe.String(unsafe.SliceData(c.data), len(c.data)), nil // data never changes
}

// OpenURL is what p means in open() when the module at caller calls it.
func (f *Files) OpenURL(caller *url.URL, p string) *url.URL {
	if strings.HasPrefix(p, "file://") {
		if u, err := url.Parse(p); err == nil {
			return &url.URL{Scheme: "file", Path: path.Clean("/" + u.Path)}
		}
	}
	return f.join(caller, p)
}

func (f *Files) open(caller *url.URL, p string) (*content, error) {
	if p == "" {
		return nil, errors.New("open() can't be used with an empty filename")
	}
	u := f.OpenURL(caller, p)
	c, sealed := f.get(u)
	switch {
	case c != nil:
		return c, nil
	case sealed:
		f.mu.Lock()
		defer f.mu.Unlock()
		if err := f.failed[u.String()]; err != nil { // every virtual user finds what the first one found
			return nil, err
		}
		return nil, fmt.Errorf("open() can't be used with files that weren't previously opened during initialization (__VU==0), path: %q", local(u))
	case f.packed:
		return nil, &fs.PathError{Op: "stat", Path: local(u), Err: errNoFile}
	}
	c, err := f.readFile(local(u))
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.failed[u.String()] = err
		return nil, err
	}
	f.known[u.String()] = c
	return c, nil
}

func (f *Files) readFile(name string) (*content, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("open() can't be used with directories, path: %q", name)
	case f.options.Map && info.Mode().IsRegular():
		m, err := bundle.Map(name)
		if err != nil {
			return nil, err
		}
		return &content{m.Data, m.Own}, nil
	}
	data, err := os.ReadFile(name)
	return &content{data: data}, err
}

var errNoFile = errors.New("no such file or directory")
