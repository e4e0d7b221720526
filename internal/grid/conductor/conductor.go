package conductor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"throng/internal/fault"
	"throng/internal/grid/tally"
	"throng/internal/metric"
	"throng/internal/run"
	"throng/internal/threshold"
)

// Config is what a run is conducted by.
type Config struct {
	Runners    []run.Runner
	Thresholds threshold.Set
	// Every is how often snapshots are taken; thresholds are judged at every second one. 0 means one second, k6's own.
	Every               time.Duration
	NoSetup, NoTeardown bool
	// Ready is told what the first runner found, once all have answered; its error ends the run before it starts.
	Ready func(run.Ready) error
	// Tick is told of every snapshot.
	Tick func(elapsed time.Duration, snap metric.Snapshot)
	// Stage is told the name of what goes on beside the scenarios: setup(), teardown(); "" when it is over.
	Stage func(name string)
	// Paused is what is known about options.paused before the script was read.
	Paused bool
	// Shared is told of setup data that was replaced by SetSetupData, which may be called while the scenarios run.
	Shared func(setup []byte)
	// Warn is told what a user should know.
	Warn func(message string)
}

// Outcome is what a run came to.
type Outcome struct {
	Ready     run.Ready
	Snapshot  metric.Snapshot
	Verdicts  threshold.Verdicts
	Elapsed   time.Duration
	SetupData []byte
	// Err is why the run did not go as asked, classed by fault; nil if it did and no threshold was crossed.
	Err error
	// Measured is false when the run ended before anything could be measured.
	Measured bool
}

// Conductor conducts one run.
type Conductor struct {
	cfg   Config
	tally *tally.Tally
	ready run.Ready
	state *state
	lags  lags
}

// New returns a conductor that has told nobody anything yet.
func New(cfg Config) *Conductor {
	if cfg.Every == 0 {
		cfg.Every = time.Second
	}
	return &Conductor{cfg: cfg, tally: tally.New(), state: newState(cfg.Paused)}
}

// Run conducts the run to its end. Cancelling ctx, with a cause that says why, ends it early; teardown is still called
// and the Outcome holds what was measured so far.
func (c *Conductor) Run(ctx context.Context) Outcome {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.state.stopping, func() { cancel(context.Cause(c.state.stopping)) })()
	c.state.mu.Lock()
	c.state.ctx, c.state.phase = ctx, InitVUs
	c.state.mu.Unlock()
	if err := c.init(ctx); err != nil {
		return Outcome{Ready: c.ready, Err: err}
	}
	err := c.hold(ctx)
	if err == nil {
		err = c.measured(ctx)
	}
	c.collect()
	out := Outcome{Ready: c.ready, Snapshot: c.tally.Total(), Elapsed: c.elapsed(), SetupData: c.SetupData(), Measured: true}
	out.Verdicts = c.ready.Thresholds.Judge(out.Snapshot, out.Elapsed, true)
	c.lags.note(out.Elapsed, out.Snapshot)
	out.Err = c.verdict(err, out.Verdicts)
	c.finish(out, err != nil)
	if s := c.lags.String(); s != "" {
		c.warn(s)
	}
	return out
}

// init prepares all runners at once.
func (c *Conductor) init(ctx context.Context) error {
	ready := make([]run.Ready, len(c.cfg.Runners))
	g, gctx := errgroup.WithContext(ctx)
	for i, r := range c.cfg.Runners {
		g.Go(func() (err error) {
			ready[i], err = r.Init(gctx)
			return err
		})
	}
	err := g.Wait()
	c.ready = ready[0]
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	c.state.mu.Lock()
	c.state.isReady, c.state.phase = true, InitDone
	c.state.mu.Unlock()
	return c.cfg.Ready(c.ready)
}

// measured runs setup, the scenarios and teardown.
func (c *Conductor) measured(ctx context.Context) (err error) {
	first := c.cfg.Runners[0]
	if c.ready.HasSetup && !c.ready.Options.NoSetup.Or(false) {
		c.enter(Setup)
		c.stage("setup()")
		setup, err := first.Setup(ctx)
		c.stage("")
		if err != nil {
			return err
		}
		c.SetSetupData(setup)
	}
	c.enter(Running)
	err = c.scenarios(ctx, c.SetupData())
	if c.ready.HasTeardown && !c.ready.Options.NoTeardown.Or(false) {
		// A run that was told to end still cleans up after itself; only a second signal, which ends the process, does not wait.
		c.enter(Teardown)
		c.stage("teardown()")
		terr := first.Teardown(context.WithoutCancel(ctx), c.SetupData())
		c.stage("")
		if err == nil {
			err = terr
		}
	}
	return err
}

func (c *Conductor) scenarios(ctx context.Context, setup []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { c.watch(watching, cancel) })
	g, gctx := errgroup.WithContext(ctx)
	for _, r := range c.cfg.Runners {
		g.Go(func() error { return r.Run(gctx, run.Begin{Setup: setup}) })
	}
	err := g.Wait()
	stop()
	watcher.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// watch takes snapshots until ctx ends, and ends the run by abort if a threshold that may do so is crossed.
func (c *Conductor) watch(ctx context.Context, abort context.CancelCauseFunc) {
	tick := time.NewTicker(c.cfg.Every)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.collect()
		snap := c.tally.Total()
		c.lags.note(c.elapsed(), snap)
		if c.cfg.Tick != nil {
			c.cfg.Tick(c.elapsed(), snap)
		}
		if n%2 != 0 {
			continue
		}
		v := c.ready.Thresholds.Judge(snap, c.elapsed(), false)
		c.judged(v)
		if v.Abort {
			abort(fault.New(fault.ThresholdsFailed, fmt.Errorf("thresholds on metrics '%s' were crossed; at least one has abortOnFail enabled, stopping test prematurely", strings.Join(v.Crossed(), ", "))))
		}
	}
}

func (c *Conductor) collect() {
	for i, r := range c.cfg.Runners {
		c.tally.Add(fmt.Sprint(i), r.Snapshot(), time.Now())
	}
}

func (c *Conductor) stage(name string) {
	if c.cfg.Stage != nil {
		c.cfg.Stage(name)
	}
}

func (c *Conductor) warn(message string) {
	if c.cfg.Warn != nil {
		c.cfg.Warn(message)
	}
}

// verdict orders what may be wrong as k6 does: an abort by the script or by the user before a crossed threshold, a
// crossed threshold before nothing, marked as failed before a crossed threshold.
func (c *Conductor) verdict(err error, v threshold.Verdicts) error {
	if err != nil {
		return err
	}
	if slices.ContainsFunc(c.cfg.Runners, run.Runner.MarkedAsFailed) {
		return fault.New(fault.MarkedAsFailed, errors.New("test run was marked as failed"))
	}
	if crossed := v.Crossed(); len(crossed) > 0 {
		return fault.New(fault.ThresholdsFailed, fmt.Errorf("thresholds on metrics '%s' have been crossed", strings.Join(crossed, ", ")))
	}
	return nil
}
