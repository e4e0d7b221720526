package executor

import (
	"throng/internal/pace"
	"throng/internal/plan"
)

// newConstantArrivalRate begins iterations at equal distances, the first at once.
func newConstantArrivalRate(b *base) (*arrivals, error) {
	return newArrivals(b, constantCurve(b.scenario), b.scenario.Duration)
}

func constantCurve(s *plan.Scenario) pace.Curve {
	return pace.Constant{PerUnit: s.Rate, Unit: s.TimeUnit, Length: s.Duration}
}
