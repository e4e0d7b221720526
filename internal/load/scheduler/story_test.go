package scheduler

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/fault"
	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
)

func TestTheStoryOfARunIsToldInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sealed := 0
		st := newStage(t, `import { sleep } from 'k6';
			console.log('init', __VU, open('data.txt'));
			export const options = { vus: 2, iterations: 2 };
			export function setup() { console.log('setup', __VU); return { list: [1], none: undefined }; }
			export default function (data) { console.log('iteration', __VU, JSON.stringify(data)); sleep(__VU); }
			export function teardown(data) { console.log('teardown', __VU, JSON.stringify(data)); }
			export function handleSummary(data) { console.log('summary', data.n); return { stdout: 'text', 'a/b.bin': new Uint8Array([1, 2]).buffer }; }
			export const other = 5;`, func(c *Config) { c.Sealed = func() { sealed++ } })
		ready := st.init()
		if !ready.HasSetup || !ready.HasTeardown || !ready.HasSummary || sealed != 1 {
			t.Errorf("ready: setup %v, teardown %v, handleSummary %v, sealed %d times", ready.HasSetup, ready.HasTeardown, ready.HasSummary, sealed)
		}
		if got := strings.Join(ready.Functions, " "); got != "setup default teardown handleSummary" {
			t.Errorf("the functions are %s", got)
		}
		if ready.MaxVUs != 2 || ready.MaxDuration != 10*time.Minute+30*time.Second || len(ready.Scenarios) != 1 || ready.Scenarios[0].Name != "default" {
			t.Errorf("ready: %d VUs, %v, scenarios %v", ready.MaxVUs, ready.MaxDuration, ready.Scenarios)
		}
		data, err := st.Setup(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Run(t.Context(), run.Begin{Setup: data}); err != nil {
			t.Fatal(err)
		}
		if err := st.Teardown(t.Context(), data); err != nil {
			t.Fatal(err)
		}
		files, err := st.Summary(t.Context(), []byte(`{"n":7}`))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != 2 || string(files["stdout"]) != "text" || string(files["a/b.bin"]) != "\x01\x02" {
			t.Errorf("handleSummary wants %q written", files)
		}
		lines := st.console.lines()
		if len(lines) == 11 { // virtual users are made together, and begin together: among themselves they have no order
			slices.Sort(lines[1:3])
			slices.Sort(lines[5:7])
		}
		checkLines(t, lines, []string{
			"init 0 some data", "init 1 some data", "init 2 some data",
			"init 0 some data", "setup 0", `iteration 1 {"list":[1],"none":null}`, `iteration 2 {"list":[1],"none":null}`,
			"init 0 some data", `teardown 0 {"list":[1],"none":null}`, "init 0 some data", "summary 7",
		})
		if st.Elapsed() != 2*time.Second {
			t.Errorf("the scenarios took %v, want 2s", st.Elapsed())
		}
		st.checkPool()
	})
}

func checkLines(t *testing.T, got, want []string) {
	t.Helper()
	for i := range got {
		got[i] = strings.ReplaceAll(strings.Trim(strings.TrimPrefix(got[i], "msg="), `"`), `\"`, `"`)
	}
	if !slices.Equal(got, want) {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhatGoesWrongBeforeTheStartHasItsKind(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		kind      fault.Kind
		want      string
	}{
		{"an exception", `throw new Error('no'); export default function () {}`, fault.ScriptException, "Error: no\n\tat file:///lib/script.js:1:"},
		{"an exception in a virtual user alone", `if (__VU === 2) throw new Error('two'); export const options = { vus: 3, iterations: 3 }; export default function () {}`,
			fault.ScriptException, "Error: two"},
		{"no function at all", `export const options = {};`, fault.Other, "no exported functions in script"},
		{"a setup that is no function", `export let setup; export default function () {}`, fault.Other, "exported 'setup' must be a function"},
		{"options that are a function", `export const options = () => ({ vus: 1 }); export default function () {}`, fault.Other, "error parsing script options: options is a function"},
		{"a function for an option", `export const options = { vus: () => 1 }; export default function () {}`, fault.Other, "vus is a function, give a value"},
		{"NaN for an option", `export const options = { vus: 0 / 0 }; export default function () {}`, fault.Other, "vus is NaN"},
		{"options in a circle", `export const options = { tags: {} }; options.tags.o = options; export default function () {}`, fault.Other, "circular"},
		{"another function", `export const options = { scenarios: { a: { executor: 'shared-iterations', exec: 'b' } } }; export default function () {}`,
			fault.InvalidConfig, "'b'"},
		{"a threshold without metric", `export const options = { thresholds: { nothing: ['avg<1'] } }; export default function () {}`, fault.InvalidConfig, "nothing"},
		{"a threshold that is none", `export const options = { thresholds: { iterations: ['avg ~ 1'] } }; export default function () {}`, fault.InvalidConfig, "avg ~ 1"},
		{"an abort", `import exec from 'k6/execution'; exec.test.abort('early'); export default function () {}`, fault.ScriptAborted, "test aborted: early"},
		{"a file that is not there", `open('none.txt'); export default function () {}`, fault.ScriptException, "none.txt"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := newStage(t, tt.src, nil)
			_, err := st.Init(t.Context())
			if err == nil || fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Init: kind %d, %v; want kind %d, %q", fault.KindOf(err), err, tt.kind, tt.want)
			}
		})
	}
}

func TestThresholdsAreUnreadWhenNobodyWantsThem(t *testing.T) {
	st := newStage(t, `export const options = { thresholds: { nothing: ['avg<1'] } }; export default function () {}`, func(c *Config) { c.NoThresholds = true })
	if _, err := st.Init(t.Context()); err != nil {
		t.Error(err)
	}
	if !st.log.said("Invalid metric 'nothing' in threshold definitions") {
		t.Errorf("said %v", st.log.lines())
	}
}

func TestSetupAndTeardownEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6';
			export const options = { setupTimeout: '2s', teardownTimeout: '3s' };
			export function setup() { sleep(1); try { sleep(60); } finally { console.log('never'); } }
			export default function () {}
			export async function teardown() { await new Promise((f) => setTimeout(f, 60000)); }
			export function handleSummary() { sleep(300); return {}; }`, nil)
		st.init()
		for _, tt := range []struct {
			name  string
			call  func() error
			takes time.Duration
			kind  fault.Kind
			want  string
		}{
			{"setup", func() error { _, err := st.Setup(t.Context()); return err }, 2 * time.Second, fault.SetupTimeout, "setup() execution timed out after 2 seconds"},
			{"teardown", func() error { return st.Teardown(t.Context(), nil) }, 3 * time.Second, fault.TeardownTimeout, "teardown() execution timed out after 3 seconds"},
			{"handleSummary", func() error { _, err := st.Summary(t.Context(), []byte("{}")); return err }, 2 * time.Minute, fault.GenericTimeout,
				"handleSummary() execution timed out after 120 seconds"},
		} {
			start := time.Now()
			err := tt.call()
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || fault.KindOf(err) != tt.kind || time.Since(start) != tt.takes {
				t.Errorf("%s: kind %d, %v after %v; want kind %d, %s after %v", tt.name, fault.KindOf(err), err, time.Since(start), tt.kind, tt.want, tt.takes)
			}
		}
		if st.console.said("never") {
			t.Error("the script went on after its time was over")
		}
	})
}

func TestWhatSetupThrowsIsTold(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		kind       fault.Kind
		want       string
	}{
		{"an error", `throw new Error('no')`, fault.ScriptException, "Error: no\n\tat setup (file:///lib/script.js:1:"},
		{"an abort", `exec.test.abort('enough')`, fault.ScriptAborted, "test aborted: enough"},
		{"a function", `return { f: () => 1 }`, fault.Other, `setup() returned a function ("f"), which cannot be given to the virtual users`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := newStage(t, `import exec from 'k6/execution'; export function setup() { `+tt.body+` } export default function () {}`, nil)
			st.init()
			_, err := st.Setup(t.Context())
			if err == nil || fault.KindOf(err) != tt.kind || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Setup: kind %d, %v; want kind %d, %s", fault.KindOf(err), err, tt.kind, tt.want)
			}
		})
	}
}

func TestEveryVUGetsACopyOfSetupsData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6';
			export const options = { scenarios: { a: { executor: 'per-vu-iterations', vus: 2, iterations: 2 } } };
			export default function (data) { data.mine = (data.mine || 0) + __VU; console.log(__VU, __ITER, data.mine, data.given); sleep(__VU); }`, nil)
		if err := st.play(`{"given":true}`); err != nil {
			t.Fatal(err)
		}
		lines := st.console.lines()
		slices.Sort(lines)
		checkLines(t, lines, []string{"1 0 1 true", "1 1 2 true", "2 0 2 true", "2 1 4 true"})
	})
}

func TestAnAbortEndsTheScenariosAndLetsTeardownRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import exec from 'k6/execution'; import { sleep } from 'k6';
			export const options = { scenarios: { a: { executor: 'constant-vus', vus: 3, duration: '1m' }, late: { executor: 'constant-vus', startTime: '30s', duration: '1m' } } };
			export default function () { sleep(1); if (__VU === 2 && __ITER === 1) { exec.test.abort('enough'); console.log('never'); } }
			export function teardown() { console.log('teardown'); }`, nil)
		start := time.Now()
		err := st.play("")
		if err == nil || !strings.HasPrefix(err.Error(), "test aborted: enough at default (file:///lib/script.js:3:") || fault.KindOf(err) != fault.ScriptAborted {
			t.Errorf("Run: kind %d, %v", fault.KindOf(err), err)
		}
		if time.Since(start) != 2*time.Second {
			t.Errorf("it took %v, want 2s", time.Since(start))
		}
		// The one that aborts counts as complete, as in k6. Whether the others had reached the end of their second sleep is chance.
		if l := st.Load(); l.Iterations < 4 || l.Iterations+l.Interrupted > 9 || l.VUs != 0 {
			t.Errorf("the load is %+v", l)
		}
		if err := st.Teardown(t.Context(), nil); err != nil {
			t.Errorf("Teardown after an abort: %v", err)
		}
		checkLines(t, st.console.lines(), []string{"teardown"})
		st.checkPool()
	})
}

func TestATestThatIsMarkedAsFailedGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import exec from 'k6/execution';
			export const options = { vus: 1, iterations: 3 };
			export default function () { if (__ITER === 0) exec.test.fail('not good'); console.log(__ITER); }`, nil)
		if err := st.play(""); err != nil {
			t.Errorf("Run: %v", err)
		}
		checkLines(t, st.console.lines(), []string{"0", "1", "2"})
		if !st.MarkedAsFailed() || !st.log.said("not good") {
			t.Errorf("marked: %v, the log says %q", st.MarkedAsFailed(), st.log.lines())
		}
	})
}

func TestScenariosSetTheirSceneEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import exec from 'k6/execution'; import { Counter } from 'k6/metrics'; import { sleep } from 'k6';
			const c = new Counter('count');
			export const options = { tags: { run: 'r' }, scenarios: {
				first: { executor: 'per-vu-iterations', vus: 1, iterations: 2, maxDuration: '5s', gracefulStop: '0s', env: { WHO: 'one' }, tags: { own: '1' } },
				then: { executor: 'per-vu-iterations', vus: 1, iterations: 2, startTime: '10s', exec: 'other' } } };
			export default function () {
				console.log(__ITER, exec.vu.iterationInScenario, __ENV.WHO, __ENV.HOME, JSON.stringify(exec.vu.tags));
				exec.vu.tags.kept = 'k' + __ITER; c.add(1);
			}
			export function other() { console.log(__ITER, exec.vu.iterationInScenario, __ENV.WHO, __ENV.HOME, JSON.stringify(exec.vu.tags)); }`,
			func(c *Config) { c.Raw = true })
		if err := st.play(""); err != nil {
			t.Fatal(err)
		}
		checkLines(t, st.console.lines(), []string{
			`0 0 one /lib {"group":"","own":"1","run":"r","scenario":"first"}`,
			`1 1 one /lib {"group":"","kept":"k0","own":"1","run":"r","scenario":"first"}`,
			`2 0 undefined /lib {"group":"","run":"r","scenario":"then"}`,
			`3 1 undefined /lib {"group":"","run":"r","scenario":"then"}`,
		})
		var kept []string
		for _, s := range st.Drain() {
			if s.Metric.Name == "count" {
				v, _ := s.Tags.Get("kept")
				kept = append(kept, v)
			}
		}
		if fmt.Sprint(kept) != "[k0 k1]" {
			t.Errorf("the samples carry %v", kept)
		}
	})
}

func TestVUsAreSampledEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6';
			export const options = { tags: { run: 'r' }, scenarios: { a: { executor: 'ramping-vus', startVUs: 1, gracefulRampDown: '0s',
				stages: [{ duration: '1500ms', target: 1 }, { duration: '0s', target: 3 }, { duration: '2s', target: 3 }] } } };
			export default function () { sleep(0.1); }`, func(c *Config) { c.Raw = true })
		if n := len(st.Drain()) + len(st.Snapshot().Series); n != 0 {
			t.Errorf("%d things are measured before Init", n)
		}
		if err := st.play(""); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range st.Drain() {
			if s.Metric.Name == "vus" || s.Metric.Name == "vus_max" {
				got = append(got, fmt.Sprintf("%s %v at %v %v", s.Metric.Name, s.Value, s.Time.Sub(st.begun), s.Tags.Map()))
			}
		}
		want := []string{
			"vus 1 at 1s map[run:r]", "vus_max 3 at 1s map[run:r]", "vus 3 at 2s map[run:r]", "vus_max 3 at 2s map[run:r]",
			"vus 3 at 3s map[run:r]", "vus_max 3 at 3s map[run:r]",
		}
		if !slices.Equal(got, want) {
			t.Errorf("sampled\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		vus := st.total("vus")
		if vus.Kind != metric.Gauge || vus.Last != 3 || vus.Min != 1 || vus.Max != 3 {
			t.Errorf("vus is folded to %+v", vus)
		}
	})
}

func TestProgressAndLoadShowTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6';
			export const options = { scenarios: { a: { executor: 'constant-vus', vus: 2, duration: '10s' }, b: { executor: 'constant-vus', startTime: '5s', duration: '5s' } } };
			export default function () { sleep(0.9); }`, nil)
		st.init()
		if n := len(st.Progress()); n != 0 || st.Elapsed() != 0 {
			t.Errorf("before the start %d scenarios have run for %v", n, st.Elapsed())
		}
		over := make(chan error)
		go func() { over <- st.Run(t.Context(), run.Begin{}) }()
		time.Sleep(2500 * time.Millisecond)
		p := st.Progress()
		if len(p) != 2 || p[0].Scenario != "a" || p[0].Done != 0.25 || !p[0].Started || p[0].Ended || p[1].Started {
			t.Errorf("progress after 2.5s: %+v", p)
		}
		if l := st.Load(); l != (metric.Load{VUs: 2, VUsMax: 3, Iterations: 4}) || st.Elapsed() != 2500*time.Millisecond {
			t.Errorf("load after %v: %+v", st.Elapsed(), l)
		}
		if l := st.Snapshot().Load; l != st.Load() {
			t.Errorf("the snapshot's load is %+v", l)
		}
		if err := <-over; err != nil {
			t.Fatal(err)
		}
		p = st.Progress()
		if !p[0].Ended || !p[1].Ended || p[1].Done != 1 || st.Elapsed() != 10800*time.Millisecond {
			t.Errorf("progress after %v: %+v", st.Elapsed(), p)
		}
	})
}

func TestInspectMakesNoVUs(t *testing.T) {
	st := newStage(t, `export const options = { vus: 5, duration: '3s' }; export default function () {}`, nil)
	r, err := st.Inspect(t.Context())
	if err != nil || r.Options.VUs.V != 5 || r.Options.Duration.V != 3*time.Second || st.Load().VUsMax != 0 {
		t.Errorf("Inspect: %v, options %v %v, %d VUs", err, r.Options.VUs, r.Options.Duration, st.Load().VUsMax)
	}
}

func TestRunNamesTheScenariosItHasWorkFor(t *testing.T) {
	st := newStage(t, `export const options = { executionSegment: '1/2:1', executionSegmentSequence: '0,1/2,1', scenarios: {
		few: { executor: 'constant-vus', vus: 1, duration: '1s' }, many: { executor: 'constant-vus', vus: 3, duration: '1s' } } };
		export default function () {}`, nil)
	r := st.init()
	if len(r.Scenarios) != 1 || r.Scenarios[0].Name != "many" || r.MaxVUs != 1 {
		t.Errorf("scenarios %v, %d VUs", r.Scenarios, r.MaxVUs)
	}
	if got := len(r.Metrics); got == 0 || r.Metrics[0].Name != "vus" {
		t.Errorf("%d metrics", got)
	}
}

func TestExceptionsAreLoggedWithTheirPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `export const options = { scenarios: { mine: { executor: 'shared-iterations', vus: 1, iterations: 2 } } };
			export default function () { if (__ITER === 0) throw new Error('boom'); }`, nil)
		if err := st.play(""); err != nil {
			t.Errorf("Run: %v", err)
		}
		got, begin, end := st.log.lines()[0], `level=ERROR msg="Error: boom\n\tat default (file:///lib/script.js:2:`, `\n" executor=shared-iterations scenario=mine source=stacktrace`
		if !strings.HasPrefix(got, begin) || !strings.HasSuffix(got, end) {
			t.Errorf("the log says\n%s\nwant\n%s...%s", got, begin, end)
		}
		if st.Load().Iterations != 2 {
			t.Errorf("%d iterations are complete, want 2", st.Load().Iterations)
		}
	})
}

func TestTheOptionsThatScriptsSeeAreTheConsolidatedOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import exec from 'k6/execution';
			export const options = { vus: 1, iterations: 1 };
			export default function () { console.log(exec.test.options.scenarios.default.executor, exec.instance.vusInitialized); }`, nil)
		if err := st.play(""); err != nil {
			t.Fatal(err)
		}
		checkLines(t, st.console.lines(), []string{"shared-iterations 1"})
		var all map[string]any
		if err := json.Unmarshal(st.test.OptionsJSON(), &all); err != nil || all["scenarios"] == nil {
			t.Errorf("the options are %v (%v)", all, err)
		}
	})
}

func TestMinIterationDurationHoldsBackTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6';
			export const options = { minIterationDuration: '500ms', scenarios: { a: { executor: 'per-vu-iterations', iterations: 3 } } };
			export default function () { sleep(__ITER === 1 ? 0.7 : 0.1); }`, nil)
		if err := st.play(""); err != nil {
			t.Fatal(err)
		}
		if st.Elapsed() != 1700*time.Millisecond {
			t.Errorf("three iterations took %v, want 0.5s + 0.7s + 0.5s", st.Elapsed())
		}
		if d := st.total("iteration_duration").Trend; d == nil || d.Max() != 700 || d.Min() != 100 {
			t.Error("the wait counts as part of an iteration")
		}
	})
}

func TestOpenAfterInitIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `export const options = { vus: 1, iterations: 1 };
			export default function () { try { open('data.txt'); } catch (e) { console.log(String(e)); } }`, nil)
		if err := st.play(""); err != nil {
			t.Fatal(err)
		}
		if !st.console.said("only available in the init stage") {
			t.Errorf("said %q", st.console.lines())
		}
	})
}

func TestTheScriptSeesTheOptionsInForce(t *testing.T) {
	force := func(c *Config) {
		c.Consolidate = func(script []byte) (plan.Options, error) {
			o, _, err := plan.ParseJSON(script, "script")
			o.VUs, o.Iterations, o.Tags = plan.Some[int64](1), plan.Some[int64](1), map[string]string{"a": "b"}
			return o, err
		}
	}
	show := `export function show() { console.log(JSON.stringify(options)); }`
	for name, tt := range map[string]struct{ options, want string }{
		"what others set is added":      {`{ vus: 5n, duration: undefined, own: { x: 1 } }`, `{"vus":1,"own":{"x":1},"iterations":1,"scenarios":{},"tags":{"a":"b"}}`},
		"what is the same stays as is":  {`{ iterations: '1', minIterationDuration: 1 }`, `{"iterations":"1","minIterationDuration":1,"vus":1,"scenarios":{},"tags":{"a":"b"}}`},
		"what is frozen stays as it is": {`Object.freeze({ vus: 5 })`, `{"vus":5}`},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, `export const options = `+tt.options+`; const early = JSON.stringify(options.tags); export default function () { show(); if (early) console.log(early); } `+show, force)
			if err := st.play(""); err != nil {
				t.Fatal(err)
			}
			checkLines(t, st.console.lines(), []string{tt.want})
		})
	}
}

func TestTopLevelCodeThatLogsIsRepeated(t *testing.T) {
	for src, want := range map[string]int{`if (__VU === 0) console.log('here');`: 2, `globalThis.quiet = true;`: 0} {
		st := newStage(t, src+` export default function () {}`, nil)
		if err := st.play(""); err != nil {
			t.Fatal(err)
		}
		st.RepeatInit(t.Context())
		if got := strings.Count(st.console.text.String(), "here"); got != want {
			t.Errorf("%s was heard %d times, want %d", src, got, want)
		}
	}
}
