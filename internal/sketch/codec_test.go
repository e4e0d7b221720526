package sketch

import (
	"errors"
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
		back.Add(3)
		s.Add(3)
		same(t, &back, &s)
		if len(b) > 0 && back.UnmarshalBinary(b[:len(b)-1]) == nil {
			t.Fatal("a torn encoding was accepted")
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
		s.Merge(&again)
	})
}
