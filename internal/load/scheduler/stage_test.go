package scheduler

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"throng/internal/load/js"
	"throng/internal/load/k6"
	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
)

// shelf holds a script's files in memory, by path.
type shelf map[string]string

func (s shelf) Resolve(base *url.URL, specifier string) (*url.URL, error) {
	return base.Parse(specifier)
}

func (s shelf) Load(u *url.URL) ([]byte, error) {
	text, ok := s[u.Path]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", u, fs.ErrNotExist)
	}
	return []byte(text), nil
}

func (s shelf) Open(caller *url.URL, path string) ([]byte, error) {
	u, err := s.Resolve(caller, path)
	if err != nil {
		return nil, err
	}
	return s.Load(u)
}

func (s shelf) OpenText(caller *url.URL, path string) (string, error) {
	data, err := s.Open(caller, path)
	return string(data), err
}

// diary notes what a test says, in order; it is safe to write to from many goroutines.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *diary) lines() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Split(strings.TrimSuffix(d.text.String(), "\n"), "\n")
}

// said reports whether a line holds part.
func (d *diary) said(part string) bool {
	return slices.ContainsFunc(d.lines(), func(l string) bool { return strings.Contains(l, part) })
}

// handler writes messages and attributes without time; bare leaves the level out as well.
func (d *diary) handler(bare bool) slog.Handler {
	return slog.NewTextHandler(d, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || bare && a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}})
}

// stage is a scheduler with a script that lives in memory.
type stage struct {
	*Scheduler
	t       *testing.T
	console *diary // of the script
	log     *diary // of the scheduler
}

// newStage compiles src; more may change the configuration.
func newStage(t *testing.T, src string, more func(*Config)) *stage {
	t.Helper()
	files := shelf{"/lib/data.txt": "some data"}
	modules := k6.Modules()
	p, err := js.Compile(js.Source{URL: &url.URL{Scheme: "file", Path: "/lib/script.js"}, Data: []byte(src)}, files, js.CompileOptions{
		Fixed: []string{"__ENV", "__VU"}, IsNative: func(name string) bool { return modules[name] != nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	st := &stage{t: t, console: new(diary), log: new(diary)}
	cfg := Config{
		Program: p, Open: files, Env: map[string]string{"HOME": "/lib"}, Sealed: func() {},
		Consolidate: func(script []byte) (plan.Options, error) {
			if script == nil {
				return plan.Defaults(), nil
			}
			o, _, err := plan.ParseJSON(script, "script")
			c, _ := plan.Consolidate(plan.Config{}, o, plan.Config{}, plan.Config{})
			return c.Options, err
		},
		Log: slog.New(st.log.handler(false)), Console: slog.New(st.console.handler(true)),
	}
	if more != nil {
		more(&cfg)
	}
	st.Scheduler = New(cfg)
	t.Cleanup(st.Close)
	return st
}

func (st *stage) init() run.Ready {
	st.t.Helper()
	r, err := st.Init(st.t.Context())
	if err != nil {
		st.t.Fatal(err)
	}
	return r
}

// play runs the scenarios, after Init and with data as setup's result.
func (st *stage) play(data string) error {
	st.t.Helper()
	st.init()
	return st.Run(st.t.Context(), run.Begin{Setup: []byte(data)})
}

// total is what was folded of all samples of a metric; the zero Series when there were none.
func (st *stage) total(name string) metric.Series {
	for _, s := range st.Snapshot().Series {
		if s.Metric == name && s.Role == metric.Total {
			return s
		}
	}
	return metric.Series{}
}

// checkPool fails unless every virtual user that was made is free, once, and nothing is active.
func (st *stage) checkPool() {
	st.t.Helper()
	var ids []int64
	for _, m := range st.pool.free {
		ids = append(ids, m.id)
	}
	slices.Sort(ids)
	load := st.Load()
	if int64(len(ids)) != load.VUsMax || load.VUs != 0 {
		st.t.Errorf("%d of %d virtual users came back, %d are active", len(ids), load.VUsMax, load.VUs)
	}
	for i, id := range ids {
		if id != int64(i+1) {
			st.t.Errorf("the pool holds the virtual users %v: each must be there once", ids)
			return
		}
	}
}

// cutAfter returns a context that ends after d with cause.
func (st *stage) cutAfter(d time.Duration, cause error) context.Context {
	ctx, cancel := context.WithTimeoutCause(st.t.Context(), d, cause)
	st.t.Cleanup(cancel)
	return ctx
}
