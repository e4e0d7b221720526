package executor

import (
	"throng/internal/pace"
	"throng/internal/plan"
)

// newRampingArrivalRate begins the n-th iteration when the area under the stages reaches n.
func newRampingArrivalRate(b *base) (*arrivals, error) {
	return newArrivals(b, rampingCurve(b.scenario), length(b.scenario.Stages))
}

func rampingCurve(s *plan.Scenario) pace.Curve {
	stages := make([]pace.Stage, len(s.Stages))
	for i, st := range s.Stages {
		stages[i] = pace.Stage{Duration: st.Duration, Target: st.Target}
	}
	return pace.NewRamp(s.StartRate, s.TimeUnit, stages)
}
