package executor

import (
	"context"
	"fmt"
	"log/slog"
	"time"

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
}

// Executor runs one scenario.
type Executor interface {
	// Run begins now and returns when all VUs are back. The end of ctx cuts off running iterations. An error is a VU's that
	// could not be had or activated.
	Run(ctx context.Context) error
	// Progress says how far the scenario is, in words.
	Progress() run.Progress
	// Done returns the finished share, 0 to 1: what scripts read as scenario.progress.
	Done() float64
	// Started returns when Run began; the zero time before.
	Started() time.Time
}

// New returns the executor of a scenario that HasWork. It starts nothing.
func New(s *plan.Scenario, tuple *segment.Tuple, env Env, log *slog.Logger) (Executor, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	b := &base{scenario: s, tuple: tuple, env: env, log: log.With("executor", s.Executor, "scenario", s.Name)}
	switch s.Executor {
	case plan.SharedIterations:
		return newSharedIterations(b)
	case plan.PerVUIterations:
		return newPerVUIterations(b), nil
	case plan.ConstantVUs:
		return newConstantVUs(b), nil
	case plan.RampingVUs:
		return newRampingVUs(b), nil
	case plan.ConstantArrivalRate:
		return newConstantArrivalRate(b), nil
	case plan.RampingArrivalRate:
		return newRampingArrivalRate(b), nil
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
