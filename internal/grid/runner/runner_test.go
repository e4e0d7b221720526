//go:build unix

package runner_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/runner"
	"throng/internal/load/bundle"
	"throng/internal/run"
	"throng/internal/run/pipe"
	"throng/test/built"
)

// packed writes the bundle of a script and returns its path.
func packed(t testing.TB, script, options string, files map[string][]byte) string {
	t.Helper()
	b := bundle.Bundle{
		Options: []byte(options), Filename: &url.URL{Scheme: "file", Path: "/test/s.js"}, Pwd: &url.URL{Scheme: "file", Path: "/test"},
		Env: map[string]string{"WHO": "everybody"}, Script: []byte(script), Files: map[string][]byte{},
	}
	for name, data := range files {
		b.Files["file:///test/"+name] = data
	}
	name, _, _, err := b.WriteFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// diary keeps what a runner says.
type diary struct {
	mu    sync.Mutex
	lines []pipe.Record
	out   map[int]*bytes.Buffer
}

func (d *diary) log(r pipe.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, r)
}

func (d *diary) output(n int, lines []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.out == nil {
		d.out = map[int]*bytes.Buffer{}
	}
	if d.out[n] == nil {
		d.out[n] = new(bytes.Buffer)
	}
	d.out[n].Write(lines)
}

func (d *diary) console() (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.lines {
		if r.Console {
			all = append(all, r.Message)
		}
	}
	return all
}

// start starts a runner of the built binary, which ends with the test.
func start(t testing.TB, job run.Job, more func(*runner.Config)) (*runner.Runner, *diary) {
	t.Helper()
	s := runner.NewSpawner()
	ctx, cancel := context.WithCancel(context.Background())
	var spawning sync.WaitGroup
	spawning.Go(func() { s.Run(ctx) })
	d := &diary{}
	cfg := runner.Config{Command: []string{built.Path(t), "runner"}, Job: job, Spawner: s, Log: d.log, Lines: d.output}
	if more != nil {
		more(&cfg)
	}
	r, err := runner.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Kill()
		<-r.Done()
		cancel()
		spawning.Wait()
	})
	return r, d
}

const story = `
import { Trend } from 'k6/metrics';
import exec from 'k6/execution';
const mine = new Trend('mine');
const data = open('./data.txt');
export const options = { vus: 99, iterations: 99 }; // the packed ones count
export function setup() { console.log('setup on ' + __ENV.HOSTNAME); return { n: 3 }; }
export default function (d) { mine.add(d.n); console.log(data + ' ' + __ENV.WHO + ' ' + __ENV.MORE + ' ' + exec.scenario.iterationInTest); }
export function teardown(d) { console.log('teardown ' + d.n); }
export function handleSummary(d) { return { stdout: 'total ' + d.total, 'a/b': 'x' }; }`

func TestARunnerRunsItsPart(t *testing.T) {
	t.Parallel()
	path := packed(t, story, `{"vus": 2, "iterations": 10, "thresholds": {"mine": ["max<9"]}}`, map[string][]byte{"data.txt": []byte("hello")})
	r, d := start(t, run.Job{
		Bundle: path, Node: "n1", Share: "0@1,1", Env: map[string]string{"MORE": "more"}, Tags: map[string]string{"node": "n1"},
		Outputs: []string{"json=/nowhere/x.json", "csv=fileName=/nowhere/y.csv,timeFormat=rfc3339"},
	}, nil)
	ready, err := r.Init(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !ready.HasSetup || !ready.HasSummary || ready.MaxVUs != 1 || len(ready.Thresholds.Entries) != 1 || ready.Segment.Segment().String() != "0:1/2" {
		t.Errorf("%+v", ready)
	}
	setup, err := r.Setup(t.Context())
	if err != nil || string(setup) != `{"n":3}` {
		t.Fatalf("%s, %v", setup, err)
	}
	if err := r.Run(t.Context(), run.Begin{Setup: setup}); err != nil {
		t.Fatal(err)
	}
	if snap := r.Snapshot(); snap.Load.Iterations != 5 {
		t.Errorf("%+v", snap.Load)
	}
	if err := r.Teardown(t.Context(), setup); err != nil {
		t.Error(err)
	}
	files, err := r.Summary(t.Context(), []byte(`{"total": 10}`))
	if want := map[string]string{"stdout": "total 10", "a/b": "x"}; err != nil || !maps.EqualFunc(files, want, func(b []byte, s string) bool { return string(b) == s }) {
		t.Errorf("%q, %v", files, err)
	}
	want := []string{"setup on n1", "hello everybody more 0", "hello everybody more 2", "hello everybody more 4", "hello everybody more 6", "hello everybody more 8", "teardown 3"}
	if got := d.console(); !slices.Equal(got, want) {
		t.Errorf("the console says %q", got)
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	text := d.out[0].String()
	if strings.Count(text, `"metric":"mine","type":"Point"`) != 5 || strings.Count(text, `"node":"n1"`) != strings.Count(text, `"Point"`) || !strings.HasPrefix(text, `{"type":"Metric"`) {
		t.Errorf("json: %s", text)
	}
	if text := d.out[1].String(); strings.Count(text, "\nmine,2") != 5 || !strings.HasPrefix(text, "metric_name,") {
		t.Errorf("csv: %s", text)
	}
	r.Kill()
	if err := r.Err(); err != nil {
		t.Errorf("killed by us: %v", err)
	}
}

func TestABundleThatCannotRunSaysWhy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		job  run.Job
		kind fault.Kind
		want string
	}{
		{run.Job{Bundle: "/nowhere/x.tar"}, fault.Other, "no such file"},
		{run.Job{Bundle: packed(t, "export default () => {", "{}", nil)}, fault.ScriptException, "s.js: Line 1"},
		{run.Job{Bundle: packed(t, "throw new Error('no!')", "{}", nil)}, fault.ScriptException, "no!"},
		{run.Job{Bundle: packed(t, "export default () => {}", `{"vus": -1}`, nil)}, fault.InvalidConfig, "the number of VUs must be more than 0"},
		{run.Job{Bundle: packed(t, "export default () => {}", "{}", nil), Share: "7"}, fault.Other, "not a share"},
		{run.Job{Bundle: packed(t, "export default () => {}", "{}", nil), Outputs: []string{"nope"}}, fault.Other, "invalid output type 'nope'"},
	} {
		r, _ := start(t, tt.job, nil)
		if _, err := r.Init(t.Context()); err == nil || fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v of kind %v", tt.job, err, fault.KindOf(err))
		}
	}
}

func TestAScriptThatEatsMemoryEndsItsRunAlone(t *testing.T) {
	t.Parallel()
	path := packed(t, `const all = []; export default function () { for (;;) all.push(new Uint8Array(1e6)) }`, `{}`, nil)
	r, _ := start(t, run.Job{Bundle: path, MemoryLimit: 200 << 20}, nil)
	if _, err := r.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context(), run.Begin{}); fault.KindOf(err) != fault.ScriptException || !strings.Contains(err.Error(), "the limit on this machine is 200 MiB") {
		t.Error(err)
	}
}

func TestWhyARunnerEndedIsTold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		script string
		want   string
	}{
		{"echo boom >&2; exit 3", "ended by itself: exit status 3: boom"},
		{"kill -9 $$", "was killed, probably by the kernel for its memory"},
		{"exec <&- >&-; exec sleep 1000", "was killed because its stream ended"},
		{"echo no frame; exec sleep 1000", "was killed because its stream ended: a frame of kind"},
		{"head -c 100000 /dev/zero | tr '\\0' x >&2; echo end >&2; exit 1", "x\n... (95908 bytes more)\nx"},
	} {
		r, _ := start(t, run.Job{}, func(c *runner.Config) { c.Command = []string{"sh", "-c", tt.script} })
		_, err := r.Init(t.Context())
		if !errors.Is(err, run.ErrLost) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.script, err)
		}
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.script, err)
		}
	}
	if _, err := runner.Start(t.Context(), runner.Config{Command: []string{"/nowhere/throng"}}); err == nil {
		t.Error("what is not there was started")
	}
}

func TestARunnerDoesNotSeeWhatIsMeantForItsNode(t *testing.T) {
	t.Setenv("THRONG_SECRET", "s")
	t.Setenv("K6_VUS", "7")
	t.Setenv("PLAIN", "p")
	r, _ := start(t, run.Job{}, func(c *runner.Config) {
		c.Command, c.Processors = []string{"sh", "-c", "env >&2; exit 1"}, 1
	})
	err := r.Err()
	if err == nil || strings.Contains(err.Error(), "THRONG_") || strings.Contains(err.Error(), "K6_") {
		t.Error(err)
	}
	for _, want := range []string{"PLAIN=p", "GOMAXPROCS=1"} {
		if !strings.Contains(err.Error()+"\n", want) {
			t.Errorf("it does not see %s: %v", want, err)
		}
	}
}

func TestCancellingEndsTheProcess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	path := packed(t, "export default () => {}", "{}", nil)
	r, err := runner.Start(ctx, runner.Config{Command: []string{built.Path(t), "runner"}, Job: run.Job{Bundle: path}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case <-r.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("it lives on")
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	if _, err := r.Setup(t.Context()); !errors.Is(err, run.ErrLost) {
		t.Error(err)
	}
}

// board answers what scripts share.
type board func(run.Ask) run.Answer

func (b board) Do(_ context.Context, a run.Ask) (run.Answer, error) { return b(a), nil }

func TestScriptsOfARunnerAskTheNode(t *testing.T) {
	t.Parallel()
	asked := make(chan run.Ask, 100)
	path := packed(t, `import grid from 'throng/grid'; export default function () { console.log('counter ' + grid.counter('c').add(5)) }`, `{}`, nil)
	r, d := start(t, run.Job{Bundle: path, Runner: "r/1"}, func(c *runner.Config) {
		c.Shared = board(func(a run.Ask) run.Answer { asked <- a; return run.Answer{N: 42} })
	})
	if _, err := r.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context(), run.Begin{}); err != nil {
		t.Fatal(err)
	}
	if a := <-asked; a.Runner != "r/1" || a.Op != run.Add || a.Key != "c" || a.N != 5 {
		t.Errorf("asked %+v", a)
	}
	if got := d.console(); !slices.Equal(got, []string{"counter 42"}) {
		t.Errorf("%q", got)
	}
}
