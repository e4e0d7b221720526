package executor

import "throng/internal/plan"

// Planned is how many iterations the whole scenario is to begin; false where that depends on how long they take.
func Planned(s *plan.Scenario) (n int64, ok bool) {
	switch s.Executor {
	case plan.SharedIterations:
		return s.Iterations, true
	case plan.PerVUIterations:
		return s.VUs * s.Iterations, true
	case plan.ConstantArrivalRate:
		return constantCurve(s).Due(s.Duration), true
	case plan.RampingArrivalRate:
		return rampingCurve(s).Due(length(s.Stages)), true
	}
	return 0, false
}
