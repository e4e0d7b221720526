package vu

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/load/executor"
	"throng/internal/load/k6/scope"
)

func TestAsyncIterationsEndWhenNothingIsLeftToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `const after = (ms, v) => new Promise((f) => setTimeout(() => f(v), ms));
			export default async function () {
				setTimeout(() => console.log('loose', __ITER), 300);
				console.log('begin', __ITER);
				console.log(await after(100, 'waited'), await Promise.all([after(50, 1), after(20, 2)]).then((l) => l.join()));
			}`)
		v := st.vu(1)
		st.enter(t.Context(), v, st.scene("a"))
		start := time.Now()
		st.iterate(v, 2)
		if d := time.Since(start); d != 600*time.Millisecond {
			t.Errorf("two iterations took %v, want 300ms each", d)
		}
		v.Deactivate()
		st.hear("begin 0", "waited 1,2", "loose 0", "begin 1", "waited 1,2", "loose 1")
	})
}

func TestExceptionsAreLoggedAndTheIterationCounts(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"an error", `throw new Error('boom')`, `level=ERROR msg=Error: boom\n\tat `},
		{"a value", `throw 'text'`, `level=ERROR msg=text`},
		{"an object", `throw { toString() { throw new Error('worse'); } }`, `level=ERROR msg=`},
		{"a rejection", `Promise.reject(new Error('late'))`, `level=ERROR msg=Uncaught (in promise) Error: late\n\tat `},
		{"a rejection in async work", `(async () => { await null; throw new TypeError('async') })()`, `level=ERROR msg=Uncaught (in promise) TypeError: async\n\tat `},
		{"a timer", `setTimeout(() => { throw new Error('timer') }, 10)`, `level=ERROR msg=Error: timer\n\tat `},
		{"endless recursion", `(function f() { f() })()`, `level=ERROR msg=RangeError: Maximum call stack size exceeded\n`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newStage(t, `export default function () { if (__ITER === 0) { `+tt.body+` } else console.log('next'); }`)
				v := st.vu(1)
				st.enter(t.Context(), v, st.scene("mine"))
				st.iterate(v, 2)
				got := st.said.take()
				if !strings.HasPrefix(got, tt.want) || !strings.HasSuffix(got, " executor=constant-vus scenario=mine source=stacktrace\nnext") {
					t.Errorf("said\n%s\nwant it to begin with\n%s", got, tt.want)
				}
				for _, s := range st.Test.Meter.Snapshot().Series {
					if s.Metric == "iterations" && s.Sum != 2 {
						t.Errorf("%v iterations count, want 2", s.Sum)
					}
				}
			})
		})
	}
}

func TestNumbersGoOnWhereTheyMust(t *testing.T) {
	st := newStage(t, `import exec from 'k6/execution';
		export default function () { const v = exec.vu, s = exec.scenario;
			console.log(__VU, __ITER, v.idInInstance, v.idInTest, v.iterationInInstance, v.iterationInScenario, s.name, s.iterationInInstance, s.iterationInTest); }`)
	v, err := st.New(t.Context(), 3, 8)
	if err != nil {
		t.Fatal(err)
	}
	a, b := st.scene("a"), st.scene("b")
	for i, s := range []struct{ name string }{{"a"}, {"a"}, {"b"}, {"a"}} {
		scene := a
		if s.name == "b" {
			scene = b
		}
		st.enter(t.Context(), v, scene)
		v.Iterate(executor.Iteration{InInstance: int64(10 + i), InTest: int64(100 + i)})
		v.Deactivate()
	}
	st.hear("3 0 3 8 0 0 a 10 100", "3 1 3 8 1 1 a 11 101", "3 2 3 8 2 0 b 12 102", "3 3 3 8 3 0 a 13 103")
}

func TestEnvironmentIsTheScenariosOwn(t *testing.T) {
	st := newStage(t, `__ENV.HOME = 'init';
		export default function () { console.log(__ENV.HOME, __ENV.WHO, Object.keys(__ENV).join()); __ENV.WHO = 'me'; }`)
	v := st.vu(1)
	plain, own := st.scene("plain"), st.scene("own")
	own.Env = map[string]string{"WHO": "you", "HOME": "/own"}
	for _, s := range []string{"plain", "own", "own", "plain"} {
		if s == "own" {
			st.enter(t.Context(), v, own)
		} else {
			st.enter(t.Context(), v, plain)
		}
		st.iterate(v, 1)
		v.Deactivate()
	}
	got := strings.Split(st.said.take(), "\n")
	want := []string{"/own you HOME,WHO", "/own me HOME,WHO", "/lib undefined HOME"}
	if len(got) != 4 || strings.Join(got[1:], ";") != strings.Join(want, ";") {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(got[1:], "\n"), strings.Join(want, "\n"))
	}
}

func TestTagsStayBetweenIterationsAndGoWithTheScenario(t *testing.T) {
	st := newStage(t, `import exec from 'k6/execution'; import { Counter } from 'k6/metrics';
		const c = new Counter('count');
		export default function () { c.add(1); exec.vu.metrics.tags['own' + __ITER] = 'x'; exec.vu.metrics.metadata.trace = 't' + __ITER; }`)
	st.Test.RunTags = st.Test.TagTable.Empty().With("run", "r")
	v := st.vu(1)
	a, b := st.scene("a"), st.scene("b")
	a.Tags = map[string]string{"kind": "k"}
	for _, s := range []struct {
		first bool
		n     int
	}{{true, 2}, {true, 1}, {false, 1}} {
		scene := b
		if s.first {
			scene = a
		}
		st.enter(t.Context(), v, scene)
		st.iterate(v, s.n)
		v.Deactivate()
	}
	var got []string
	for _, s := range st.Test.Meter.Drain() {
		if s.Metric.Name == "count" {
			got = append(got, fmt.Sprint(s.Tags.All(), s.Metadata))
		}
	}
	want := []string{
		"[{group } {kind k} {run r} {scenario a}] map[]",
		"[{group } {kind k} {own0 x} {run r} {scenario a}] map[trace:t0]",
		"[{group } {kind k} {own0 x} {own1 x} {run r} {scenario a}] map[trace:t1]",
		"[{group } {run r} {scenario b}] map[]",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the samples carry\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestVUAndIterStandBesideTheTags(t *testing.T) {
	st := newStage(t, `export default function () {}`)
	st.Test.SystemTags = scope.SystemTagsOf([]string{"vu", "iter"})
	v := st.vu(7)
	st.enter(t.Context(), v, st.scene("a"))
	st.iterate(v, 2)
	for _, s := range st.Test.Meter.Drain() {
		want := "map[iter:0 vu:7]"
		if s.Time.After(time.Time{}) && s.Metadata["iter"] == "1" {
			want = "map[iter:1 vu:7]"
		}
		if fmt.Sprint(s.Metadata) != want || len(s.Tags.All()) != 0 {
			t.Errorf("%s carries %v and %v", s.Metric.Name, s.Tags.All(), s.Metadata)
		}
	}
}

func TestMinIterationDurationWaitsWithoutCounting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6'; export default function () { sleep([0.1, 0.7, 0.1][__ITER]); }`)
		st.Test.MinIterationDuration = 500 * time.Millisecond
		v := st.vu(1)
		ctx, cancel := context.WithTimeout(t.Context(), 1400*time.Millisecond)
		defer cancel()
		st.enter(ctx, v, st.scene("a"))
		start := time.Now()
		for i, want := range []time.Duration{500, 1200, 1400} { // the last is cut short, but what it did is complete
			st.iterate(v, 1)
			if d := time.Since(start); d != want*time.Millisecond {
				t.Errorf("iteration %d is over after %v, want %vms", i, d, int(want))
			}
		}
		v.Deactivate()
		var took []float64
		for _, s := range st.Test.Meter.Drain() {
			if s.Metric.Name == "iteration_duration" {
				took = append(took, s.Value)
			}
		}
		if fmt.Sprint(took) != "[100 700 100]" {
			t.Errorf("iteration_duration is %v", took)
		}
	})
}

func TestLatenessIsCountedFromTheMomentOfBeingDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `export default function () {}`)
		v := st.vu(1)
		st.enter(t.Context(), v, st.scene("a"))
		v.Iterate(executor.Iteration{})
		if late := st.Test.Meter.Snapshot().Late; late != nil {
			t.Errorf("an iteration without due time is late by %v", late.Start.Max())
		}
		for _, by := range []time.Duration{0, 40 * time.Millisecond, -time.Second} { // never early: that is a clock that was set
			v.Iterate(executor.Iteration{Due: time.Now().Add(-by)})
		}
		late := st.Test.Meter.Snapshot().Late
		if late == nil || late.Start.Count() != 3 || late.Start.Max() != 40 || late.Start.Min() != 0 {
			t.Errorf("lateness is %+v, want 3 values from 0 to 40", late)
		}
	})
}

func TestEveryVUHasItsOwnCopyOfSetupsData(t *testing.T) {
	st := newStage(t, `export default function (data) { if (data) data.list.push(__VU); console.log(JSON.stringify(data)); }`)
	given := []byte(`{"list":[]}`)
	st.setup.Store(&given)
	one, two := st.vu(1), st.vu(2)
	for _, v := range []*VU{one, two} {
		st.enter(t.Context(), v, st.scene("a"))
		st.iterate(v, 2)
		v.Deactivate()
	}
	st.hear(`{'list':[1]}`, `{'list':[1,1]}`, `{'list':[2]}`, `{'list':[2,2]}`)
	if string(given) != `{"list":[]}` {
		t.Errorf("setup's data became %s", given)
	}
	one.SetSetupData(nil)
	st.enter(t.Context(), one, st.scene("b"))
	st.iterate(one, 1)
	st.hear("undefined")
}

func TestAFunctionThatIsNotThereCannotBeEntered(t *testing.T) {
	st := newStage(t, `export const other = 5; export default function () {}`)
	s := st.scene("a")
	s.Exec = "other"
	v := st.vu(1)
	if err := v.Activate(t.Context(), s); err == nil || err.Error() != "scenario a: function 'other' not found in exports" {
		t.Errorf("Activate: %v", err)
	}
	if v.HasFunction("other") || !v.HasFunction("default") || v.HasFunction("none") {
		t.Error("HasFunction takes values for functions")
	}
}

// TestAnEmptyIterationIsCheap holds what one iteration costs beside the script's own work: the engine takes what it
// needs for a call of a JavaScript function, we add nothing.
func TestAnEmptyIterationIsCheap(t *testing.T) {
	const most = 1
	st := newStage(t, `export default function () {}`)
	st.Test.Meter = quietMeter(st)
	v := st.vu(1)
	st.enter(t.Context(), v, st.scene("a"))
	if n := testing.AllocsPerRun(1000, func() { v.Iterate(executor.Iteration{}) }); n > most {
		t.Errorf("an empty iteration allocates %v times, %d are allowed", n, most)
	}
}

func BenchmarkIteration(b *testing.B) {
	for _, bm := range []struct{ name, src string }{
		{"empty", `export default function () {}`},
		{"async", `export default async function () { await null; }`},
		{"check", `import { check } from 'k6'; export default function () { check(1, { 'is one': (v) => v === 1 }); }`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			st := newStage(b, bm.src)
			v := st.vu(1)
			st.enter(b.Context(), v, st.scene("a"))
			due := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				v.Iterate(executor.Iteration{Due: due})
			}
		})
	}
}
