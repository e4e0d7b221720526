package scheduler

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/fault"
	"throng/internal/run"
)

func TestMemoryIsGuardedInEveryPhase(t *testing.T) {
	const most = 1 // byte: whatever runs for long enough to be looked at holds more
	src := `import { sleep } from 'k6';
		export const options = { vus: 2, duration: '1h', setupTimeout: '1h', teardownTimeout: '1h' };
		export function setup() { sleep(600); }
		export default function () { sleep(600); }
		export function teardown() { sleep(600); }
		export function handleSummary() { sleep(60); return {}; }`
	for _, phase := range []struct {
		name string
		call func(*stage) error
	}{
		{"setup", func(st *stage) error { _, err := st.Setup(st.t.Context()); return err }},
		{"scenarios", func(st *stage) error { return st.Run(st.t.Context(), run.Begin{}) }},
		{"teardown", func(st *stage) error { return st.Teardown(st.t.Context(), nil) }},
		{"handleSummary", func(st *stage) error { _, err := st.Summary(st.t.Context(), []byte("{}")); return err }},
	} {
		t.Run(phase.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newStage(t, src, func(c *Config) { c.MemoryLimit = most })
				st.init()
				start := time.Now()
				err := phase.call(st)
				if err == nil || !strings.HasPrefix(err.Error(), "stopped before the memory ran out") || fault.HintOf(err) == "" || fault.KindOf(err) != fault.ScriptException {
					t.Errorf("kind %d, %v, hint %q", fault.KindOf(err), err, fault.HintOf(err))
				}
				if d := time.Since(start); d > 2*memoryEvery {
					t.Errorf("it was noticed after %v, want %v at most", d, 2*memoryEvery)
				}
				st.checkPool()
			})
		})
	}
}

func TestMemoryIsGuardedWhileAScriptOnlyAllocates(t *testing.T) {
	st := newStage(t, `const kept = []; for (let i = 0; i < 5e6; i++) kept.push({ i }); export default function () {}`, func(c *Config) { c.MemoryLimit = 1 })
	if _, err := st.Init(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "stopped before the memory ran out") {
		t.Errorf("Init: %v", err)
	}
}

func TestNoLimitMeansNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limit := range []uint64{0, 1 << 50} {
			st := newStage(t, `import { sleep } from 'k6'; export const options = { vus: 1, iterations: 1 }; export default function () { sleep(5); }`,
				func(c *Config) { c.MemoryLimit = limit })
			if err := st.play(""); err != nil {
				t.Errorf("with limit %d: %v", limit, err)
			}
		}
	})
}

func TestTheFirstReasonCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(0)
		ctx, stop := g.watch(t.Context(), func() {})
		if g.outcome(ctx, nil) != nil {
			t.Error("there is a reason at the start")
		}
		first := errors.New("first")
		g.end(first)
		g.end(errors.New("second"))
		<-ctx.Done()
		if err := g.outcome(ctx, errors.New("what it led to")); !errors.Is(err, first) || !errors.Is(context.Cause(ctx), first) {
			t.Errorf("the outcome is %v, the cause %v", err, context.Cause(ctx))
		}
		stop()
	})
}

func TestTheOutcomeNamesTheCause(t *testing.T) {
	led, cause := errors.New("what it led to"), errors.New("the cause")
	for _, tt := range []struct {
		name  string
		cause error // nil: ctx goes on
		err   error
		want  error
	}{
		{"nothing happened", nil, nil, nil},
		{"an error of its own", nil, led, led},
		{"a cause before what it led to", cause, led, cause},
		{"a plain end says nothing", context.Canceled, led, led},
		{"a plain end of a good run", context.Canceled, nil, nil},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if tt.cause != nil {
			cancel(tt.cause)
		}
		if got := newGuard(0).outcome(ctx, tt.err); fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		cancel(nil)
	}
}

func TestSetupMayBeAskedForWhileScenariosRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6';
			export const options = { scenarios: { a: { executor: 'per-vu-iterations', vus: 1, iterations: 4 }, b: { executor: 'per-vu-iterations', startTime: '2500ms', vus: 1, iterations: 1 } } };
			let n = 0;
			export function setup() { sleep(0.5); return { again: true }; }
			export default function (data) { console.log(__VU, JSON.stringify(data)); sleep(1); }`, nil)
		st.init()
		over := make(chan error)
		go func() { over <- st.Run(t.Context(), run.Begin{Setup: []byte(`{"again":false}`)}) }()
		time.Sleep(time.Second)
		data, err := st.Setup(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		st.SetSetupData(data)
		if err := <-over; err != nil {
			t.Fatal(err)
		}
		// A virtual user keeps what it was given first; one that begins later gets what there is then.
		said := strings.Join(st.console.lines(), "\n")
		if strings.Count(said, `again\":false`) != 4 || strings.Count(said, `again\":true`) != 1 {
			t.Errorf("said\n%s", said)
		}
	})
}

func TestTheMemoryIsLookedAtAsOftenAsItMayRunOut(t *testing.T) {
	for _, tt := range []struct {
		left uint64
		want time.Duration
	}{{0, memoryEvery}, {100 << 20, memoryEvery}, {4 << 30, 500 * time.Millisecond}, {64 << 30, memorySeldom}, {1 << 62, memorySeldom}} {
		if got := pause(tt.left); got != tt.want {
			t.Errorf("with %d bytes left: %v, want %v", tt.left, got, tt.want)
		}
	}
}
