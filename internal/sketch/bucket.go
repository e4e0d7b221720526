package sketch

import (
	"math"
	"math/big"
)

// Scale is the scale of the histogram in OpenTelemetry's sense and its schema in Prometheus': 2^Scale buckets an octave.
const Scale = 7

const (
	perOctave = 1 << Scale
	mantissa  = 1<<52 - 1
	minNormal = 1 << 52 // bits of the smallest normal float64; anything nearer to zero counts as zero
	minIndex  = -1022*perOctave - 1
	maxIndex  = 1024*perOctave - 1
)

// indexTable finds a mantissa's bucket: before[m>>44] is how many bounds lie below the 1/256 cell of the mantissa m, and
// since bounds are further apart than a cell is wide, at most one more lies within it. See TestIndexAgainstLogarithm.
type indexTable struct {
	before [256]uint8
	bound  [perOctave + 1]uint64 // mantissas of 2^(k/128), rounded down; the last one is above all
}

var table = newIndexTable() // never changed after its initialisation

func newIndexTable() *indexTable {
	t := &indexTable{}
	root := big.NewFloat(2).SetPrec(200)
	for range Scale {
		root.Sqrt(root)
	}
	b := big.NewFloat(1).SetPrec(200)
	for k := range perOctave {
		f := new(big.Float).SetPrec(53).SetMode(big.ToZero).Set(b)
		v, _ := f.Float64()
		t.bound[k] = math.Float64bits(v) & mantissa
		b.Mul(b, root)
	}
	t.bound[perOctave] = math.MaxUint64
	c := 0
	for cell := range t.before {
		for t.bound[c] < uint64(cell)<<44 {
			c++
		}
		t.before[cell] = uint8(c)
	}
	return t
}

// indexOf returns the bucket of a normal or infinite number, given as bits, without regard to its sign. Bucket i holds
// (2^(i/128), 2^((i+1)/128)], as in OpenTelemetry; Prometheus counts the same bucket as i+1.
func indexOf(bits uint64) int32 {
	m := bits & mantissa
	c := int32(table.before[m>>44])
	if m > table.bound[c] {
		c++
	}
	return (int32(bits>>52&0x7ff)-1023)*perOctave + c - 1
}

// representative returns the number for which the largest relative error over bucket i is smallest: the harmonic mean of
// its bounds, off by at most (b-1)/(b+1) = 0.2708 % where b = 2^(1/128).
func representative(i int32) float64 {
	lo := Bound(i)
	b := Bound(1)
	return lo * (2 * b / (1 + b))
}

// Bound returns the lower bound of bucket i: 2^(i/128).
func Bound(i int32) float64 {
	octave, k := i>>Scale, i&(perOctave-1)
	return math.Ldexp(math.Float64frombits(1023<<52|table.bound[k]), int(octave))
}

// window is a run of buckets that grows on both sides.
type window struct {
	lo     int32 // index of counts[0]
	counts []uint64
}

func (w *window) add(i int32, n uint64) {
	if k := uint(i - w.lo); k >= uint(len(w.counts)) {
		w.cover(i, i)
	}
	w.counts[i-w.lo] += n
}

// cover makes room for the buckets from..to. It at least doubles on the side that was too short, so that growing costs
// little over all, and never leaves the range of float64: 2 MiB at the very most, 24 KiB for six decades of values.
func (w *window) cover(from, to int32) {
	lo, hi := from, to+1
	if n := int32(len(w.counts)); n > 0 {
		lo, hi = min(from, w.lo), max(to+1, w.lo+n)
		if lo == w.lo && hi == w.lo+n {
			return
		}
		if lo < w.lo {
			lo = max(minIndex, min(lo, w.lo-n))
		}
		if hi > w.lo+n {
			hi = min(maxIndex+1, max(hi, w.lo+2*n))
		}
	} else {
		lo, hi = max(minIndex, lo-perOctave/8), min(maxIndex+1, hi+perOctave/8)
	}
	counts := make([]uint64, hi-lo)
	if len(w.counts) > 0 {
		copy(counts[w.lo-lo:], w.counts)
	}
	w.lo, w.counts = lo, counts
}

func (w *window) merge(o *window) {
	b := o.buckets()
	if len(b.Counts) == 0 {
		return
	}
	w.cover(b.Offset, b.Offset+int32(len(b.Counts))-1)
	into := w.counts[b.Offset-w.lo:]
	for k, n := range b.Counts {
		into[k] += n
	}
}

// Buckets is one half of an exponential histogram: Counts[k] values had a magnitude in bucket Offset+k, that is in
// (Bound(Offset+k), Bound(Offset+k+1)]. Neither the first nor the last count is zero.
type Buckets struct {
	Offset int32
	Counts []uint64
}

func (w *window) buckets() Buckets {
	from, to := 0, len(w.counts)
	for from < to && w.counts[from] == 0 {
		from++
	}
	for to > from && w.counts[to-1] == 0 {
		to--
	}
	if from == to {
		return Buckets{}
	}
	return Buckets{Offset: w.lo + int32(from), Counts: w.counts[from:to]}
}

// Buckets returns the positive values, the negative values (by magnitude) and the number of zeros. The counts share memory
// with t: they must not be written to, and hold until t changes.
func (t *Trend) Buckets() (positive, negative Buckets, zeros int64) {
	if t.count > exactLimit {
		return t.pos.buckets(), t.neg.buckets(), t.zeros
	}
	var b Trend
	for _, v := range t.raw {
		b.bucket(v, 1)
	}
	return b.pos.buckets(), b.neg.buckets(), b.zeros
}
