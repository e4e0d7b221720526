package bundle

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Write writes b as a tar: metadata.json, data, then directories and files by name, the main script as a hard link to
// data. It carries no time and no owner, so equal tests are equal bytes.
func (b *Bundle) Write(w io.Writer) error {
	meta, err := b.metadata()
	if err != nil {
		return err
	}
	files, err := b.entries()
	if err != nil {
		return err
	}
	t := &tarWriter{Writer: tar.NewWriter(w), dirs: map[string]bool{".": true}}
	t.file("metadata.json", meta)
	t.file("data", b.Script)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		t.parents(name)
		if data := files[name]; data != nil {
			t.file(name, *data)
		} else {
			t.add(&tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: "data"})
		}
	}
	if t.err == nil {
		t.err = t.Close()
	}
	if t.err != nil {
		return fmt.Errorf("write archive: %w", t.err)
	}
	return nil
}

// WriteFile writes b to a new file in dir, which it returns with its size and digest (see Digest).
func (b *Bundle) WriteFile(dir string) (name, digest string, size int64, err error) {
	f, err := os.CreateTemp(dir, "bundle-*.tar")
	if err != nil {
		return "", "", 0, fmt.Errorf("write archive: %w", err)
	}
	h := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, h), 1<<18)
	err = b.Write(out)
	if err == nil {
		err = out.Flush()
	}
	var info fs.FileInfo
	if err == nil {
		info, err = f.Stat()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", "", 0, errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), hex.EncodeToString(h.Sum(nil)), info.Size(), nil
}

// entries returns the files by their name in the tar; nil is the main script.
func (b *Bundle) entries() (map[string]*[]byte, error) {
	if b.Filename == nil {
		return nil, errors.New("write archive: it has no main script")
	}
	out := make(map[string]*[]byte, len(b.Files)+1)
	for at, data := range b.Files {
		u, err := url.Parse(at)
		if err != nil {
			return nil, fmt.Errorf("write archive: %w", err)
		}
		name, err := entryName(u)
		if err != nil {
			return nil, err
		}
		out[name] = &data
	}
	name, err := entryName(b.Filename)
	if err != nil {
		return nil, err
	}
	out[name] = nil
	return out, nil
}

func entryName(u *url.URL) (string, error) {
	u = Anonymous(u)
	switch u.Scheme {
	case "file":
		return "file" + path.Clean(u.Path), nil
	case "https":
		// Path is cleaned, so no query can climb out of the host's directory.
		name := "https/" + u.Host + path.Clean("/"+u.Path)
		if u.RawQuery != "" {
			name += "?" + strings.ReplaceAll(u.RawQuery, "/", "%2F")
		}
		return name, nil
	default:
		return "", fmt.Errorf("write archive: %s is neither a local file nor https", u)
	}
}

type tarWriter struct {
	*tar.Writer
	dirs map[string]bool
	err  error
}

func (t *tarWriter) add(h *tar.Header) {
	if t.err == nil {
		h.ModTime = time.Unix(0, 0)
		t.err = t.WriteHeader(h)
	}
}

func (t *tarWriter) file(name string, data []byte) {
	t.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data))})
	if t.err == nil {
		_, t.err = t.Writer.Write(data)
	}
}

func (t *tarWriter) parents(name string) {
	dir := path.Dir(name)
	if t.dirs[dir] {
		return
	}
	t.parents(dir)
	t.dirs[dir] = true
	t.add(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755})
}
