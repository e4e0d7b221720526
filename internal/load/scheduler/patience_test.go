package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/fault"
	"throng/internal/run"
)

// deaf is a console that never comes back from some messages, like a built-in function that loops without end.
type deaf struct {
	slog.Handler
	release chan struct{}
}

func (d deaf) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "stuck" {
		<-d.release
	}
	return d.Handler.Handle(ctx, r)
}

func newDeafStage(t *testing.T, src string) (*stage, func()) {
	release := make(chan struct{})
	st := newStage(t, src, func(c *Config) {
		c.Console, c.InitTimeout = slog.New(deaf{c.Console.Handler(), release}), time.Minute
	})
	return st, func() { close(release); synctest.Wait() }
}

func TestAVirtualUserThatCannotBeStoppedIsLeftBehind(t *testing.T) {
	for _, tt := range []struct {
		name string
		cut  time.Duration
		want time.Duration
	}{
		{"at the end of its scenario", 0, 3*time.Second + 10*time.Second}, // 1s, gracefulStop, patience
		{"when the run is told to end", time.Second / 2, time.Second/2 + 10*time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			st, release := newDeafStage(t, `import { sleep } from 'k6';
				export const options = { scenarios: { a: { executor: 'constant-vus', vus: 2, duration: '1s', gracefulStop: '2s' } } };
				export default function () { if (__VU === 1) console.log('stuck'); sleep(0.1); }`)
			defer release()
			st.init()
			ctx, why := t.Context(), errors.New("told to end")
			if tt.cut > 0 {
				ctx = st.cutAfter(tt.cut, fault.New(fault.Interrupted, why))
			}
			start := time.Now()
			err := st.Run(ctx, run.Begin{})
			if took := time.Since(start); took != tt.want || tt.cut == 0 && err != nil || tt.cut > 0 && !errors.Is(err, why) {
				t.Errorf("%s: Run returned %v after %v, want after %v", tt.name, err, took, tt.want)
			}
			if !st.log.said("virtual users left behind: 1;") || st.total("iterations").Sum < 4 || st.Load().Interrupted == 0 {
				t.Errorf("%s: %v, %+v", tt.name, st.log.lines(), st.Load())
			}
		})
	}
}

func TestALifecycleFunctionThatCannotBeStoppedIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, release := newDeafStage(t, `export const options = { setupTimeout: '2s' };
			export function setup() { console.log('stuck'); return 1; } export default function () {}`)
		defer release()
		st.init()
		start := time.Now()
		_, err := st.Setup(t.Context())
		if fault.KindOf(err) != fault.SetupTimeout || !errors.Is(err, errStuck) || time.Since(start) != 12*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestTopLevelCodeThatCannotBeStoppedIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, release := newDeafStage(t, `console.log('stuck'); export default function () {}`)
		defer release()
		_, err := st.Init(t.Context())
		if fault.KindOf(err) != fault.GenericTimeout || !strings.Contains(err.Error(), "cannot be interrupted") {
			t.Errorf("Init: %v", err)
		}
	})
}

func TestWhoCannotBeStoppedKeepsNoNumbersBack(t *testing.T) {
	for _, kind := range []string{
		`executor: 'shared-iterations', vus: 2, iterations: 1000`, `executor: 'constant-vus', vus: 2, duration: '1h'`,
		`executor: 'constant-arrival-rate', rate: 10, duration: '1h', preAllocatedVUs: 3`,
	} {
		synctest.Test(t, func(t *testing.T) {
			st, release := newDeafStage(t, `import { sleep } from 'k6';
				export const options = { scenarios: { a: { `+kind+` } } };
				export default function () { if (__VU === 1) console.log('stuck'); sleep(0.1); }`)
			defer release()
			st.init()
			over := st.started(t.Context(), run.Begin{})
			time.Sleep(2010 * time.Millisecond)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			snap, err := st.Yield(ctx)
			if err != nil || <-over != nil {
				t.Error(err)
			}
			if c := snap.Scenarios[0]; c.Begun < 20 || c.Begun > 22 || snap.Reserved["a"] != c.Begun || c.Due != c.Begun {
				t.Errorf("%s: %+v, %v are used", kind, c, snap.Reserved)
			}
		})
	}
}
