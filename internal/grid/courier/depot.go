package courier

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"throng/internal/grid/cluster"
)

// MaxBlob is the largest blob, in bytes: a bundle with the data files that its script opens.
const MaxBlob = 4 << 30

// Depot keeps blobs in a folder, each under the SHA-256 of its bytes.
type Depot struct{ dir string }

// NewDepot returns the depot in dir, which it makes readable by nobody else, and clears what an interrupted Put left.
func NewDepot(dir string) (*Depot, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of blobs: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".part-*"))
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	return &Depot{dir}, err
}

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Path is where the blob is, or would be. A digest that is none is an error, so that no path can be made of it.
func (d *Depot) Path(digest string) (string, error) {
	if !digestForm.MatchString(digest) {
		return "", fmt.Errorf("%.80q is no SHA-256 in hexadecimal", digest)
	}
	return filepath.Join(d.dir, digest), nil
}

// Has reports whether the blob is there.
func (d *Depot) Has(digest string) bool {
	p, err := d.Path(digest)
	if err == nil {
		_, err = os.Stat(p)
	}
	return err == nil
}

// Open opens a blob; cluster.ErrNotFound when it is not there.
func (d *Depot) Open(digest string) (*os.File, error) {
	p, err := d.Path(digest)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %.12s: %w", digest, cluster.ErrNotFound)
	}
	return f, err
}

// Put keeps what r gives and returns its digest. Nothing is kept of what cannot be read to its end.
func (d *Depot) Put(r io.Reader) (string, error) { return d.put(r, "") }

var errWrongDigest = errors.New("the bytes that arrived are not those that were named")

func (d *Depot) put(r io.Reader, want string) (digest string, err error) {
	f, err := os.CreateTemp(d.dir, partPrefix+"*")
	if err != nil {
		return "", fmt.Errorf("keep a blob: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(r, MaxBlob+1))
	if err != nil {
		return "", fmt.Errorf("keep a blob: %w", err)
	}
	if n > MaxBlob {
		return "", fmt.Errorf("a blob is larger than %d bytes", int64(MaxBlob))
	}
	digest = hex.EncodeToString(h.Sum(nil))
	if want != "" && want != digest {
		return "", errWrongDigest
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("keep a blob: %w", err)
	}
	return digest, os.Rename(f.Name(), filepath.Join(d.dir, digest))
}

// partPrefix begins the names of files that are being written.
const partPrefix = ".part-"

// Sweep removes blobs that are not wanted and are older than age, and what was left of those that never arrived whole.
func (d *Depot) Sweep(now time.Time, age time.Duration, wanted func(digest string) bool) error {
	entries, err := os.ReadDir(d.dir)
	for _, e := range entries {
		info, ierr := e.Info()
		torn := strings.HasPrefix(e.Name(), partPrefix)
		if ierr != nil || !torn && !digestForm.MatchString(e.Name()) || wanted(e.Name()) || now.Sub(info.ModTime()) < age {
			continue
		}
		err = errors.Join(err, os.Remove(filepath.Join(d.dir, e.Name())))
	}
	return err
}

// BlobPath begins the paths of blobs: PUT BlobPath stores one and answers its digest, GET and HEAD BlobPath+digest give one.
const BlobPath = "/throng/v1/blobs/"

// ServeHTTP answers for BlobPath.
func (d *Depot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	digest := strings.TrimPrefix(r.URL.Path, BlobPath)
	if r.Method == http.MethodPut {
		got, err := d.put(r.Body, digest)
		if err != nil {
			WriteError(w, err)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, got) // who has gone need not be told
		return
	}
	f, err := d.Open(digest)
	if err != nil {
		WriteError(w, err)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, f)
}

// Fetch brings a blob from the node at base into the depot, unless it is there already.
func (c *Client) Fetch(ctx context.Context, d *Depot, base, digest string) error {
	if d.Has(digest) {
		return nil
	}
	res, err := c.Do(ctx, http.MethodGet, base, BlobPath+digest, "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := d.put(res.Body, digest); err != nil {
		return fmt.Errorf("fetch blob %.12s from %s: %w", digest, base, err)
	}
	return nil
}

// FetchPath is where a node is told to fetch a blob from another.
const FetchPath = "/throng/v1/fetch"

// fetchCall is the body of a call of FetchPath. The node that has the blob is named, not addressed: so nobody can have us call
// strangers.
type fetchCall struct {
	Digest string `json:"digest"`
	From   string `json:"from"`
}

// HaveFetched has the node at base fetch a blob from the node named from.
func (c *Client) HaveFetched(ctx context.Context, base, digest, from string) error {
	return c.JSON(ctx, http.MethodPost, base, FetchPath, fetchCall{digest, from}, nil)
}

// FetchHandler answers for FetchPath; address returns the address of a node of the grid, "" for a stranger.
func FetchHandler(c *Client, d *Depot, address func(node string) string) http.Handler {
	return Handler(func(r *http.Request) (any, error) {
		var call fetchCall
		if err := Read(r, &call); err != nil {
			return nil, err
		}
		base := address(call.From)
		if base == "" {
			return nil, &Status{http.StatusBadRequest, fmt.Errorf("%q is no node of this grid", call.From)}
		}
		return struct{}{}, c.Fetch(r.Context(), d, base, call.Digest)
	})
}

// Send stores r as a blob at the node at base and returns its digest.
func (c *Client) Send(ctx context.Context, base string, r io.Reader) (string, error) {
	res, err := c.Do(ctx, http.MethodPut, base, BlobPath, "application/octet-stream", r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 65))
	if err == nil && !digestForm.Match(b) {
		err = fmt.Errorf("%s answered no digest", base)
	}
	return string(b), err
}
