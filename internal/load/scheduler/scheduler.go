package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"throng/internal/fault"
	"throng/internal/load/executor"
	"throng/internal/load/js"
	"throng/internal/load/k6"
	"throng/internal/load/k6/global"
	"throng/internal/load/k6/scope"
	"throng/internal/load/meter"
	"throng/internal/load/vu"
	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/run/shared"
	"throng/internal/segment"
	"throng/internal/threshold"
)

// Config is what a runner works from.
type Config struct {
	Program *js.Program
	// Open reads a file for the script's open().
	Open vu.Opener
	Env  map[string]string
	// Sealed is called when the first init is over: from then on only files that it read may be read.
	Sealed func()
	// Consolidate merges what the script exports as options (JSON; nil if it exports none) with the other layers.
	Consolidate func(script []byte) (plan.Options, error)
	Log         *slog.Logger
	Console     *slog.Logger
	UserAgent   string // what is sent where the options name none
	// Warned says that the user has been told what is odd about the options.
	Warned bool
	// NoThresholds leaves thresholds unread.
	NoThresholds bool
	// MemoryLimit ends the run before the heap holds more bytes; 0 means no limit.
	MemoryLimit uint64
	// InitTimeout bounds the script's top-level code, for each virtual user; 0 means no bound.
	InitTimeout time.Duration
	// Patience is how long a script that was told to stop is waited for; 0 means 10 seconds. Built-in functions of the engine
	// (a regular expression, sorting, joining) hear nothing until they return.
	Patience time.Duration
	// Parts keeps groups and scenarios apart, for the full summary; Raw keeps samples for outputs.
	Parts, Raw bool
	// Tags are added to every sample, beside those of the options.
	Tags map[string]string
	// Share is the part of the test that this runner has; where the options name an execution segment, the part of that. Limits
	// that hold for the whole test, as options.rps, are shared out by it.
	Share segment.Share
	// Shared is what the scripts of all runners share; nil: those of this one alone.
	Shared run.Shared
}

// Scheduler runs one runner's part of a test. It implements run.Runner.
type Scheduler struct {
	cfg       Config
	factory   *vu.Factory
	test      *scope.Test
	tuple     *segment.Tuple
	scenarios []plan.Scenario
	ready     run.Ready

	mu           sync.Mutex // guards what follows, which is read at any time
	executors    []executor.Executor
	begun, ended time.Time // of the scenarios
	active       []*guard  // of the phases that go on: setup() and teardown() may be asked for beside the scenarios
	yielded      bool
	course       *course // of the scenarios; nil before Run

	pool   *pool
	setup  atomic.Pointer[[]byte]
	guard  *guard       // of the init, then of the scenarios
	phases sync.RWMutex // held by each call of setup() and teardown(), and to change what they read of the test
	failed atomic.Bool
	loads  counts
	safe   safe
	urgent chan struct{}
}

// counts is what exec.instance and the progress show.
type counts struct{ vus, vusMax, iterations, interrupted, dropped atomic.Int64 }

// New returns a runner that has not read its script yet.
func New(cfg Config) *Scheduler {
	cfg.Patience = cmp.Or(cfg.Patience, 10*time.Second)
	if cfg.Shared == nil {
		cfg.Shared = shared.New()
	}
	s := &Scheduler{cfg: cfg, pool: newPool(), urgent: make(chan struct{}, 1)}
	reg := metric.NewRegistry()
	s.test = &scope.Test{
		Options: &plan.Options{}, Registry: reg, Builtin: metric.NewBuiltin(reg), TagTable: metric.NewTags(),
		Log: cfg.Log, Console: cfg.Console, Abort: s.abortTest, Fail: s.failTest, Scenarios: map[string]*scope.Scenario{},
		Shared: cfg.Shared,
	}
	s.factory = &vu.Factory{
		Program: cfg.Program, Test: s.test, Modules: k6.Modules(), Missing: k6.Missing, Globals: global.Install,
		Open: cfg.Open, Env: scope.NewEnv(cfg.Env), InitTimeout: cfg.InitTimeout,
	}
	return s
}

func (s *Scheduler) abortTest(message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.active {
		g.end(fault.New(fault.ScriptAborted, errors.New(message)))
	}
}

// begin arms a new guard for one phase of the run: teardown and handleSummary still run after an abort.
func (s *Scheduler) begin(ctx context.Context) (*guard, context.Context, func()) {
	g := newGuard(s.cfg.MemoryLimit)
	s.mu.Lock()
	s.active = append(s.active, g)
	s.mu.Unlock()
	ctx, stop := g.watch(ctx, s.pool.interrupt)
	return g, ctx, func() {
		stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.active = slices.DeleteFunc(s.active, func(o *guard) bool { return o == g })
	}
}

func (s *Scheduler) failTest(message string) {
	s.failed.Store(true)
	s.cfg.Log.Error("test marked as failed: " + message)
}

// MarkedAsFailed reports whether the script called exec.test.fail().
func (s *Scheduler) MarkedAsFailed() bool { return s.failed.Load() }

// Inspect runs the script's top-level code once and consolidates its options, without getting ready to run.
func (s *Scheduler) Inspect(ctx context.Context) (run.Ready, error) {
	var stop func()
	s.guard, ctx, stop = s.begin(ctx)
	defer stop()
	first, err := s.first(ctx)
	if err != nil {
		s.guard.saw(err)
		return s.ready, s.guard.outcome(ctx, exception(err))
	}
	defer first.Close()
	s.cfg.Program.Seal()
	s.cfg.Sealed()
	script, err := first.OptionsJSON()
	if err != nil {
		return s.ready, fault.New(fault.Other, fmt.Errorf("error parsing script options: %w", err))
	}
	for _, name := range []string{"setup", "teardown"} {
		if slices.Contains(first.Exports(), name) && !first.HasFunction(name) {
			return s.ready, fault.New(fault.Other, fmt.Errorf("exported '%s' must be a function", name))
		}
	}
	for _, name := range first.Exports() {
		if first.HasFunction(name) {
			s.ready.Functions = append(s.ready.Functions, name)
		}
	}
	s.ready.HasSetup, s.ready.HasTeardown, s.ready.HasSummary = first.HasFunction("setup"), first.HasFunction("teardown"), slices.Contains(first.Exports(), "handleSummary")
	if s.ready.Options, err = s.cfg.Consolidate(script); err != nil {
		return s.ready, err
	}
	if script != nil && s.cfg.Program.ReadsOptions() {
		own, _, err := plan.ParseJSON(script, "script")
		if err != nil {
			return s.ready, err
		}
		s.factory.Consolidated = s.ready.Options.Beyond(own)
	}
	return s.ready, nil
}

// exception classes what the script threw and tells where, unless it is something else.
func exception(err error) error {
	if kind := fault.KindOf(err); kind != fault.Other && kind != fault.ScriptException {
		return err
	}
	return fault.WithHint(fault.ScriptException, errors.New(js.Describe(err)), fault.HintOf(err))
}

// Init reads the script, consolidates the options and makes the virtual users.
func (s *Scheduler) Init(ctx context.Context) (run.Ready, error) {
	if ready, err := s.Inspect(ctx); err != nil {
		return ready, err
	}
	if ready, err := s.Check(); err != nil {
		return ready, err
	}
	return s.ready, s.makeVUs(ctx)
}

// Check finds what is wrong with a test that Inspect has read, and gets everything ready but the virtual users.
func (s *Scheduler) Check() (run.Ready, error) {
	if len(s.ready.Functions) == 0 {
		return s.ready, fault.New(fault.Other, errors.New("no exported functions in script"))
	}
	err := s.prepare()
	return s.ready, err
}

// prepare derives the scenarios and makes all that they need but the virtual users.
func (s *Scheduler) prepare() error {
	opts := s.ready.Options
	if err := plan.Validate(opts, func(name string) bool { return slices.Contains(s.ready.Functions, name) }); err != nil {
		return err
	}
	opts, warnings, err := opts.WithScenarios()
	if err != nil {
		return err
	}
	for _, w := range warnings {
		if s.cfg.Warned {
			break
		}
		s.cfg.Log.Warn(w)
	}
	if s.scenarios, err = plan.Derive(s.ready.Options); err != nil {
		return err
	}
	if s.tuple, err = opts.Tuple(); err != nil {
		return err
	}
	if s.tuple, err = s.cfg.Share.In(s.tuple); err != nil {
		return fault.New(fault.InvalidConfig, err)
	}
	s.ready.Options, s.ready.Segment = opts, s.tuple
	for i := range s.scenarios {
		if sc := &s.scenarios[i]; executor.HasWork(sc, s.tuple) {
			s.ready.Scenarios = append(s.ready.Scenarios, *sc)
		}
	}
	_, s.ready.MaxVUs, s.ready.MaxDuration = executor.Requirements(s.scenarios, s.tuple)
	for _, m := range s.test.Registry.All() {
		s.ready.Metrics = append(s.ready.Metrics, *m)
	}
	return s.measure()
}

// measure makes the meter, with a place for every part of a metric that a threshold names.
func (s *Scheduler) measure() error {
	if s.cfg.NoThresholds {
		s.doubtThresholds()
	} else {
		set, err := threshold.ParseSet(s.ready.Options.Thresholds)
		if err == nil {
			set, err = set.Resolve(s.test.Registry.Get)
		}
		if err != nil {
			return fault.New(fault.InvalidConfig, err)
		}
		s.ready.Thresholds = set
	}
	t, opts := s.test, s.ready.Options
	filled := opts.Filled(s.cfg.UserAgent)
	t.Options, t.RunTags = &filled, t.TagTable.From(opts.RunTags())
	for k, v := range s.cfg.Tags {
		t.RunTags = t.RunTags.With(k, v)
	}
	t.SystemTags = scope.SystemTagsOf(filled.SystemTags)
	t.MinIterationDuration, t.Share = filled.MinIterationDuration.V, s.part()
	t.Meter = meter.New(meter.Config{Builtin: t.Builtin, Submetrics: s.ready.Thresholds.Submetrics(), Parts: s.cfg.Parts, Raw: s.cfg.Raw})
	t.Counts = s.Load
	t.OptionsJSON = sync.OnceValue(opts.ScriptJSON)
	return nil
}

// doubtThresholds warns of unread thresholds on metrics that are not there.
func (s *Scheduler) doubtThresholds() {
	for _, key := range slices.Sorted(maps.Keys(s.ready.Options.Thresholds)) {
		if sel, err := threshold.ParseKey(key); err == nil && s.test.Registry.Get(sel.Metric) == nil {
			s.cfg.Log.Warn(fmt.Sprintf("Invalid metric '%s' in threshold definitions", key), "error", fmt.Sprintf("metric '%s' does not exist in the script", sel.Metric))
		}
	}
}

// part is how much of the limits for the whole test falls to this runner: as much as of its VUs, so that none of a limit is
// with a runner that has none. k6 gives each execution segment all of a limit, and so does the part that options name.
func (s *Scheduler) part() float64 {
	_, most, _ := executor.Requirements(s.scenarios, nil)
	within, err := s.ready.Options.Tuple()
	if err != nil {
		return 1
	}
	byVUs, err := s.tuple.ResegmentCuts(most)
	if err != nil {
		return 0
	}
	return byVUs.Segment().Share() / within.Segment().Share()
}

func (s *Scheduler) makeVUs(ctx context.Context) error {
	planned, _, _ := executor.Requirements(s.scenarios, s.tuple)
	g, ctx := errgroup.WithContext(ctx)
	var taken atomic.Int64
	for range min(int64(runtime.GOMAXPROCS(0)), planned) { // one goroutine makes many: it needs a deep stack, which grows once
		g.Go(func() error {
			for taken.Add(1) <= planned {
				v, err := s.newVU(ctx)
				if err != nil {
					return err
				}
				s.pool.put(v)
			}
			return nil
		})
	}
	err := g.Wait()
	s.pool.sort()
	return err
}

// newVU makes the next virtual user; it carries on the numbering.
func (s *Scheduler) newVU(ctx context.Context) (*member, error) {
	n := s.pool.nextID()
	v, err := s.factory.New(ctx, uint64(n), uint64(s.tuple.Global(n-1)+1))
	if err != nil {
		s.guard.saw(err)
		return nil, s.guard.outcome(ctx, exception(err))
	}
	s.loads.vusMax.Add(1)
	v.SetSetupData(&s.setup)
	return &member{VU: v, s: s, id: n}, nil
}

// Run starts the scenarios as b says and waits for all of them.
func (s *Scheduler) Run(ctx context.Context, b run.Begin) error {
	var unwatch func()
	s.guard, ctx, unwatch = s.begin(ctx)
	defer unwatch()
	c := newCourse(b, time.Now())
	if ok, err := s.start(c); !ok {
		return err
	}
	defer c.end()
	defer s.mark(&s.ended)
	err := s.play(ctx, c)
	if err == nil && ctx.Err() == nil {
		s.tellCutOff()
	}
	if err = s.guard.outcome(ctx, err); errors.Is(err, errYielded) {
		return nil
	}
	return err
}

// play runs the executors, each from its start time on.
func (s *Scheduler) play(ctx context.Context, c *course) error {
	defer s.leave()
	if !c.wait(ctx, c.at) && ctx.Err() != nil {
		return nil
	}
	background, stop := context.WithCancel(ctx)
	var sampler sync.WaitGroup
	sampler.Go(func() { s.sampleVUs(background) })
	g, gctx := errgroup.WithContext(ctx)
	for i, e := range s.executors {
		g.Go(func() error {
			if !c.wait(gctx, c.at.Add(s.ready.Scenarios[i].StartTime)) {
				return nil
			}
			return e.Run(gctx)
		})
	}
	err := s.await(ctx, c, g.Wait)
	stop()
	sampler.Wait()
	return err
}

// tellCutOff says where iterations were that did not end although they had been given time to: the script may loop.
func (s *Scheduler) tellCutOff() {
	n := s.loads.interrupted.Load()
	patient := slices.ContainsFunc(s.ready.Scenarios, func(sc plan.Scenario) bool { return sc.GracefulStop > 0 })
	if where := s.guard.where(); n > 0 && patient && where != "" {
		s.cfg.Log.Warn(fmt.Sprintf("iterations that did not end in time and were cut off: %d; one of them was here:%s", n, where))
	}
}

// start makes the executors; false when the runner has yielded before. It waits for a setup() that was asked for from outside,
// and none begins meanwhile.
func (s *Scheduler) start(c *course) (bool, error) {
	s.phases.Lock()
	defer s.phases.Unlock()
	s.SetSetupData(c.setup)
	s.test.Start = c.at
	var all []executor.Executor
	for i := range s.ready.Scenarios {
		sc := &s.ready.Scenarios[i]
		e, err := executor.New(sc, s.tuple, c.from(sc), &env{s}, s.cfg.Log)
		if err != nil {
			return false, err
		}
		all = append(all, e)
		s.test.Scenarios[sc.Name] = &scope.Scenario{Scenario: sc, Started: e.Started, Progress: e.Done}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.yielded {
		return false, nil
	}
	s.executors, s.begun, s.course = all, c.at, c
	if c.guarded {
		s.askForSnapshot()
	}
	return true, nil
}

// SetSetupData changes what virtual users that have not begun yet get as setup's result.
func (s *Scheduler) SetSetupData(data []byte) { s.setup.Store(&data) }

// Close gives back what the virtual users hold.
func (s *Scheduler) Close() {
	for _, m := range s.pool.drain() {
		m.Close()
	}
}
