package pace

import "time"

// CatchUp is what is left of a curve for one who takes it up late: of what was due before, the things from First on come
// late, and in turn. While the curve makes one thing due two come, the second half-way to the next, so that the rate
// is never more than twice the curve's; once nothing is late any more it is the curve. What the curve does not last long
// enough for never comes. Missed is how many things were due when it was taken up: Curve.Due of that instant, at least First.
type CatchUp struct {
	Curve         Curve
	First, Missed int64
}

// At implements Curve.
func (c CatchUp) At(k int64) (time.Duration, bool) {
	if k < c.First {
		return 0, k >= 0
	}
	due, ok := c.Curve.At(k)
	if !ok {
		return 0, false
	}
	pair, second := (k-c.First)/2, (k-c.First)%2 == 1
	turn, ok := c.Curve.At(c.Missed + pair)
	if !ok {
		return 0, false
	}
	if second {
		next, ok := c.Curve.At(c.Missed + pair + 1)
		if !ok {
			next = turn
		}
		turn += (next - turn) / 2
	}
	return max(due, turn), true
}

// Due implements Curve. What is before First is due from the beginning.
func (c CatchUp) Due(elapsed time.Duration) int64 {
	if elapsed < 0 {
		return 0
	}
	due := c.Curve.Due(elapsed)
	pairs := due - c.Missed
	if pairs < 1 {
		return c.First
	}
	n := c.First + 2*pairs
	if at, ok := c.At(n - 1); n > due || ok && at > elapsed {
		n--
	}
	return min(due, n)
}

// Count implements Curve.
func (c CatchUp) Count() int64 {
	all := c.Curve.Count()
	return min(all, c.First+2*max(0, all-c.Missed))
}

// Rate implements Curve: it is the curve's own.
func (c CatchUp) Rate(elapsed time.Duration) float64 { return c.Curve.Rate(elapsed) }
