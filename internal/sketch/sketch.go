package sketch

import (
	"math"
	"slices"
)

// exactLimit is how many values a Trend keeps as they are before it counts them in buckets. Whether it does is a function
// of the count alone: that is what makes the answer independent of the order of merging.
const exactLimit = 128

// Trend summarises a distribution. The zero value is empty and ready to use. It is not safe for concurrent use, and a copy
// by assignment shares memory with the original: use Clone.
type Trend struct {
	count int64
	// sum and rest together are the sum to about 106 bits, so that the order of addition does not show.
	sum, rest float64
	min, max  float64
	zeros     int64 // zeros, and values too small for a normal float64; only used beyond exactLimit
	pos, neg  window
	raw       []float64 // every value, while count <= exactLimit; its capacity is kept after that for Reset
}

// Add counts v. NaN is not a number and is ignored; an infinity counts in the outermost bucket and makes Sum infinite.
func (t *Trend) Add(v float64) {
	if v != v {
		return
	}
	if t.count <= exactLimit {
		t.addFew(v)
		return
	}
	t.note(v)
	bits := math.Float64bits(v)
	if bits<<1 < minNormal<<1 {
		t.zeros++
		return
	}
	w := &t.pos
	if bits>>63 != 0 {
		w = &t.neg
	}
	i := indexOf(bits)
	if k := uint(i - w.lo); k < uint(len(w.counts)) {
		w.counts[k]++
		return
	}
	w.add(i, 1)
}

// note folds v into everything but the buckets and the raw values.
func (t *Trend) note(v float64) {
	if v < t.min {
		t.min = v
	}
	if v > t.max {
		t.max = v
	}
	t.count++
	t.addSum(v, 0)
}

// addSum adds hi+lo without losing what the rounding of each step cuts off (Knuth's TwoSum).
func (t *Trend) addSum(hi, lo float64) {
	s := t.sum + hi
	b := s - t.sum
	t.rest += (t.sum - (s - b)) + (hi - b) + lo
	t.sum = s
}

// addFew is Add for the values up to and including the one that is too many to be kept.
func (t *Trend) addFew(v float64) {
	if t.count == 0 {
		t.min, t.max = v, v
	}
	if t.count == exactLimit {
		t.spill()
		t.bucket(v, 1)
	} else {
		t.raw = append(t.raw, v)
	}
	t.note(v)
}

// spill moves the raw values into buckets.
func (t *Trend) spill() {
	for _, v := range t.raw {
		t.bucket(v, 1)
	}
	t.raw = t.raw[:0]
}

func (t *Trend) bucket(v float64, n uint64) {
	bits := math.Float64bits(v)
	switch {
	case bits<<1 < minNormal<<1:
		t.zeros += int64(n)
	case bits>>63 != 0:
		t.neg.add(indexOf(bits), n)
	default:
		t.pos.add(indexOf(bits), n)
	}
}

// AddN counts v n times; n below 1 does nothing.
func (t *Trend) AddN(v float64, n int64) {
	if v != v || n < 1 {
		return
	}
	for t.count <= exactLimit && n > 0 {
		t.addFew(v)
		n--
	}
	if n == 0 {
		return
	}
	t.count += n
	f := float64(n)
	p := v * f
	t.addSum(p, math.FMA(v, f, -p))
	t.min, t.max = min(t.min, v), max(t.max, v)
	t.bucket(v, uint64(n))
}

// Merge adds everything that o has counted. o is not changed; it may be t itself.
func (t *Trend) Merge(o *Trend) {
	if o == nil || o.count == 0 {
		return
	}
	if t.count == 0 {
		t.min, t.max = o.min, o.max
	}
	switch spilled, many := t.count > exactLimit, t.count+o.count > exactLimit; {
	case !many:
		t.raw = append(t.raw, o.raw...)
	case t == o && !spilled:
		n := len(t.raw)
		t.raw = append(t.raw, t.raw[:n]...)
		t.spill()
	default:
		if !spilled {
			t.spill()
		}
		if o.count <= exactLimit {
			for _, v := range o.raw {
				t.bucket(v, 1)
			}
		}
		t.zeros += o.zeros
		t.pos.merge(&o.pos)
		t.neg.merge(&o.neg)
	}
	t.min, t.max = min(t.min, o.min), max(t.max, o.max)
	t.count += o.count
	t.addSum(o.sum, o.rest)
}

// Count returns how many values were added.
func (t *Trend) Count() int64 { return t.count }

// Sum returns the sum of all values; 0 when there are none.
func (t *Trend) Sum() float64 {
	// An overflow or an infinite value leaves rest meaningless.
	if s := t.sum + t.rest; s == s {
		return s
	}
	return t.sum
}

// Min returns the smallest value; 0 when there are none.
func (t *Trend) Min() float64 { return t.min }

// Max returns the largest value; 0 when there are none.
func (t *Trend) Max() float64 { return t.max }

// Avg returns the mean; 0 when there are no values.
func (t *Trend) Avg() float64 {
	if t.count == 0 {
		return 0
	}
	return t.Sum() / float64(t.count)
}

// Quantile returns the value at rank q*(count-1), q from 0 to 1, interpolated linearly between the two nearest order
// statistics, as k6 does. It is exact up to 128 values; beyond that each order statistic but the extremes is off by at
// most 0.271 %. It is 0 when there are no values.
func (t *Trend) Quantile(q float64) float64 {
	switch {
	case t.count == 0:
		return 0
	case !(q > 0):
		return t.min
	case q >= 1:
		return t.max
	}
	rank := q * float64(t.count-1)
	floor := math.Floor(rank)
	lo := min(int64(floor), t.count-1)
	hi := min(lo+1, t.count-1)
	var a, b float64
	if t.count <= exactLimit {
		var few [exactLimit]float64
		sorted := append(few[:0], t.raw...) // readers may share t, so it is not sorted in place
		slices.Sort(sorted)
		a, b = sorted[lo], sorted[hi]
	} else {
		a, b = t.at(lo, hi)
	}
	if a == b || rank == floor {
		return a
	}
	return a + (b-a)*(rank-floor)
}

// at returns the order statistics of ranks lo and hi, lo <= hi, from the buckets.
func (t *Trend) at(lo, hi int64) (a, b float64) {
	seen, got := int64(0), 0
	step := func(n int64, v float64) bool {
		seen += n
		v = max(t.min, min(t.max, v))
		if got == 0 && seen > lo {
			a, got = v, 1
		}
		if got == 1 && seen > hi {
			b, got = v, 2
		}
		return got == 2
	}
	t.walk(step)
	if lo == 0 {
		a = t.min
	}
	if hi == t.count-1 {
		b = t.max
	}
	return a, b
}

// walk visits the filled buckets from the smallest value to the largest, until visit returns true.
func (t *Trend) walk(visit func(n int64, representative float64) bool) {
	for k := len(t.neg.counts) - 1; k >= 0; k-- {
		if n := t.neg.counts[k]; n > 0 && visit(int64(n), -representative(t.neg.lo+int32(k))) {
			return
		}
	}
	if t.zeros > 0 && visit(t.zeros, 0) {
		return
	}
	for k, n := range t.pos.counts {
		if n > 0 && visit(int64(n), representative(t.pos.lo+int32(k))) {
			return
		}
	}
}

// Clone returns an independent copy.
func (t *Trend) Clone() *Trend {
	c := *t
	c.raw = slices.Clone(t.raw)
	c.pos.counts = slices.Clone(t.pos.counts)
	c.neg.counts = slices.Clone(t.neg.counts)
	return &c
}

// Reset empties t and keeps its memory for what comes next.
func (t *Trend) Reset() {
	clear(t.pos.counts)
	clear(t.neg.counts)
	*t = Trend{raw: t.raw[:0], pos: t.pos, neg: t.neg}
}
