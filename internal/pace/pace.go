package pace

import (
	"math"
	"math/bits"
	"time"
)

// Curve is a rate over time. Its methods are pure, and cheap enough to be called for every single iteration.
type Curve interface {
	// At returns when the k-th thing (from 0) is due, rounded up to a nanosecond; false when it never is.
	At(k int64) (time.Duration, bool)
	// Due returns how many things have become due once elapsed has passed.
	Due(elapsed time.Duration) int64
	// Count returns how many things become due at all.
	Count() int64
	// Rate returns the rate at an instant, per second.
	Rate(elapsed time.Duration) float64
}

// Constant is a curve of PerUnit things per Unit during Length. The k-th is due at k*Unit/PerUnit; one that would be due at the
// very end is not, so that there are PerUnit*Length/Unit. Unit must be positive.
type Constant struct {
	PerUnit int64
	Unit    time.Duration
	Length  time.Duration
}

// At implements Curve.
func (c Constant) At(k int64) (time.Duration, bool) {
	if k < 0 || k >= c.Count() {
		return 0, false
	}
	return time.Duration(mulDivUp(uint64(k), uint64(c.Unit), uint64(c.PerUnit))), true
}

// Due implements Curve.
func (c Constant) Due(elapsed time.Duration) int64 {
	if elapsed < 0 || c.PerUnit < 1 {
		return 0
	}
	if elapsed >= c.Length {
		return c.Count()
	}
	hi, lo := bits.Mul64(uint64(elapsed), uint64(c.PerUnit))
	if hi >= uint64(c.Unit) {
		return c.Count()
	}
	q, _ := bits.Div64(hi, lo, uint64(c.Unit))
	return int64(min(q, uint64(c.Count()-1))) + 1
}

// Count implements Curve.
func (c Constant) Count() int64 {
	if c.PerUnit < 1 || c.Length <= 0 {
		return 0
	}
	return int64(mulDivUp(uint64(c.Length), uint64(c.PerUnit), uint64(c.Unit)))
}

// Rate implements Curve.
func (c Constant) Rate(time.Duration) float64 { return perSecond(float64(c.PerUnit), c.Unit) }

func perSecond(rate float64, unit time.Duration) float64 {
	return rate * float64(time.Second) / float64(unit)
}

// mulDivUp returns a*b/c rounded up, MaxInt64 when it is larger than that.
func mulDivUp(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return math.MaxInt64
	}
	q, r := bits.Div64(hi, lo, c)
	if r > 0 {
		q++
	}
	return min(q, math.MaxInt64)
}

// Share says which of a whole's things are ours; a *segment.Tuple is one.
type Share interface {
	Scale(n int64) int64
	Global(local int64) int64
}

// Shared is one instance's part of a curve: its k-th thing is due when the whole's Global(k)-th is, so the union over all
// instances is the whole, to the nanosecond.
type Shared struct {
	Curve Curve
	Share Share
}

// At implements Curve.
func (s Shared) At(k int64) (time.Duration, bool) {
	if k < 0 {
		return 0, false
	}
	return s.Curve.At(s.Share.Global(k))
}

// Due implements Curve.
func (s Shared) Due(elapsed time.Duration) int64 { return s.Share.Scale(s.Curve.Due(elapsed)) }

// Count implements Curve.
func (s Shared) Count() int64 { return s.Share.Scale(s.Curve.Count()) }

// Rate implements Curve: the whole's rate, since a share of a rate is no single number.
func (s Shared) Rate(elapsed time.Duration) float64 { return s.Curve.Rate(elapsed) }
