package conductor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
	"throng/internal/grid/tally"
	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/threshold"
)

// Part is a share of the load and the runner that drives it.
type Part struct {
	ID string
	// Used returns the iteration numbers of the share that a former life of it may have used, by scenario; it is called once the
	// script has been read, before the part runs. nil: there was none.
	Used func() (map[string]int64, error)
	run.Runner
}

// Past is what has been done of a run, and must not be done again by a conductor that takes over from another.
type Past struct {
	Begun     time.Time `json:"begun,omitzero"` // from when elapsed time counts: when setup began, later by Lead once At is known
	SetupDone bool      `json:"setup_done,omitempty"`
	Setup     []byte    `json:"setup,omitempty"` // its result as JSON
	// At is when the scenarios' clocks stand at zero; the zero time: they have not been told.
	At       time.Time `json:"at,omitzero"`
	TornDown bool      `json:"torn_down,omitempty"`
}

// Config is what a run is conducted by.
type Config struct {
	Parts []Part
	// Replace returns the parts that take over one that is lost, and that are not prepared yet; an error ends the run. A nil
	// Replace: the loss of a part ends the run.
	Replace func(ctx context.Context, lost Part, why error) ([]Part, error)
	// Missed is told of a part that is lost when the run ends anyway, so that nobody takes over; nil: nobody wants to know.
	Missed func(lost Part, why error)
	// Past is where an earlier conductor of this run left off. Note writes down how far this one is, before it goes on; nil where
	// nobody could take over.
	Past Past
	Note func(context.Context, Past) error
	// Lead is how long before the start the runners are told of it, so that all begin at one instant.
	Lead time.Duration
	// Snapshots returns the newest snapshot of every part there ever was, by its id, encoded; nil: the runners are asked.
	Snapshots func() map[string][]byte
	// Lives tells of the parts that there ever were which are lost, and who took over; nil where none can be.
	Lives func() map[string]tally.Life
	// Marked reports whether the script has called exec.test.fail() in a part that there ever was; nil: the runners are asked.
	Marked func() bool
	// Every is how often snapshots are taken; 0 means one second. Thresholds are judged at every JudgeEvery-th; 0 means every
	// second one, which is k6's two seconds.
	Every      time.Duration
	JudgeEvery int
	// Ready is told what the first runner found, once all have answered; its error ends the run before it starts.
	Ready func(run.Ready) error
	// Tick is told of every snapshot.
	Tick func(elapsed time.Duration, snap metric.Snapshot)
	// Stage is told the name of what goes on beside the scenarios: setup(), teardown(); "" when it is over.
	Stage func(name string)
	// Deposed ends when another conductor leads the run; nil where there can be none. Run's own context ends with it too, with
	// cluster.ErrDeposed as its cause.
	Deposed context.Context
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
	crew  crew
	lags  lags
}

// New returns a conductor that has told nobody anything yet.
func New(cfg Config) *Conductor {
	if cfg.Every == 0 {
		cfg.Every = time.Second
	}
	if cfg.JudgeEvery == 0 {
		cfg.JudgeEvery = 2
	}
	return &Conductor{cfg: cfg, tally: tally.New(), state: newState(cfg.Paused), crew: crew{parts: slices.Clone(cfg.Parts), replace: cfg.Replace, missed: cfg.Missed}}
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
		if c.cfg.Past.Begun.IsZero() || deposed(ctx) || c.ready.Functions == nil {
			return Outcome{Ready: c.ready, Err: err}
		}
		cancel(err) // what an earlier conductor has begun is brought to its end, and told
		if err := c.prepared(); err != nil {
			return Outcome{Ready: c.ready, Err: err}
		}
	}
	err := c.hold(ctx)
	if err == nil {
		err = c.note(ctx, func(p *Past) { p.Begun = c.begun() })
	}
	if err == nil || !c.cfg.Past.Begun.IsZero() {
		err = c.measured(ctx)
	}
	if deposed(ctx) {
		return Outcome{Ready: c.ready, Err: context.Cause(ctx)}
	}
	c.collect()
	out := Outcome{Ready: c.ready, Snapshot: c.tally.Total(), Elapsed: c.elapsed(), SetupData: c.SetupData(), Measured: true}
	out.Verdicts = c.ready.Thresholds.Judge(out.Snapshot, out.Elapsed, true)
	c.lags.note(out.Elapsed, out.Snapshot)
	out.Err = c.verdict(err, out.Verdicts)
	c.finish(out, err != nil)
	rated := func(s plan.Scenario) bool { return strings.HasSuffix(s.Executor, "-arrival-rate") }
	if s := c.lags.sentence(slices.ContainsFunc(c.ready.Scenarios, rated)); s != "" {
		c.warn(s)
	}
	if err == nil && out.Snapshot.Load.Iterations == 0 {
		c.warn("No script iterations fully finished, consider making the test duration longer") // as k6 words it
	}
	return out
}

// deposed reports whether another conductor leads the run now: this one must neither give orders nor clean up.
func deposed(ctx context.Context) bool { return errors.Is(context.Cause(ctx), cluster.ErrDeposed) }

// init prepares all runners at once.
func (c *Conductor) init(ctx context.Context) error {
	ready, err := c.crew.init(ctx)
	c.ready = ready
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	return c.prepared()
}

// prepared notes that the script has been read.
func (c *Conductor) prepared() error {
	c.state.mu.Lock()
	c.state.isReady, c.state.phase, c.state.setup = true, InitDone, c.cfg.Past.Setup
	c.state.mu.Unlock()
	return c.cfg.Ready(c.ready)
}

// note writes down what has been done.
func (c *Conductor) note(ctx context.Context, change func(*Past)) error {
	change(&c.cfg.Past)
	if c.cfg.Note == nil {
		return nil
	}
	return c.cfg.Note(ctx, c.cfg.Past)
}

// measured runs setup, the scenarios and teardown.
func (c *Conductor) measured(ctx context.Context) error {
	if err := c.setup(ctx); err != nil {
		return err
	}
	c.enter(Running)
	err := c.scenarios(ctx)
	if deposed(ctx) || !c.ready.HasTeardown || c.ready.Options.NoTeardown.Or(false) || c.cfg.Past.TornDown {
		return err
	}
	// A run that was told to end still cleans up after itself; only a second signal, which ends the process, does not wait.
	c.enter(Teardown)
	c.stage("teardown()")
	defer c.stage("")
	tctx, cancel := c.undeposed(ctx)
	defer cancel()
	terr := c.crew.once(tctx, false, func(p Part) error { return p.Teardown(tctx, c.SetupData()) })
	if terr == nil || !deposed(tctx) {
		terr = errors.Join(terr, c.note(tctx, func(p *Past) { p.TornDown = true }))
	}
	if err == nil {
		err = terr
	}
	if cause := context.Cause(ctx); err == nil && cause != nil { // told to end while teardown ran, which it was let finish
		err = cause
	}
	return err
}

// undeposed returns a context that outlives ctx, and ends only when another conductor takes over.
func (c *Conductor) undeposed(ctx context.Context) (context.Context, func()) {
	free, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	if c.cfg.Deposed == nil {
		return free, func() { cancel(nil) }
	}
	unhook := context.AfterFunc(c.cfg.Deposed, func() { cancel(cluster.ErrDeposed) })
	return free, func() { unhook(); cancel(nil) }
}

func (c *Conductor) setup(ctx context.Context) error {
	if !c.ready.HasSetup || c.ready.Options.NoSetup.Or(false) || c.cfg.Past.SetupDone {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	c.enter(Setup)
	c.stage("setup()")
	defer c.stage("")
	var data []byte
	err := c.crew.once(ctx, true, func(p Part) (err error) {
		data, err = p.Setup(ctx)
		return err
	})
	if err != nil {
		return err
	}
	c.SetSetupData(data)
	return c.note(ctx, func(p *Past) { p.SetupDone, p.Setup = true, data })
}

func (c *Conductor) scenarios(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil && c.cfg.Past.At.IsZero() {
		return cause // nobody was told to begin
	}
	if c.cfg.Past.At.IsZero() && c.cfg.Lead > 0 {
		// Nobody does anything until then, so rates must not count it.
		err := c.note(ctx, func(p *Past) { p.At, p.Begun = time.Now().Add(c.cfg.Lead), p.Begun.Add(c.cfg.Lead) })
		c.beginAt(c.cfg.Past.Begun)
		if err != nil {
			return err
		}
	}
	begin := run.Begin{Setup: c.SetupData(), At: c.cfg.Past.At}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { c.watch(watching, cancel) })
	err := c.crew.run(ctx, begin)
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
		if n%c.cfg.JudgeEvery != 0 {
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
	if c.cfg.Lives != nil {
		c.tally.Know(c.cfg.Lives())
	}
	if c.cfg.Snapshots != nil {
		for id, snap := range c.cfg.Snapshots() {
			if _, err := c.tally.AddEncoded(id, snap, time.Now()); err != nil {
				c.warn("a snapshot of part " + id + " cannot be read: " + err.Error())
			}
		}
		return
	}
	for _, p := range c.crew.all() {
		c.tally.Add(p.ID, p.Snapshot(), time.Now())
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
	if c.cfg.Marked != nil && c.cfg.Marked() || slices.ContainsFunc(c.crew.all(), func(p Part) bool { return p.MarkedAsFailed() }) {
		return fault.New(fault.MarkedAsFailed, errors.New("test run was marked as failed"))
	}
	if crossed := v.Crossed(); len(crossed) > 0 {
		return fault.New(fault.ThresholdsFailed, fmt.Errorf("thresholds on metrics '%s' have been crossed", strings.Join(crossed, ", ")))
	}
	return nil
}
