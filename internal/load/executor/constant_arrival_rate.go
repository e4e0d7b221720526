package executor

import "throng/internal/pace"

// newConstantArrivalRate begins iterations at equal distances, the first at once.
func newConstantArrivalRate(b *base) (*arrivals, error) {
	s := b.scenario
	return newArrivals(b, pace.Constant{PerUnit: s.Rate, Unit: s.TimeUnit, Length: s.Duration}, s.Duration)
}
