package sketch

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestEncodingKeepsEverything(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 300 {
		var s, back Trend
		for _, v := range values(r, r.IntN(400)) {
			s.Add(v)
		}
		b, _ := s.MarshalBinary()
		if err := back.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		same(t, &back, &s)
		if again, _ := back.MarshalBinary(); !bytes.Equal(b, again) {
			t.Fatal("what was decoded is encoded to other bytes")
		}
		back.Add(3)
		s.Add(3)
		same(t, &back, &s)
		if len(b) > 0 && back.UnmarshalBinary(b[:len(b)-1]) == nil {
			t.Fatal("a torn encoding was accepted")
		}
	}
}

func TestMergingTheEncodedIsMergingTheDecoded(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	var reused Trend // keeps its memory from one round to the next, as a tally's does
	for range 300 {
		reused.Reset()
		var want Trend
		for range 1 + r.IntN(4) {
			var s Trend
			for _, v := range values(r, r.IntN(300)) {
				s.Add(v)
			}
			b, _ := s.MarshalBinary()
			if err := reused.MergeBinary(b); err != nil {
				t.Fatal(err)
			}
			want.Merge(&s)
		}
		same(t, &reused, &want)
		a, _ := reused.MarshalBinary()
		if b, _ := want.MarshalBinary(); !bytes.Equal(a, b) {
			t.Fatal("the two ways of merging differ")
		}
	}
}

func TestCheckSaysWhatDecodingCosts(t *testing.T) {
	var narrow, wide Trend
	for range 200 {
		narrow.Add(20)
	}
	narrow.Add(21)
	wide.Merge(&narrow)
	wide.Add(1e-300)
	wide.Add(1e300)
	for _, tt := range []struct {
		name        string
		t           *Trend
		least, most int
	}{
		{"neighbours", &narrow, 8, 100},
		{"1e-300 and 1e300", &wide, 8 * 1900 * perOctave, 8 * 2100 * perOctave},
		{"nothing", new(Trend), 0, 0},
	} {
		b, _ := tt.t.MarshalBinary()
		if n, err := Check(b); err != nil || n < tt.least || n > tt.most {
			t.Errorf("%s: %d bytes, %v; want %d to %d", tt.name, n, err, tt.least, tt.most)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, n := range []int{0, 1, 128, 129, 1000} {
		var s Trend
		for i := range n {
			s.Add(float64(i - n/3))
		}
		b, _ := s.MarshalBinary()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, again Trend
		if err := s.UnmarshalBinary(b); err != nil {
			if !errors.Is(err, ErrFormat) || s.Count() != 0 {
				t.Fatalf("%v, count %d", err, s.Count())
			}
			return
		}
		if q := s.Quantile(0.5); !(q >= s.Min() && q <= s.Max()) {
			t.Fatalf("median %v of %v to %v", q, s.Min(), s.Max())
		}
		c, _ := s.MarshalBinary()
		if err := again.UnmarshalBinary(c); err != nil {
			t.Fatal(err)
		}
		if d, _ := again.MarshalBinary(); !bytes.Equal(c, d) {
			t.Fatal("encoded twice, it is not the same")
		}
		s.Merge(&again)
	})
}

// latencies is a trend of n values as a healthy server's are: a log-normal bulk at 20 ms and a few stragglers.
func latencies(n int) *Trend {
	r := rand.New(rand.NewPCG(1, 2))
	t := new(Trend)
	for range n {
		v := 20 * math.Exp(r.NormFloat64()*0.5)
		if r.IntN(100) == 0 {
			v *= 10
		}
		t.Add(v)
	}
	return t
}

func BenchmarkEncode(b *testing.B) {
	t := latencies(100_000)
	var buf []byte
	for b.Loop() {
		buf, _ = t.AppendBinary(buf[:0])
	}
	b.ReportMetric(float64(len(buf)), "bytes/trend")
}

func BenchmarkUnmarshal(b *testing.B) {
	data, _ := latencies(100_000).MarshalBinary()
	b.ReportAllocs()
	for b.Loop() {
		var t Trend
		if t.UnmarshalBinary(data) != nil {
			b.Fatal("malformed")
		}
	}
}

func BenchmarkMergeBinary(b *testing.B) {
	data, _ := latencies(100_000).MarshalBinary()
	b.ReportAllocs()
	var t Trend
	for b.Loop() {
		if t.MergeBinary(data) != nil {
			b.Fatal("malformed")
		}
	}
}
