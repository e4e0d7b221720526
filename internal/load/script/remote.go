package script

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

const (
	remoteTimeout = 60 * time.Second // k6's
	remoteLimit   = 64 << 20         // bytes of one module: the largest bundles people publish are a few MiB
)

// remote gets modules over https. What was received is kept on disk and used again only when the network fails, so that
// a test that ran once runs offline, and a changed module is noticed.
type remote struct {
	client *http.Client
	cache  string // "": none
	log    *slog.Logger
}

func cacheDir(dir string) string {
	switch dir {
	case "-":
		return ""
	case "":
		base, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		return filepath.Join(base, "throng", "modules")
	default:
		return dir
	}
}

func (r remote) load(u *url.URL) ([]byte, error) {
	data, err := r.download(u)
	if err == nil {
		r.store(u, data)
		return data, nil
	}
	if errors.Is(err, errRefused) {
		return nil, err
	}
	if cached, cacheErr := os.ReadFile(r.file(u)); r.cache != "" && cacheErr == nil {
		r.log.Warn("using the copy of a remote module from an earlier run", slog.String("url", u.String()), slog.Any("error", err))
		return cached, nil
	}
	return nil, err
}

// download asks for u with _k6=1 first, as k6 does: some sites serve another build then.
func (r remote) download(u *url.URL) ([]byte, error) {
	marked := *u
	q := marked.Query()
	q.Set("_k6", "1")
	marked.RawQuery = q.Encode()
	if data, err := r.get(&marked); err == nil {
		return data, nil
	}
	return r.get(u)
}

// errRefused is an answer, as opposed to none: a module that is gone must not live on in the cache.
var errRefused = errors.New("the server does not have it")

func (r remote) get(u *url.URL) ([]byte, error) {
	res, err := r.http().Get(u.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	if res.StatusCode != http.StatusOK {
		if res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone {
			return nil, fmt.Errorf("%w: %s", errRefused, res.Status)
		}
		return nil, fmt.Errorf("the server answered %s", res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, remoteLimit+1))
	if err != nil {
		return nil, err
	}
	if len(data) > remoteLimit {
		return nil, fmt.Errorf("it is larger than %d MiB", remoteLimit>>20)
	}
	return data, nil
}

func (r remote) http() *http.Client {
	c := http.Client{}
	if r.client != nil {
		c = *r.client
	}
	if c.Timeout == 0 {
		c.Timeout = remoteTimeout
	}
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if req.URL.Scheme != "https" {
			return fmt.Errorf("it leads to %s, which is not https", req.URL)
		}
		if len(via) >= 10 {
			return errors.New("it leads on and on: 10 redirects")
		}
		return nil
	}
	return &c
}

func (r remote) file(u *url.URL) string {
	name := sha256.Sum256([]byte(u.String()))
	return filepath.Join(r.cache, hex.EncodeToString(name[:])+".js")
}

// store replaces the copy in one step: another process may be reading it. A cache that cannot be written is no reason to
// fail.
func (r remote) store(u *url.URL, data []byte) {
	if r.cache == "" {
		return
	}
	err := os.MkdirAll(r.cache, 0o755)
	if err == nil {
		err = r.replace(r.file(u), data)
	}
	if err != nil {
		r.log.Debug("cannot keep a copy of a remote module", slog.Any("error", err))
	}
}

func (r remote) replace(name string, data []byte) error {
	tmp, err := os.CreateTemp(r.cache, "part-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // what is left of it
	}
	return err
}
