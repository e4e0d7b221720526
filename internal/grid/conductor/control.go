package conductor

import (
	"context"
	"errors"
	"sync"
	"time"

	"throng/internal/metric"
	"throng/internal/threshold"
)

// Phase says where a run is. The numbers are those that k6's REST API shows.
type Phase int

// The phases, in the order of a run.
const (
	Created Phase = iota
	InitVUs
	InitExecutors
	InitDone
	PausedBeforeRun
	Started
	Setup
	Running
	Teardown
	Ended
	Interrupted // ended before its time
	MarkedAsFailed
)

// state is what may be asked of a run, and changed about it, at any time from any goroutine.
type state struct {
	stopping context.Context // ended by Stop, with its reason
	stop     context.CancelCauseFunc

	mu       sync.Mutex // guards what follows
	ctx      context.Context
	phase    Phase
	paused   bool
	told     bool          // Pause was called: it counts, whatever the options say
	resumed  chan struct{} // closed when the run is not to wait any more
	isReady  bool
	setup    []byte
	begun    time.Time // when setup began, later by what was waited for the agreed start: k6 counts rates from here
	took     time.Duration
	verdicts threshold.Verdicts
}

func newState(paused bool) *state {
	s := &state{ctx: context.Background(), paused: paused, resumed: make(chan struct{})}
	s.stopping, s.stop = context.WithCancelCause(context.Background())
	return s
}

// Stop ends the run early, as the end of Run's context does; reason becomes the Outcome's error.
func (c *Conductor) Stop(reason error) { c.state.stop(reason) }

// Phase returns where the run is.
func (c *Conductor) Phase() Phase {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	return c.state.phase
}

// Paused reports whether the run waits, or is going to wait, before its setup.
func (c *Conductor) Paused() bool {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	return c.state.paused && c.state.phase < Started
}

// ErrStarted is what Pause returns once the run has started: now it is for the scenarios to pause.
var ErrStarted = errors.New("the run has started")

// Pause makes the run wait before its setup, or lets it start.
func (c *Conductor) Pause(paused bool) error {
	s := c.state
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.phase >= Started:
		return ErrStarted
	case paused && s.paused:
		return errors.New("execution is already paused")
	case !paused && !s.paused:
		return errors.New("execution wasn't paused")
	}
	s.paused, s.told = paused, true
	if paused {
		s.resumed = make(chan struct{})
	} else {
		close(s.resumed)
	}
	return nil
}

// hold waits until the run may start.
func (c *Conductor) hold(ctx context.Context) error {
	s := c.state
	s.mu.Lock()
	if !s.told {
		s.paused = c.ready.Options.Paused.Or(false)
	}
	for s.paused && ctx.Err() == nil {
		s.phase = PausedBeforeRun
		resumed := s.resumed
		s.mu.Unlock()
		select {
		case <-resumed:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	s.begun = c.cfg.Past.Begun
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.phase = Started
	if s.begun.IsZero() {
		s.begun = time.Now()
	}
	return nil
}

func (c *Conductor) enter(p Phase) {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	c.state.phase = p
}

// finish notes how the run went.
func (c *Conductor) finish(out Outcome, cut bool) {
	s := c.state
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took, s.verdicts = out.Elapsed, out.Verdicts
	s.phase = Ended
	if cut {
		s.phase = Interrupted
	}
}

// SetupData returns setup's result as JSON; nil when there is none.
func (c *Conductor) SetupData() []byte {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	return c.state.setup
}

// SetSetupData replaces setup's result: for the virtual users that have not begun yet, and for teardown.
func (c *Conductor) SetSetupData(data []byte) {
	c.state.mu.Lock()
	c.state.setup = data
	c.state.mu.Unlock()
	if c.cfg.Shared != nil {
		c.cfg.Shared(data)
	}
}

// errEarly is what RunSetup and RunTeardown return while there is nothing to run yet.
var errEarly = errors.New("the test is not initialized yet")

// RunSetup calls setup() once more, whatever the run is doing, and keeps its result. Without a setup() there is none.
func (c *Conductor) RunSetup(ctx context.Context) error {
	ctx, cancel, err := c.aside(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	var data []byte
	if c.ready.HasSetup {
		lead, err := c.crew.lead()
		if err == nil {
			data, err = lead.Setup(ctx)
		}
		if err != nil {
			return err
		}
	}
	c.SetSetupData(data)
	return nil
}

// RunTeardown calls teardown() once more with setup's present result, whatever the run is doing.
func (c *Conductor) RunTeardown(ctx context.Context) error {
	ctx, cancel, err := c.aside(ctx)
	if err != nil || !c.ready.HasTeardown {
		return err
	}
	defer cancel()
	lead, err := c.crew.lead()
	if err != nil {
		return err
	}
	return lead.Teardown(ctx, c.SetupData())
}

// aside returns the context of a call that somebody asked for from outside. Before the scenarios begin it ends with the
// run, which would wait for it.
func (c *Conductor) aside(parent context.Context) (context.Context, func(), error) {
	s := c.state
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isReady {
		return nil, nil, errEarly
	}
	ctx, cancel := context.WithCancelCause(parent)
	unhook := func() bool { return true }
	if s.phase < Running {
		run := s.ctx
		unhook = context.AfterFunc(run, func() { cancel(context.Cause(run)) })
	}
	return ctx, func() { unhook(); cancel(nil) }, nil
}

// Summary has one runner call handleSummary with data, a JSON document, and returns what it wants written where.
func (c *Conductor) Summary(ctx context.Context, data []byte) (files map[string][]byte, err error) {
	err = c.crew.once(ctx, false, func(p Part) (err error) {
		files, err = p.Summary(ctx, data)
		return err
	})
	return files, err
}

// Measured returns what all runners measured so far, since when, and what the thresholds said when they were last judged.
func (c *Conductor) Measured() (metric.Snapshot, time.Duration, threshold.Verdicts) {
	c.state.mu.Lock()
	ready, verdicts := c.state.isReady, c.state.verdicts
	c.state.mu.Unlock()
	if ready {
		c.collect()
	}
	return c.tally.Total(), c.elapsed(), verdicts
}

// Thresholds are those that the run is judged by; none before its script was read.
func (c *Conductor) Thresholds() threshold.Set {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	if !c.state.isReady {
		return threshold.Set{}
	}
	return c.ready.Thresholds
}

// Tainted reports whether a threshold was crossed when they were last judged.
func (c *Conductor) Tainted() bool {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	return len(c.state.verdicts.Crossed()) > 0
}

func (c *Conductor) judged(v threshold.Verdicts) {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	c.state.verdicts = v
}

func (c *Conductor) begun() time.Time {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	return c.state.begun
}

func (c *Conductor) beginAt(at time.Time) {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	c.state.begun = at
}

// elapsed is how long the run has taken since its setup began, or took; the time between the agreement on the scenarios' start and the
// start does not count.
func (c *Conductor) elapsed() time.Duration {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	switch {
	case c.state.begun.IsZero():
		return 0
	case c.state.phase >= Ended:
		return c.state.took
	}
	return max(0, time.Since(c.state.begun))
}
