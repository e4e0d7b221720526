package conductor

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/plan"
	"throng/internal/run"
)

// begin conducts r in the background; the channel gives the Outcome.
func begin(t *testing.T, cfg Config) (*Conductor, <-chan Outcome) {
	cfg.Ready = func(run.Ready) error { return nil }
	c, ended := New(cfg), make(chan Outcome, 1)
	go func() { ended <- c.Run(t.Context()) }()
	synctest.Wait()
	return c, ended
}

func paused() plan.Options { return plan.Options{Paused: plan.Some(true)} }

func TestAPausedRunStartsNothingUntilItIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runner{options: paused()}
		c, ended := begin(t, Config{Parts: []Part{{ID: "0", Runner: r}}})
		time.Sleep(time.Hour)
		if want := []string{"init"}; !slices.Equal(r.called, want) || c.Phase() != PausedBeforeRun || !c.Paused() {
			t.Errorf("paused: %v in phase %d", r.called, c.Phase())
		}
		if c.Pause(true) == nil {
			t.Error("paused twice")
		}
		if err := c.Pause(false); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if c.Phase() != Running || !errors.Is(c.Pause(true), ErrStarted) {
			t.Errorf("resumed: phase %d", c.Phase())
		}
		if out := <-ended; out.Err != nil || out.Elapsed != 10*time.Second || c.Phase() != Ended {
			t.Errorf("%v after %v in phase %d", out.Err, out.Elapsed, c.Phase())
		}
	})
}

func TestWhatWasSaidBeforeTheScriptWasReadCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Parts: []Part{{ID: "0", Runner: &runner{options: paused()}}}, Paused: true, Ready: func(run.Ready) error { return nil }})
		if !c.Paused() {
			t.Error("not paused")
		}
		if err := c.Pause(false); err != nil {
			t.Error(err)
		}
		if out := c.Run(t.Context()); out.Err != nil || c.Phase() != Ended {
			t.Errorf("%v in phase %d", out.Err, c.Phase())
		}
	})
}

func TestStopEndsAPausedRunWithItsReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runner{options: paused()}
		c, ended := begin(t, Config{Parts: []Part{{ID: "0", Runner: r}}})
		reason := errors.New("enough")
		c.Stop(reason)
		if out := <-ended; !errors.Is(out.Err, reason) || !out.Measured || len(r.called) != 1 || c.Phase() != Interrupted {
			t.Errorf("%v, measured %v, called %v, phase %d", out.Err, out.Measured, r.called, c.Phase())
		}
	})
}

func TestStopEndsARunThatIsStillTornDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runner{}
		c, ended := begin(t, Config{Parts: []Part{{ID: "0", Runner: r}}})
		reason := errors.New("enough")
		c.Stop(reason)
		c.Stop(errors.New("again"))
		if out := <-ended; !errors.Is(out.Err, reason) || !slices.Contains(r.called, "teardown 1") {
			t.Errorf("%v, called %v", out.Err, r.called)
		}
	})
}

func TestReplacedSetupDataReachesTheRunAndTeardown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runner{options: plan.Options{Paused: plan.Some(true), NoSetup: plan.Some(true)}}
		var shared []string
		c, ended := begin(t, Config{Parts: []Part{{ID: "0", Runner: r}}, Shared: func(data []byte) { shared = append(shared, string(data)) }})
		if err := c.RunSetup(t.Context()); err != nil || string(c.SetupData()) != "1" {
			t.Errorf("after setup: %s, %v", c.SetupData(), err)
		}
		r.setupErr = errors.New("tired")
		if err := c.RunSetup(t.Context()); !errors.Is(err, r.setupErr) || string(c.SetupData()) != "1" {
			t.Errorf("after a setup that threw: %s, %v", c.SetupData(), err)
		}
		c.SetSetupData([]byte("2"))
		if err := c.Pause(false); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		c.SetSetupData([]byte("3"))
		<-ended
		if want := []string{"init", "setup", "setup", "run 2", "teardown 3"}; !slices.Equal(r.called, want) {
			t.Errorf("called %v, want %v", r.called, want)
		}
		if want := []string{"1", "2", "3"}; !slices.Equal(shared, want) {
			t.Errorf("shared %v, want %v", shared, want)
		}
	})
}

func TestNothingRunsBeforeInitIsOver(t *testing.T) {
	c := New(Config{Parts: []Part{{ID: "0", Runner: &runner{}}}})
	if c.RunSetup(t.Context()) == nil || c.RunTeardown(t.Context()) == nil {
		t.Error("setup and teardown ran without a script")
	}
	if snap, elapsed, _ := c.Measured(); len(snap.Series) > 0 || elapsed != 0 {
		t.Errorf("measured %v in %v", snap, elapsed)
	}
}
