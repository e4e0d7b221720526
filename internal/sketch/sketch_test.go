package sketch

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// twin is the dumb version: it keeps everything.
type twin []float64

func (w twin) quantile(q float64) float64 {
	s := slices.Sorted(slices.Values(w))
	r := q * float64(len(s)-1)
	lo, hi := int(math.Floor(r)), int(math.Ceil(r))
	return s[lo] + (s[hi]-s[lo])*(r-float64(lo))
}

func values(r *rand.Rand, n int) []float64 {
	kind := r.IntN(5)
	out := make([]float64, n)
	for i := range out {
		switch kind {
		case 0:
			out[i] = float64(r.IntN(100))
		case 1:
			out[i] = math.Exp(r.NormFloat64() * 3)
		case 2:
			out[i] = r.NormFloat64() * 1000
		case 3:
			out[i] = float64(r.IntN(3) - 1)
		default:
			out[i] = 100 + r.Float64()
		}
	}
	return out
}

var quantiles = []float64{0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1}

func TestQuantileAgainstSortedSlice(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		n := 1 + r.IntN(130)
		if round%3 == 0 {
			n = 1 + r.IntN(3000)
		}
		vs := values(r, n)
		var s Trend
		for _, v := range vs {
			s.Add(v)
		}
		sorted := slices.Sorted(slices.Values(vs))
		if s.Count() != int64(n) || s.Min() != sorted[0] || s.Max() != sorted[n-1] {
			t.Fatalf("count %d min %v max %v", s.Count(), s.Min(), s.Max())
		}
		for _, q := range quantiles {
			got, want := s.Quantile(q), twin(vs).quantile(q)
			rank := q * float64(n-1)
			lo, hi := sorted[int(math.Floor(rank))], sorted[int(math.Ceil(rank))]
			slack := 0.002709 * max(math.Abs(lo), math.Abs(hi))
			if n <= exactLimit {
				slack = 1e-12 * math.Abs(want)
			}
			if math.Abs(got-want) > slack {
				t.Fatalf("n=%d q=%v: got %v, want %v", n, q, got, want)
			}
		}
	}
}

func TestMergeForgetsOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		vs := values(r, r.IntN(400))
		var whole Trend
		for _, v := range vs {
			whole.Add(v)
		}
		parts := make([]*Trend, 1+r.IntN(5))
		for i := range parts {
			parts[i] = new(Trend)
		}
		for _, i := range r.Perm(len(vs)) {
			parts[r.IntN(len(parts))].Add(vs[i])
		}
		for len(parts) > 1 {
			a, b := r.IntN(len(parts)), r.IntN(len(parts)-1)
			if b >= a {
				b++
			}
			parts[a].Merge(parts[b])
			parts = slices.Delete(parts, b, b+1)
		}
		same(t, parts[0], &whole)
	}
}

func same(t *testing.T, a, b *Trend) {
	t.Helper()
	if a.Count() != b.Count() || a.Sum() != b.Sum() || a.Min() != b.Min() || a.Max() != b.Max() {
		t.Fatalf("count %d/%d sum %v/%v min %v/%v max %v/%v", a.Count(), b.Count(), a.Sum(), b.Sum(), a.Min(), b.Min(), a.Max(), b.Max())
	}
	for _, q := range quantiles {
		if a.Quantile(q) != b.Quantile(q) {
			t.Fatalf("q=%v: %v and %v", q, a.Quantile(q), b.Quantile(q))
		}
	}
	ap, an, az := a.Buckets()
	bp, bn, bz := b.Buckets()
	if az != bz || ap.Offset != bp.Offset || an.Offset != bn.Offset || !slices.Equal(ap.Counts, bp.Counts) || !slices.Equal(an.Counts, bn.Counts) {
		t.Fatal("buckets differ")
	}
}

func TestIndexAgainstLogarithm(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	check := func(v float64) {
		i := indexOf(math.Float64bits(v))
		if i > minIndex && !(v > Bound(i)) || i < maxIndex && v > Bound(i+1) {
			// A bound is irrational, or a power of two that belongs to the bucket below it.
			t.Fatalf("%v is not in bucket %d (%v, %v]", v, i, Bound(i), Bound(i+1))
		}
		if e := math.Abs(representative(i)-v) / v; e > 0.002709 {
			t.Fatalf("%v is represented by %v: error %v", v, representative(i), e)
		}
	}
	for range 200_000 {
		check(math.Ldexp(1+r.Float64(), r.IntN(2000)-1000))
	}
	for i := int32(-1000); i < 1000; i++ {
		b := Bound(i)
		for _, v := range []float64{math.Nextafter(b, 0), b, math.Nextafter(b, math.Inf(1))} {
			check(v)
		}
		if log := math.Log2(b) * perOctave; math.Abs(log-float64(i)) > 1e-9 {
			t.Fatalf("bound %d is 2^(%v/128)", i, log)
		}
	}
}

func TestOddNumbersAreSane(t *testing.T) {
	var s Trend
	s.Add(math.NaN())
	s.AddN(math.NaN(), 5)
	s.AddN(1, 0)
	s.AddN(1, -3)
	if s.Count() != 0 || s.Quantile(0.5) != 0 || s.Avg() != 0 || s.Sum() != 0 {
		t.Fatalf("not empty: %+v", s)
	}
	for range 100 {
		for _, v := range []float64{math.Inf(1), math.MaxFloat64, 5e-324, math.Copysign(0, -1), -2, 0x1p-1022} {
			s.Add(v)
		}
	}
	if s.Count() != 600 || s.Min() != -2 || !math.IsInf(s.Max(), 1) || !math.IsInf(s.Sum(), 1) {
		t.Fatalf("count %d min %v max %v sum %v", s.Count(), s.Min(), s.Max(), s.Sum())
	}
	if q := s.Quantile(0.5); q < 0 || q > 1e-300 {
		t.Errorf("median %v", q)
	}
	if q := s.Quantile(math.NaN()); q != -2 {
		t.Errorf("quantile of NaN %v", q)
	}
	s.Reset()
	if s.Count() != 0 || s.Max() != 0 || s.Quantile(1) != 0 {
		t.Error("reset left something")
	}
}

func TestSumForgetsNoSmallValue(t *testing.T) {
	var s Trend
	s.Add(1e16)
	for range 1000 {
		s.Add(1)
	}
	s.Add(-1e16)
	if s.Sum() != 1000 {
		t.Errorf("sum %v", s.Sum())
	}
}

func TestAddNIsAddRepeated(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		var a, b Trend
		for range r.IntN(6) {
			v, n := float64(r.IntN(2000)-1000)/8, int64(r.IntN(100))
			a.AddN(v, n)
			for range n {
				b.Add(v)
			}
		}
		same(t, &a, &b)
	}
}

func TestMergeWithItselfDoubles(t *testing.T) {
	for _, n := range []int{1, 64, 65, 128, 129, 500} {
		var a, b Trend
		for i := range n {
			a.Add(float64(i))
			b.AddN(float64(i), 2)
		}
		a.Merge(&a)
		same(t, &a, &b)
	}
}

func TestCloneAndResetShareNothing(t *testing.T) {
	var a Trend
	for i := range 1000 {
		a.Add(float64(i))
	}
	c, want := a.Clone(), a.Clone()
	a.Reset()
	for range 300 {
		a.Add(7)
	}
	same(t, c, want)
	if a.Quantile(0.3) != 7 || a.Count() != 300 {
		t.Errorf("after reset: %v of %d", a.Quantile(0.3), a.Count())
	}
}

func TestAddAllocatesNothingOnceWarm(t *testing.T) {
	var s Trend
	vs := values(rand.New(rand.NewPCG(9, 9)), 1000)
	round := func() {
		s.Reset()
		for _, v := range vs {
			s.Add(v)
		}
	}
	round()
	if n := testing.AllocsPerRun(10, round); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	var s Trend
	r := rand.New(rand.NewPCG(1, 1))
	var vs [1024]float64
	for i := range vs {
		vs[i] = math.Exp(r.NormFloat64())
		s.Add(vs[i])
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s.Add(vs[i&1023])
		i++
	}
}

func BenchmarkMerge(b *testing.B) {
	var s, o Trend
	r := rand.New(rand.NewPCG(1, 1))
	for range 10000 {
		o.Add(math.Exp(r.NormFloat64()))
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Merge(&o)
	}
}
