package desk_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"throng/internal/grid/beat"
	"time"
)

// wire is a host's way to the others.
type wire struct{ from *host }

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	l := w.from.l
	state := func() (mux http.Handler, silent, dead bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		to := l.hosts[req.URL.Host]
		return to.mux, w.from.dead || to != w.from && (w.from.cut || to.cut), to.dead || to.mux == nil
	}
	mux, silent, dead := state()
	l.mu.Lock()
	silent = silent || l.hosts[req.URL.Host].slow && strings.HasPrefix(req.URL.Path, beat.HeardPath)
	l.mu.Unlock()
	if silent {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	if dead {
		return nil, fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	}
	time.Sleep(time.Millisecond)
	pr, pw := io.Pipe()
	rec := &recorder{w: pw, header: http.Header{}, status: make(chan int, 1)}
	go func() {
		mux.ServeHTTP(rec, req)
		rec.WriteHeader(http.StatusOK)
		pw.Close()
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case code := <-rec.status:
			switch _, silent, dead := state(); {
			case silent:
				pr.Close()
				<-req.Context().Done()
				return nil, req.Context().Err()
			case dead:
				pr.Close()
				return nil, errors.New("connection reset")
			}
			return &http.Response{StatusCode: code, Status: fmt.Sprint(code), Header: rec.header, Body: pr, Request: req}, nil
		case <-req.Context().Done():
			pr.Close()
			return nil, req.Context().Err()
		case <-tick.C:
			if _, _, dead := state(); dead {
				pr.Close()
				return nil, errors.New("connection reset")
			}
		}
	}
}

type recorder struct {
	w      *io.PipeWriter
	header http.Header
	once   sync.Once
	status chan int
}

func (r *recorder) Header() http.Header    { return r.header }
func (r *recorder) Flush()                 {}
func (r *recorder) WriteHeader(status int) { r.once.Do(func() { r.status <- status }) }
func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.w.Write(b)
}
