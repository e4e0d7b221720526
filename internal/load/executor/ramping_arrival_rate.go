package executor

import "throng/internal/pace"

// newRampingArrivalRate begins the n-th iteration when the area under the stages reaches n.
func newRampingArrivalRate(b *base) (*arrivals, error) {
	s := b.scenario
	stages := make([]pace.Stage, len(s.Stages))
	for i, st := range s.Stages {
		stages[i] = pace.Stage{Duration: st.Duration, Target: st.Target}
	}
	return newArrivals(b, pace.NewRamp(s.StartRate, s.TimeUnit, stages), length(s.Stages))
}
