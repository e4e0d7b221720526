package conductor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/fault"
	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/threshold"
)

// runner is a stand-in that takes ten seconds of a bubble's time and counts one iteration each 100 ms.
type runner struct {
	begun    atomic.Pointer[time.Time]
	called   []string
	setupErr error
	failed   bool
	options  plan.Options
	drops    bool
	idle     bool // no iteration ends
	cleanup  time.Duration
	executor string // of its only scenario
}

func (r *runner) Init(context.Context) (run.Ready, error) {
	r.called = append(r.called, "init")
	set, err := threshold.ParseSet(r.options.Thresholds)
	if err != nil {
		return run.Ready{}, err
	}
	set, err = set.Resolve(func(name string) *metric.Metric { return &metric.Metric{Name: name, Kind: metric.Counter} })
	return run.Ready{HasSetup: true, HasTeardown: true, Options: r.options, Thresholds: set, Scenarios: []plan.Scenario{{Executor: r.executor}}}, err
}

func (r *runner) Setup(context.Context) ([]byte, error) {
	r.called = append(r.called, "setup")
	return []byte(`1`), r.setupErr
}

func (r *runner) Run(ctx context.Context, b run.Begin) error {
	now := time.Now()
	r.begun.Store(&now)
	r.called = append(r.called, "run "+string(b.Setup))
	select {
	case <-time.After(10 * time.Second):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *runner) Teardown(ctx context.Context, data []byte) error {
	r.called = append(r.called, "teardown "+string(data))
	time.Sleep(r.cleanup) // in a bubble
	return ctx.Err()
}

func (r *runner) Summary(context.Context, []byte) (map[string][]byte, error) { return nil, nil }

func (r *runner) Snapshot() metric.Snapshot {
	begun := r.begun.Load()
	if begun == nil {
		return metric.Snapshot{}
	}
	n := int64(time.Since(*begun) / (100 * time.Millisecond))
	if r.idle {
		n = 0
	}
	s := metric.Snapshot{Seq: uint64(time.Since(*begun)) + 1, Load: metric.Load{Iterations: n}, Series: []metric.Series{{
		Selector: metric.Selector{Metric: "iterations"}, Kind: metric.Counter, Sum: float64(n), Count: n,
	}}}
	if r.drops && n > 20 {
		s.Load.Dropped = min(n-20, 30)
	}
	return s
}

func (r *runner) Progress() []run.Progress { return nil }
func (r *runner) MarkedAsFailed() bool     { return r.failed }
func (r *runner) Acknowledge(uint64)       {}
func (r *runner) Urgent() <-chan struct{}  { return nil }

func (r *runner) Yield(context.Context) (metric.Snapshot, error) { return r.Snapshot(), nil }

func conduct(ctx context.Context, cfg Config) Outcome {
	cfg.Ready = func(run.Ready) error { return nil }
	return New(cfg).Run(ctx)
}

// setsOff is a runner that waits for the agreed start.
type setsOff struct{ runner }

func (r *setsOff) Run(ctx context.Context, b run.Begin) error {
	time.Sleep(time.Until(b.At))
	return r.runner.Run(ctx, b)
}

func TestTheWaitForTheStartIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var past Past
		began := time.Now()
		out := conduct(t.Context(), Config{
			Parts: []Part{{ID: "0", Runner: &setsOff{}}}, Lead: 500 * time.Millisecond,
			Note: func(_ context.Context, p Past) error {
				past = p
				return nil
			},
		})
		if out.Elapsed != 10*time.Second || !past.Begun.Equal(began.Add(500*time.Millisecond)) || !past.At.Equal(past.Begun) {
			t.Errorf("10 s of load took %v; noted %+v", out.Elapsed, past)
		}
	})
}

func TestLifecycleOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &runner{}, &runner{}
		out := conduct(t.Context(), Config{Parts: []Part{{ID: "0", Runner: a}, {ID: "1", Runner: b}}})
		if want := []string{"init", "setup", "run 1", "teardown 1"}; !slices.Equal(a.called, want) {
			t.Errorf("first runner: %v, want %v", a.called, want)
		}
		if want := []string{"init", "run 1"}; !slices.Equal(b.called, want) {
			t.Errorf("second runner: %v, want %v", b.called, want)
		}
		if out.Err != nil || !out.Measured || out.Snapshot.Load.Iterations != 200 || string(out.SetupData) != "1" {
			t.Errorf("outcome %+v", out)
		}
	})
}

func TestASignalWhileTeardownRunsLetsItFinishAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := fault.New(fault.Interrupted, errors.New("told to end"))
		ctx, cancel := context.WithTimeoutCause(t.Context(), 12*time.Second, why)
		defer cancel()
		r := &runner{cleanup: 5 * time.Second}
		start := time.Now()
		if out := conduct(ctx, Config{Parts: []Part{{ID: "0", Runner: r}}}); fault.KindOf(out.Err) != fault.Interrupted || time.Since(start) != 15*time.Second {
			t.Errorf("after %v: %v", time.Since(start), out.Err)
		}
	})
}

func TestACrossedThresholdStopsTheRunOnlyIfItMay(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rule  threshold.Threshold
		ended time.Duration
	}{
		{"without abortOnFail the run goes on", threshold.Threshold{Source: "count<5"}, 10 * time.Second},
		{"with it the run ends at the next look", threshold.Threshold{Source: "count<5", AbortOnFail: true}, 2 * time.Second},
		{"but not before its delay", threshold.Threshold{Source: "count<5", AbortOnFail: true, DelayAbortEval: 5 * time.Second}, 6 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &runner{options: plan.Options{Thresholds: map[string][]threshold.Threshold{"iterations": {tt.rule}}}}
			out := conduct(t.Context(), Config{Parts: []Part{{ID: "0", Runner: r}}})
			if fault.KindOf(out.Err) != fault.ThresholdsFailed || out.Elapsed != tt.ended {
				t.Errorf("%s: ended after %v with %v, want %v", tt.name, out.Elapsed, out.Err, tt.ended)
			}
			if !slices.Contains(r.called, "teardown 1") {
				t.Errorf("%s: no teardown in %v", tt.name, r.called)
			}
		})
	}
}

func TestAnInterruptedRunIsStillTornDownAndMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(fault.New(fault.Interrupted, errors.New("interrupt"))) })
		r := &runner{}
		out := conduct(ctx, Config{Parts: []Part{{ID: "0", Runner: r}}})
		if fault.KindOf(out.Err) != fault.Interrupted || out.Snapshot.Load.Iterations != 30 || !slices.Contains(r.called, "teardown 1") {
			t.Errorf("outcome %+v after %v", out, r.called)
		}
	})
}

func TestAFailedSetupEndsTheRunBeforeTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runner{setupErr: fault.New(fault.SetupTimeout, errors.New("too slow"))}
		out := conduct(t.Context(), Config{Parts: []Part{{ID: "0", Runner: r}}})
		if want := []string{"init", "setup"}; !slices.Equal(r.called, want) || fault.KindOf(out.Err) != fault.SetupTimeout || !out.Measured {
			t.Errorf("called %v, outcome %+v", r.called, out)
		}
	})
}

func TestMarkedAsFailedCountsBeforeACrossedThreshold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runner{failed: true, options: plan.Options{Thresholds: map[string][]threshold.Threshold{"iterations": {{Source: "count<5"}}}}}
		if out := conduct(t.Context(), Config{Parts: []Part{{ID: "0", Runner: r}}}); fault.KindOf(out.Err) != fault.MarkedAsFailed {
			t.Errorf("outcome %v", out.Err)
		}
	})
}

func TestTheUserIsToldWhatWasNotDone(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    *runner
		want string
	}{
		{"a rate that was not kept up", &runner{drops: true, executor: "ramping-arrival-rate"}, "30 iterations were dropped between 2s and 5s"},
		{"iterations that had no time", &runner{drops: true, executor: "shared-iterations"}, "30 iterations were never begun"},
		{"not one iteration", &runner{idle: true}, "No script iterations fully finished"},
		{"all is well", &runner{}, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			var told []string
			conduct(t.Context(), Config{Parts: []Part{{ID: "0", Runner: tt.r}}, Warn: func(m string) { told = append(told, m) }})
			if got := strings.Join(told, "; "); len(told) > 1 || !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("%s: told %q, want %q", tt.name, told, tt.want)
			}
		})
	}
}
