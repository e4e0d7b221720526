package vu

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"throng/internal/load/executor"
	"throng/internal/load/js"
	"throng/internal/load/k6"
	"throng/internal/load/k6/global"
	"throng/internal/load/k6/scope"
	"throng/internal/load/meter"
	"throng/internal/metric"
	"throng/internal/plan"
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

// diary notes what a script says and what is logged.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

// take returns what was noted since the last call, without the parts that every line has.
func (d *diary) take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.text.Reset()
	return strings.NewReplacer("level=INFO msg=", "", `\"`, `'`, `"`, "").Replace(strings.TrimSuffix(d.text.String(), "\n"))
}

// stage is a factory with a script in memory, as the scheduler would set it up.
type stage struct {
	*Factory
	t     testing.TB
	said  *diary
	setup atomic.Pointer[[]byte]
}

func newStage(t testing.TB, src string) *stage {
	t.Helper()
	return newStageOf(t, shelf{"/lib/script.js": src, "/lib/data.txt": "some data", "/lib/sub/data.txt": "data below"})
}

func newStageOf(t testing.TB, files shelf) *stage {
	t.Helper()
	modules := k6.Modules()
	p, err := js.Compile(js.Source{URL: &url.URL{Scheme: "file", Path: "/lib/script.js"}, Data: []byte(files["/lib/script.js"])}, files, js.CompileOptions{
		Fixed: []string{"__ENV", "__VU"}, IsNative: func(name string) bool { return modules[name] != nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	said := new(diary)
	log := slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	_, bench := t.(*testing.B)
	reg, table := metric.NewRegistry(), metric.NewTags()
	test := &scope.Test{
		Options: &plan.Options{}, Registry: reg, Builtin: metric.NewBuiltin(reg), TagTable: table, RunTags: table.Empty(),
		SystemTags: scope.SystemTagsOf([]string{"group", "scenario", "check"}), Log: log, Console: log, Scenarios: map[string]*scope.Scenario{},
	}
	test.Meter = meter.New(meter.Config{Builtin: test.Builtin, Raw: !bench})
	return &stage{t: t, said: said, Factory: &Factory{
		Program: p, Test: test, Modules: modules, Missing: k6.Missing, Globals: global.Install, Open: files,
		Env: scope.NewEnv(map[string]string{"HOME": "/lib"}),
	}}
}

// vu makes a virtual user with this number.
func (st *stage) vu(id uint64) *VU {
	st.t.Helper()
	v, err := st.New(st.t.Context(), id, id)
	if err != nil {
		st.t.Fatal(err)
	}
	v.SetSetupData(&st.setup)
	return v
}

// scene is a scenario that runs the default function.
func (st *stage) scene(name string) *plan.Scenario {
	s := &plan.Scenario{Name: name, Executor: plan.ConstantVUs, Exec: "default"}
	st.Test.Scenarios[name] = &scope.Scenario{Scenario: s, Started: time.Now, Progress: func() float64 { return 0 }}
	return s
}

// enter activates v, which must be possible.
func (st *stage) enter(ctx context.Context, v *VU, s *plan.Scenario) {
	st.t.Helper()
	if err := v.Activate(ctx, s); err != nil {
		st.t.Fatal(err)
	}
}

// iterate runs n iterations that must complete.
func (st *stage) iterate(v *VU, n int) {
	st.t.Helper()
	for i := range n {
		if !v.Iterate(executor.Iteration{InInstance: int64(i), InTest: int64(i)}) {
			st.t.Fatalf("iteration %d was cut off", i)
		}
	}
}

// hear fails unless the script said exactly this, a line each.
func (st *stage) hear(want ...string) {
	st.t.Helper()
	if got := st.said.take(); got != strings.Join(want, "\n") {
		st.t.Errorf("said\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}
