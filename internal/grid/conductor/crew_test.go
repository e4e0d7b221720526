package conductor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
	"throng/internal/metric"
	"throng/internal/run"
)

// mortal is a runner whose node dies: at the call named, or so long after its scenarios began.
type mortal struct {
	runner
	at    string
	after time.Duration
}

var errDied = fmt.Errorf("node h2: %w", run.ErrLost)

func (m *mortal) Init(ctx context.Context) (run.Ready, error) {
	if m.at == "init" {
		return run.Ready{}, errDied
	}
	return m.runner.Init(ctx)
}

func (m *mortal) Setup(ctx context.Context) ([]byte, error) {
	if m.at == "setup" {
		return nil, errDied
	}
	return m.runner.Setup(ctx)
}

func (m *mortal) Run(ctx context.Context, b run.Begin) error {
	if m.after == 0 {
		return m.runner.Run(ctx, b)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, m.after, errDied)
	defer cancel()
	return m.runner.Run(ctx, b)
}

func (m *mortal) Teardown(ctx context.Context, data []byte) error {
	if m.at == "teardown" {
		return errDied
	}
	return m.runner.Teardown(ctx, data)
}

// replacing returns a Replace that gives fresh runners, and what it gave.
func replacing(count int) (func(context.Context, Part, error) ([]Part, error), *[]*runner) {
	var gave []*runner
	return func(context.Context, Part, error) ([]Part, error) {
		var parts []Part
		for range count {
			r := &runner{}
			gave = append(gave, r)
			parts = append(parts, Part{ID: fmt.Sprint("new", len(gave)), Runner: r})
		}
		return parts, nil
	}, &gave
}

func TestALostShareIsTakenOver(t *testing.T) {
	for _, tt := range []struct {
		name        string
		mortal      *mortal
		first, more []string // the calls of the part that lives on, and of the first that replaces
		replaced    int
	}{
		{"before the start", &mortal{at: "init"}, []string{"init", "run 1", "teardown 1"}, []string{"init", "run 1"}, 2},
		{"in setup: another one calls it", &mortal{at: "setup"}, []string{"init", "setup", "run 1", "teardown 1"}, []string{"init", "run 1"}, 2},
		{"in its scenarios", &mortal{after: 3 * time.Second}, []string{"init", "run 1", "teardown 1"}, []string{"init", "run 1"}, 2},
		{"in teardown: nothing is left to be taken over", &mortal{at: "teardown"}, []string{"init", "run 1", "teardown 1"}, nil, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			lives := &runner{}
			replace, gave := replacing(2)
			out := conduct(t.Context(), Config{Parts: []Part{{ID: "0", Runner: tt.mortal}, {ID: "1", Runner: lives}}, Replace: replace})
			if out.Err != nil {
				t.Fatalf("%s: %v", tt.name, out.Err)
			}
			called := slices.DeleteFunc(slices.Clone(lives.called), func(c string) bool { return tt.mortal.at == "init" && c == "setup" })
			if !slices.Equal(called, tt.first) {
				t.Errorf("%s: the living part was called %v, want %v", tt.name, called, tt.first)
			}
			if len(*gave) != tt.replaced || tt.replaced > 0 && !slices.Equal((*gave)[0].called, tt.more) {
				t.Errorf("%s: %d parts replaced it, want %d: %+v", tt.name, len(*gave), tt.replaced, *gave)
			}
		})
	}
}

func TestWhoIsLostLastIsReplacedToTearDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		replace, gave := replacing(1)
		out := conduct(t.Context(), Config{Parts: []Part{{ID: "0", Runner: &mortal{at: "teardown"}}}, Replace: replace})
		if want := []string{"init", "teardown 1"}; out.Err != nil || len(*gave) != 1 || !slices.Equal((*gave)[0].called, want) {
			t.Errorf("%v; %+v", out.Err, *gave)
		}
	})
}

func TestALossEndsTheRunWhereNobodyTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := conduct(t.Context(), Config{Parts: []Part{{ID: "0", Runner: &mortal{after: time.Second}}, {ID: "1", Runner: &runner{}}}})
		if !errors.Is(out.Err, run.ErrLost) {
			t.Errorf("ended with %v", out.Err)
		}
		replace, _ := replacing(0)
		out = conduct(t.Context(), Config{Parts: []Part{{ID: "0", Runner: &mortal{after: time.Second}}}, Replace: replace})
		if !errors.Is(out.Err, run.ErrLost) {
			t.Errorf("with nobody left: %v", out.Err)
		}
	})
}

func TestANewConductorGoesOnWhereTheOldOneLeftOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runner{}
		var past Past
		note := func(_ context.Context, p Past) error { past = p; return nil }
		ctx, depose := context.WithCancelCause(t.Context())
		old := make(chan Outcome)
		go func() {
			old <- conduct(ctx, Config{Parts: []Part{{ID: "0", Runner: r}}, Note: note, Lead: time.Second, Deposed: ctx})
		}()
		time.Sleep(4 * time.Second)
		depose(cluster.ErrDeposed)
		if out := <-old; !errors.Is(out.Err, cluster.ErrDeposed) || out.Measured {
			t.Errorf("the deposed conductor ended with %+v", out)
		}
		if want := []string{"init", "setup", "run 1"}; !slices.Equal(r.called, want) {
			t.Errorf("under the old conductor: %v, want %v", r.called, want)
		}
		if !past.SetupDone || string(past.Setup) != "1" || past.At.IsZero() || past.Begun.IsZero() || past.TornDown {
			t.Errorf("noted: %+v", past)
		}
		r.called = nil
		begun := past.Begun
		out := conduct(t.Context(), Config{Parts: []Part{{ID: "0", Runner: r}}, Note: note, Lead: time.Second, Past: past})
		if want := []string{"init", "run 1", "teardown 1"}; !slices.Equal(r.called, want) || out.Err != nil {
			t.Errorf("under the new one: %v, %v", r.called, out.Err)
		}
		if out.Elapsed != time.Since(begun) || !past.TornDown {
			t.Errorf("it took %v since %v; noted %+v", out.Elapsed, begun, past)
		}
	})
}

func TestWhatAPartMeasuredBeforeItWasLostCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		replace, _ := replacing(1)
		a, b := &mortal{after: 3500 * time.Millisecond}, &runner{}
		out := conduct(t.Context(), Config{
			Parts: []Part{{ID: "0", Runner: a}, {ID: "1", Runner: b}}, Replace: replace,
			Snapshots: func() map[string][]byte {
				out := map[string][]byte{}
				for id, snap := range map[string]metric.Snapshot{"0": {Seq: 1, Load: metric.Load{Iterations: 35}}, "1": b.Snapshot()} {
					data, err := snap.MarshalBinary()
					if err != nil {
						t.Error(err)
					}
					out[id] = data
				}
				return out
			},
		})
		if out.Err != nil || out.Snapshot.Load.Iterations < 135 {
			t.Errorf("%d iterations, %v", out.Snapshot.Load.Iterations, out.Err)
		}
	})
}

func TestAnErrorOfOnePartEndsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aborted := fault.New(fault.ScriptAborted, errors.New("test aborted"))
		a := &runner{}
		began := time.Now()
		out := conduct(t.Context(), Config{Parts: []Part{{ID: "0", Runner: a}, {ID: "1", Runner: &failing{err: aborted}}}})
		if fault.KindOf(out.Err) != fault.ScriptAborted || time.Since(began) > 2*time.Second || !slices.Contains(a.called, "teardown 1") {
			t.Errorf("ended with %v after %v; the other part: %v", out.Err, time.Since(began), a.called)
		}
	})
}

type failing struct {
	runner
	err error
}

func (f *failing) Run(ctx context.Context, b run.Begin) error {
	time.Sleep(time.Second)
	return f.err
}
