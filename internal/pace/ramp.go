package pace

import (
	"math"
	"math/big"
	"sort"
	"time"
)

// Stage is one leg of a ramp: the rate goes linearly to Target in Duration; at once when that is 0.
type Stage struct {
	Duration time.Duration
	Target   int64
}

// Ramp is a curve made of stages. The n-th thing, counted from 1, is due when the area under the rate reaches n, at the
// very end too. The areas at the bounds of stages are exact, so no error is carried from one stage to the next.
type Ramp struct {
	unit   time.Duration
	legs   []leg
	length time.Duration
}

// leg is a stage of positive duration.
type leg struct {
	start, length time.Duration
	from, to      float64
	// The area where the leg begins is before+part, 0 <= part < 1; where it ends it is end, rounded down.
	before int64
	part   float64
	end    int64
}

// NewRamp returns the curve that begins with rate start, in things per unit. Rates and durations must not be negative and
// unit must be positive.
func NewRamp(start int64, unit time.Duration, stages []Stage) *Ramp {
	r := &Ramp{unit: unit}
	area := new(big.Rat)
	from := start
	for _, s := range stages {
		if s.Duration > 0 {
			before, part := split(area)
			// (from+to)/2 * duration/unit
			step := new(big.Rat).SetFrac(big.NewInt(from), big.NewInt(2*int64(unit)))
			half := new(big.Rat).SetFrac(big.NewInt(s.Target), big.NewInt(2*int64(unit)))
			step.Add(step, half).Mul(step, new(big.Rat).SetInt64(int64(s.Duration)))
			area.Add(area, step)
			end, _ := split(area)
			r.legs = append(r.legs, leg{
				start: r.length, length: s.Duration, from: float64(from), to: float64(s.Target),
				before: before, part: part, end: end,
			})
			r.length += s.Duration
		}
		from = s.Target
	}
	return r
}

// split cuts a positive number into its whole and its fractional part.
func split(a *big.Rat) (int64, float64) {
	whole := new(big.Int).Quo(a.Num(), a.Denom())
	part, _ := new(big.Rat).Sub(a, new(big.Rat).SetInt(whole)).Float64()
	if !whole.IsInt64() {
		return math.MaxInt64, 0
	}
	return whole.Int64(), math.Min(part, math.Nextafter(1, 0))
}

// Length returns the duration of all stages.
func (r *Ramp) Length() time.Duration { return r.length }

// Count implements Curve.
func (r *Ramp) Count() int64 {
	if len(r.legs) == 0 {
		return 0
	}
	return r.legs[len(r.legs)-1].end
}

// At implements Curve.
func (r *Ramp) At(k int64) (time.Duration, bool) {
	if k < 0 || k >= r.Count() {
		return 0, false
	}
	n := k + 1
	l := &r.legs[sort.Search(len(r.legs), func(i int) bool { return r.legs[i].end >= n })]
	return l.start + l.reach(n, r.unit), true
}

// reach returns how far into the leg the area is n, which is known to happen in it.
func (l *leg) reach(n int64, unit time.Duration) time.Duration {
	// The area after t is from*t + (to-from)*t*t/(2*length), in things*unit. Solved for t in the form that stays exact when
	// the rate hardly changes, and that has no case of its own for a flat leg.
	area := (float64(n-l.before) - l.part) * float64(unit)
	root := math.Sqrt(max(0, l.from*l.from+2*(l.to-l.from)*area/float64(l.length)))
	t := 2 * area / (l.from + root)
	if !(t > 0) {
		return 0
	}
	return min(time.Duration(math.Ceil(t)), l.length)
}

// Due implements Curve.
func (r *Ramp) Due(elapsed time.Duration) int64 {
	i := sort.Search(len(r.legs), func(i int) bool { return r.legs[i].start > elapsed }) - 1
	if i < 0 {
		return 0
	}
	l := &r.legs[i]
	if elapsed >= l.start+l.length {
		return l.end
	}
	t := float64(elapsed - l.start)
	area := l.part + (l.from*t+(l.to-l.from)*t*t/(2*float64(l.length)))/float64(r.unit)
	n := min(l.end, l.before+int64(area))
	// The float is right to a few parts in 1e16, so At may disagree about the last one.
	for n > l.before && l.start+l.reach(n, r.unit) > elapsed {
		n--
	}
	for n < l.end && l.start+l.reach(n+1, r.unit) <= elapsed {
		n++
	}
	return n
}

// Rate implements Curve. Where the rate jumps it is the later one; after the end it is the last one.
func (r *Ramp) Rate(elapsed time.Duration) float64 {
	i := sort.Search(len(r.legs), func(i int) bool { return r.legs[i].start > elapsed }) - 1
	if i < 0 {
		return 0
	}
	l := &r.legs[i]
	done := min(1, float64(elapsed-l.start)/float64(l.length))
	return perSecond(l.from+(l.to-l.from)*done, r.unit)
}
