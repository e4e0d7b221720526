package bundle

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Limits bound what Read takes from an archive of unknown origin.
type Limits struct {
	Bytes   int64 // of all files together; 0: 2 GiB
	Entries int   // 0: 50,000
}

// Is says whether data, the beginning of a file, is that of a tar.
func Is(data []byte) bool {
	_, err := tar.NewReader(bytes.NewReader(data[:min(len(data), 4096)])).Next()
	return err == nil
}

// ErrNoScript is returned by Read for a tar that is no archive of a test.
var ErrNoScript = errors.New("this tar is no archive of a test: it lacks metadata.json or data")

// Read reads an archive that throng or any k6 made. Nothing is written anywhere: entry names become URLs, and names that
// try to leave their root are refused.
func Read(r io.Reader, limits Limits) (*Bundle, error) {
	return read(tar.NewReader(r), reader{limits: limits.filled(), files: map[string][]byte{}})
}

// Open is Read for a file, which must not change as long as the bundle is used. Its contents stay in the file until they are
// looked at: see Map.
func Open(name string, limits Limits) (*Bundle, error) {
	m, err := Map(name)
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	b, err := parse(m.Data, limits)
	if err != nil {
		m.close()
		return nil, err
	}
	b.Own = m.Own
	return b, nil
}

// parse is Read for an archive in memory, of which the contents become parts.
func parse(data []byte, limits Limits) (*Bundle, error) {
	if limits.Bytes <= 0 {
		limits.Bytes = int64(len(data))
	}
	at := bytes.NewReader(data)
	return read(tar.NewReader(at), reader{limits: limits.filled(), files: map[string][]byte{}, whole: data, at: at})
}

func (l Limits) filled() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 2 << 30
	}
	if l.Entries <= 0 {
		l.Entries = 50_000
	}
	return l
}

func read(t *tar.Reader, in reader) (*Bundle, error) {
	if err := in.all(t); err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	if in.meta == nil || in.data == nil {
		return nil, fmt.Errorf("read archive: %w", ErrNoScript)
	}
	b, err := in.bundle()
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	return b, nil
}

type reader struct {
	limits     Limits
	entries    int
	meta, data []byte
	files      map[string][]byte
	links      []string // names of hard links to data

	whole []byte        // the archive, if it is in memory: contents are parts of it
	at    *bytes.Reader // of whole
}

func (in *reader) all(t *tar.Reader) error {
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if in.entries++; in.entries > in.limits.Entries {
			return fmt.Errorf("more than %d entries", in.limits.Entries)
		}
		if err := in.entry(h, t); err != nil {
			return fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
}

func (in *reader) entry(h *tar.Header, t *tar.Reader) error {
	name := strings.TrimPrefix(strings.ReplaceAll(h.Name, `\`, "/"), "./")
	if path.IsAbs(name) || slices.Contains(strings.Split(name, "/"), "..") || strings.ContainsRune(name, 0) {
		return errors.New("its name leaves the archive")
	}
	switch h.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	case tar.TypeLink:
		if h.Linkname != "data" {
			return fmt.Errorf("a link to %q, not to data", h.Linkname)
		}
		in.links = append(in.links, name)
		return nil
	case tar.TypeReg:
	default:
		return errors.New("neither a file nor a directory")
	}
	data, err := in.content(h, t)
	if err != nil {
		return err
	}
	switch name {
	case "metadata.json":
		in.meta = data
	case "data":
		in.data = data
	default:
		in.files[name] = data
	}
	return nil
}

// content reads with growth, not by the size that the header claims: a header is cheap to forge.
func (in *reader) content(h *tar.Header, t *tar.Reader) ([]byte, error) {
	if h.Size > in.limits.Bytes {
		return nil, errTooLarge
	}
	if from := len(in.whole) - in.left(); in.whole != nil && !sparse(h) && h.Size <= int64(in.left()) {
		in.limits.Bytes -= h.Size
		return in.whole[from:][:h.Size:h.Size], nil
	}
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(t, in.limits.Bytes+1))
	if err != nil {
		return nil, err
	}
	if in.limits.Bytes -= n; in.limits.Bytes < 0 {
		return nil, errTooLarge
	}
	if n == 0 {
		return []byte{}, nil
	}
	return out.Bytes(), nil
}

// left is how much of whole follows the header that was read last.
func (in *reader) left() int {
	if in.at == nil {
		return 0
	}
	return in.at.Len()
}

// sparse reports whether h's content is not in the archive as it is.
func sparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

var errTooLarge = errors.New("the archive is larger than allowed")

func (in *reader) bundle() (*Bundle, error) {
	var m metadata
	if err := json.Unmarshal(in.meta, &m); err != nil {
		return nil, fmt.Errorf("metadata.json: %w", err)
	}
	if m.Type != "js" {
		return nil, fmt.Errorf("it is of type %q, only js is known", m.Type)
	}
	b := &Bundle{
		Options: m.Options, Env: m.Env, CompatibilityMode: m.CompatibilityMode, Version: m.Version, OS: m.OS,
		Dependencies: m.Dependencies, Script: in.data, Files: make(map[string][]byte, len(in.files)),
	}
	var err error
	if b.Filename, err = location(m.Filename); err != nil {
		return nil, fmt.Errorf("metadata.json: filename: %w", err)
	}
	if b.Pwd, err = location(m.Pwd); err != nil {
		return nil, fmt.Errorf("metadata.json: pwd: %w", err)
	}
	for name, data := range in.files {
		if u := entryURL(name); u != nil {
			b.Files[u.String()] = data
		}
	}
	for _, name := range in.links {
		if u := entryURL(name); u != nil {
			b.Files[u.String()] = in.data
		}
	}
	delete(b.Files, b.Filename.String()) // it is Script
	return b, nil
}

// location reads a URL of metadata.json. Archives of k6 before 0.21 have bare paths there, and some of Windows have
// backslashes.
func location(s string) (*url.URL, error) {
	if s == "" {
		return nil, errors.New("is missing")
	}
	if strings.Contains(s, "://") {
		u, err := url.Parse(s)
		if err != nil {
			return nil, err
		}
		if u.Scheme != "file" && u.Scheme != "https" {
			return nil, fmt.Errorf("%q is neither a local file nor https", s)
		}
		u.Path = clean(u.Path)
		u.RawPath = ""
		return Anonymous(u), nil
	}
	return Anonymous(&url.URL{Scheme: "file", Path: clean(s)}), nil
}

func clean(p string) string { return path.Clean("/" + strings.ReplaceAll(p, `\`, "/")) }

// entryURL is the inverse of entryName, and knows the two older layouts: files/ and scripts/, where local paths begin
// with an underscore and all others are remote hosts. It returns nil for what is none of these.
func entryURL(name string) *url.URL {
	root, rest, ok := strings.Cut(name, "/")
	if !ok {
		return nil
	}
	switch root {
	case "file":
		return Anonymous(&url.URL{Scheme: "file", Path: clean(rest)})
	case "https":
	case "files", "scripts":
		if local, ok := strings.CutPrefix(rest, "_"); ok {
			return Anonymous(&url.URL{Scheme: "file", Path: clean(local)})
		}
	default:
		return nil
	}
	host, p, _ := strings.Cut(rest, "/")
	p, query, _ := strings.Cut(p, "?")
	if host == "" || strings.ContainsAny(host, "?#%@\\ ") {
		return nil
	}
	return &url.URL{Scheme: "https", Host: host, Path: clean(p), RawQuery: strings.ReplaceAll(query, "%2F", "/")}
}
