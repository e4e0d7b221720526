package vu

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/load/executor"
	"throng/internal/load/k6/scope"
	"throng/internal/load/meter"
)

func quietMeter(st *stage) *meter.Meter { return meter.New(meter.Config{Builtin: st.Test.Builtin}) }

func TestInterruptEndsBeforeDeactivateReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6'; export default function () { sleep(100); }`)
		v := st.vu(1)
		var begun, ended atomic.Bool
		v.scope.OnInterrupt.Add(func() { // as long as it takes to cut off I/O
			begun.Store(true)
			time.Sleep(time.Second)
			ended.Store(true)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		st.enter(ctx, v, st.scene("a"))
		if v.Iterate(executor.Iteration{}) {
			t.Error("an iteration that was cut off is complete")
		}
		if ended.Load() {
			t.Error("the iteration waited for the hook")
		}
		v.Deactivate()
		if !begun.Load() || !ended.Load() {
			t.Errorf("Deactivate returned though the interruption has begun: %v, ended: %v", begun.Load(), ended.Load())
		}
	})
}

func TestAnInterruptionNeverReachesTheNextActivation(t *testing.T) {
	st := newStage(t, `export default function () { let n = 0; for (let i = 0; i < 200; i++) n += i; }`)
	v, s := st.vu(1), st.scene("a")
	for i := range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		st.enter(ctx, v, s)
		go cancel() // anywhere in the iteration, or after it
		v.Iterate(executor.Iteration{})
		v.Deactivate()
		st.enter(t.Context(), v, s)
		if !v.Iterate(executor.Iteration{}) || st.said.take() != "" {
			t.Fatalf("round %d: the interruption came late", i)
		}
		v.Deactivate()
		<-ctx.Done()
	}
}

func TestTheEndOfTheContextCutsOffWhateverAnIterationDoes(t *testing.T) {
	for _, tt := range []struct{ name, body string }{
		{"a sleep", `sleep(100)`},
		{"a promise of a timer", `await new Promise((f) => setTimeout(f, 1e6))`},
		{"a timer that repeats", `setInterval(() => {}, 100)`},
		{"a sleep within try", `try { sleep(100) } catch (e) { console.log('caught') } finally { console.log('finally') }`},
		{"promises after the sleep", `sleep(100); await null; console.log('after')`},
		{"a group", `group('g', () => sleep(100))`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newStage(t, `import { sleep, group } from 'k6';
					export default async function () { if (__ITER === 0) { `+tt.body+` } else { await new Promise((f) => setTimeout(f, 10)); console.log('again', __ITER); } }`)
				if tt.name == "a group" { // groups take no async functions, but may stand in one
					st = newStage(t, `import { sleep, group } from 'k6'; export default function () { if (__ITER === 0) { `+tt.body+` } else console.log('again', __ITER) }`)
				}
				v, s := st.vu(1), st.scene("a")
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				st.enter(ctx, v, s)
				if v.Iterate(executor.Iteration{}) || time.Since(start) != time.Second {
					t.Errorf("cut off after %v, want 1s", time.Since(start))
				}
				synctest.Wait()
				if v.Iterate(executor.Iteration{}) {
					t.Error("a further iteration was not refused")
				}
				v.Deactivate()
				st.hear("")
				st.enter(t.Context(), v, s)
				st.iterate(v, 1)
				v.Deactivate()
				if got := st.said.take(); got != "again 1" && !(strings.Contains(tt.body, "set") && strings.HasSuffix(got, "1 was stopped because the VU iteration was interrupted\nagain 1")) {
					t.Errorf("afterwards it said %q", got)
				}
				for _, s := range st.Test.Meter.Snapshot().Series {
					if s.Metric == "iterations" && s.Sum != 1 {
						t.Errorf("%v iterations are complete, want 1", s.Sum)
					}
				}
			})
		})
	}
}

func TestTheEngineIsFitAgainAfterACut(t *testing.T) {
	for _, tt := range []struct{ name, body string }{
		{"in a function", `sleep(100)`},
		{"in an async function", `await null; await (async () => { await null; sleep(100); })()`},
		{"in a nested async function before its first await", `await (async () => { await (async () => { sleep(100); })() })()`},
		{"in a generator", `for (const x of (function* () { yield 1; sleep(100); yield 2; })()) x`},
		{"in a promise's job", `await Promise.resolve().then(() => sleep(100))`},
		{"in a timer", `await new Promise((f) => setTimeout(() => { sleep(100); f(); }, 1))`},
		{"by endless recursion in an async function", `await (async () => { (function f() { f() })() })()`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newStage(t, `import { sleep } from 'k6'; import exec from 'k6/execution';
					export default async function (data) {
						if (__ITER === 0) { `+tt.body+` }
						await null; await new Promise((f) => setTimeout(f, 10));
						console.log(__VU, __ITER, exec.vu.iterationInScenario, exec.vu.idInTest, data instanceof Object, JSON.stringify(exec.vu.tags));
					}`)
				given := []byte(`{"n":5}`)
				st.setup.Store(&given)
				v, s := st.vu(3), st.scene("a")
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				st.enter(ctx, v, s)
				if v.Iterate(executor.Iteration{}) { // the recursion ends by itself
					v.Iterate(executor.Iteration{})
					_, after, _ := strings.Cut(st.said.take(), "source=stacktrace\n")
					if want := `3 1 1 3 true {'group':'','scenario':'a'}`; after != want {
						t.Errorf("said %q, want %q", after, want)
					}
					return
				}
				v.Deactivate()
				st.said.take()
				st.enter(t.Context(), v, s)
				st.iterate(v, 2)
				v.Deactivate()
				st.hear(`3 1 1 3 true {'group':'','scenario':'a'}`, `3 2 2 3 true {'group':'','scenario':'a'}`)
			})
		})
	}
}

func TestAFitEngineIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6'; let kept = 0; export default function () { console.log(kept++); if (__ITER === 0) sleep(100); }`)
		v, s := st.vu(1), st.scene("a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		st.enter(ctx, v, s)
		v.Iterate(executor.Iteration{})
		v.Deactivate()
		st.enter(t.Context(), v, s)
		st.iterate(v, 1)
		st.hear("0", "1")
	})
}

func TestABusyLoopIsCutOff(t *testing.T) {
	st := newStage(t, `import exec from 'k6/execution'; export default function () { for (;;) { exec.test.fail(''); } }`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	turns := 0
	st.Test.Fail = func(string) { // the loop itself says that it is busy
		if turns++; turns == 100 {
			cancel()
		}
	}
	v := st.vu(1)
	st.enter(ctx, v, st.scene("a"))
	if v.Iterate(executor.Iteration{}) {
		t.Error("a loop without end is complete")
	}
	v.Deactivate()
}

func TestAnAbortCountsAsCompleteAndWaitsForTheOthersToHear(t *testing.T) {
	for _, heard := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) { checkAbort(t, heard) })
	}
}

func checkAbort(t *testing.T, heard time.Duration) {
	st := newStage(t, `import exec from 'k6/execution'; export default function () { try { exec.test.abort('enough'); } finally { console.log('never'); } }`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var message string
	st.Test.Abort = func(m string) {
		message = m
		if heard == 0 {
			cancel()
		} else {
			time.AfterFunc(heard, cancel)
		}
	}
	v := st.vu(1)
	start := time.Now()
	st.enter(ctx, v, st.scene("a"))
	if !v.Iterate(executor.Iteration{}) || time.Since(start) != heard || !strings.HasPrefix(message, "test aborted: enough at default (file:///lib/script.js:1:") {
		t.Errorf("after %v: message %q", time.Since(start), message)
	}
	v.Deactivate()
	st.hear("")
}

func TestInitEndsWithItsContext(t *testing.T) {
	for _, top := range []string{`for (;;) { __ENV.TURN; }`, `await new Promise((f) => setTimeout(f, 1e6));`} {
		st := newStage(t, top+`; export default function () {}`)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("enough of this"))
		if _, err := st.New(ctx, 1, 1); err == nil {
			t.Errorf("%s: a virtual user was made", top)
		}
	}
}

func TestHooksComeInTheirOrder(t *testing.T) {
	st := newStage(t, `export default function () { console.log('iteration'); }`)
	v := st.vu(1)
	var order []string
	note := func(what string) func() { return func() { order = append(order, what) } }
	v.scope.OnActivate = append(v.scope.OnActivate, note("activate"))
	v.scope.OnIterationStart = append(v.scope.OnIterationStart, note("start"))
	v.scope.OnInterrupt.Add(note("interrupt"))
	v.scope.OnClose = append(v.scope.OnClose, note("close"))
	if v.scope.Phase != scope.Init {
		t.Errorf("the phase is %d", v.scope.Phase)
	}
	ctx, cancel := context.WithCancel(t.Context())
	st.enter(ctx, v, st.scene("a"))
	st.iterate(v, 2)
	cancel()
	v.Deactivate()
	v.Deactivate() // once more does no harm
	v.Close()
	if got := fmt.Sprint(order); got != "[activate start start interrupt close]" {
		t.Errorf("the order is %s", got)
	}
}

func TestAnInterruptionReachesWhatTheFirstIterationHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6'; export default function () { sleep(100); }`)
		v := st.vu(1)
		cut := make(chan struct{})
		v.scope.OnIterationStart = append(v.scope.OnIterationStart, func() { // as a module does when it is first used
			v.scope.OnInterrupt.Add(func() { close(cut) })
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		st.enter(ctx, v, st.scene("a"))
		v.Iterate(executor.Iteration{})
		<-cut
		v.Deactivate()
	})
}

func TestOneWatchServesAllUnderAContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6'; export default function () { sleep(100); }`)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s, back := st.scene("a"), make(chan bool)
		for i := range uint64(5) {
			v := st.vu(i + 1)
			st.enter(ctx, v, s)
			go func() {
				whole := v.Iterate(executor.Iteration{})
				v.Deactivate()
				back <- whole
			}()
		}
		if n := watching(st); n != 1 {
			t.Errorf("there are %d watches, want 1", n)
		}
		for range 5 {
			if <-back {
				t.Error("an iteration was not cut off")
			}
		}
		if n := watching(st); n != 0 {
			t.Errorf("%d watches are left", n)
		}
		alone := st.vu(6)
		st.enter(t.Context(), alone, s)
		alone.Deactivate()
		if n := watching(st); n != 0 {
			t.Errorf("%d watches are left over nobody", n)
		}
	})
}

func watching(st *stage) int {
	st.watches.mu.Lock()
	defer st.watches.mu.Unlock()
	return len(st.watches.by)
}
