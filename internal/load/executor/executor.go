package executor

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/segment"
)

// VU is all an executor needs to know of a virtual user. Its methods are called from one goroutine at a time.
type VU interface {
	// Activate binds the VU to a scenario. The end of ctx cuts off the iteration that is running.
	Activate(ctx context.Context, s *plan.Scenario) error
	// Iterate runs one iteration. It returns false when it was cut off; an exception in the script still completes it.
	Iterate(it Iteration) (completed bool)
	// Deactivate releases the VU from its scenario.
	Deactivate()
}

// Iteration is what an executor tells a VU about the iteration to run.
type Iteration struct {
	Due        time.Time // when it should begin; zero where VUs loop as they can
	InInstance int64     // how many iterations of the scenario began before it in this instance
	InTest     int64     // its number over all instances
}

// Env is where executors get their VUs and leave their notes. Its methods may be called from many goroutines.
type Env interface {
	// GetPlanned returns one of the VUs made ready before the start, once one is free; an error when ctx ends first.
	GetPlanned(ctx context.Context) (VU, error)
	// InitUnplanned makes one more VU ready.
	InitUnplanned(ctx context.Context) (VU, error)
	// Return gives back a VU that is not active.
	Return(VU)
	// Dropped counts n iterations that were due and will never begin.
	Dropped(n int64, s *plan.Scenario)
	// VUActive changes the number of VUs that are active. A VU between two arrivals is not.
	VUActive(delta int64)
	// Urgent is called when Reserve should be called soon. It does not wait.
	Urgent()
}

// Start says where in its schedule a scenario begins. The zero value is the usual beginning, at the call of Run.
type Start struct {
	At time.Time // when the scenario's clock shows zero; the zero time: at the call of Run
	// Skip is how much of the schedule was over when the run was told to begin. What was due within it is neither begun nor
	// dropped.
	Skip time.Duration
	// Used says that the iterations with lower numbers may have begun in a former life of the share; Exact, that they have, and no
	// other: then arrival rates begin late what was due since.
	Used  int64
	Exact bool
	// Guarded lets nothing begin before Allow was called, and of scenarios whose iterations have an end only what it has allowed;
	// arrivals need not wait, since others know by the time which may have begun.
	Guarded bool
}

// Executor runs one scenario.
type Executor interface {
	// Run begins at Start.At, which has come, and returns when all VUs are back. The end of ctx cuts off running iterations. An
	// error is a VU's that could not be had or activated.
	Run(ctx context.Context) error
	// Yield lets no iteration begin any more, now or later: Run returns when those that run have ended. It does not wait.
	Yield()
	// Leave says, after the end of ctx or the last moment that Run may last to, that Run is not waited for: a VU does not come back.
	Leave()
	// Reserve returns the number below which iterations may have begun until it is called again; it never falls. Once Run has
	// returned, after Leave, and after Yield without Run, it is the number of the first that did not begin; of an arrival rate, which
	// leaves out the numbers of what it has dropped, that of the first that was not due.
	Reserve(now time.Time) int64
	// Allow lets iterations begin that have a number below n, which Reserve has returned. It counts where Start.Guarded is set.
	Allow(n int64)
	// Count says what began, and what should have.
	Count() metric.ScenarioCount
	// Progress says how far the scenario is, in words.
	Progress() run.Progress
	// Done returns the finished share, 0 to 1: what scripts read as scenario.progress.
	Done() float64
	// Started returns when Run began; the zero time before.
	Started() time.Time
}

// New returns the executor of a scenario that HasWork. It starts nothing.
func New(s *plan.Scenario, tuple *segment.Tuple, from Start, env Env, log *slog.Logger) (Executor, error) {
	b := newBase(s, tuple, from, env, log)
	switch s.Executor {
	case plan.SharedIterations:
		return newSharedIterations(b)
	case plan.PerVUIterations:
		return newPerVUIterations(b)
	case plan.ConstantVUs:
		return newConstantVUs(b), nil
	case plan.RampingVUs:
		return newRampingVUs(b), nil
	case plan.ConstantArrivalRate:
		return newConstantArrivalRate(b)
	case plan.RampingArrivalRate:
		return newRampingArrivalRate(b)
	case plan.ExternallyControlled:
		return newExternallyControlled(b), nil
	}
	return nil, fmt.Errorf("unknown executor %q", s.Executor)
}

// HasWork reports whether any of the scenario falls to this part of the test.
func HasWork(s *plan.Scenario, tuple *segment.Tuple) bool {
	switch s.Executor {
	case plan.SharedIterations:
		_, n := sharedIterationsOf(s, tuple)
		return n > 0
	case plan.PerVUIterations:
		return tuple.Scale(s.VUs) > 0 && s.Iterations > 0
	case plan.ConstantVUs:
		return tuple.Scale(s.VUs) > 0
	case plan.RampingVUs:
		return tuple.Scale(maxTarget(s.StartVUs, s.Stages)) > 0
	default:
		return tuple.Scale(s.MaxVUs) > 0
	}
}

func maxTarget(start int64, stages []plan.Stage) int64 {
	for _, st := range stages {
		start = max(start, st.Target)
	}
	return start
}

func length(stages []plan.Stage) (sum time.Duration) {
	for _, st := range stages {
		sum += st.Duration
	}
	return sum
}
