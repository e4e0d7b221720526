package segment

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestParseReadsWhatK6Reads(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", "0:1"}, {"1/3", "0:1/3"}, {"0:1/3", "0:1/3"}, {"25%:50%", "1/4:1/2"}, {"0.2:0.7", "1/5:7/10"},
		{"1", "0:1"}, {"100%", "0:1"}, {"2/6:4/6", "1/3:2/3"}, {"12.5%", "0:1/8"},
		{"0:2", "segment end value can't be more than 1 but was 2.00"},
		{"1/3:1/3", "segment start(0.33) must be less than its end(0.33)"},
		{"0.5:0.2", "segment start(0.50) must be less than its end(0.20)"},
		{"-1:1", "segment start value must be at least 0 but was -1.00"},
		{"0", "segment start(0.00) must be less than its end(0.00)"},
		{"a:b", "'a' is not a valid percentage, decimal, fraction or interval value"},
		{"1/0", "'1/0' is not a valid percentage, decimal, fraction or interval value"},
		{"50%:", "'' is not a valid percentage, decimal, fraction or interval value"},
		{"0:1/3:2/3", "'1/3:2/3' is not a valid percentage, decimal, fraction or interval value"},
		{"1e-999999999", "'1e-999999999' is not a valid percentage, decimal, fraction or interval value"},
	} {
		s, err := Parse(tt.in)
		got := s.String()
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestParseSequenceReadsWhatK6Reads(t *testing.T) {
	for _, tt := range []struct{ in, want, full string }{
		{"", "", "0,1"}, {"0,1/3,2/3,1", "0,1/3,2/3,1", "0,1/3,2/3,1"}, {"1/3,2/3", "1/3,2/3", "0,1/3,2/3,1"},
		{"0,0.25,33%,1", "0,1/4,33/100,1", "0,1/4,33/100,1"},
		{"0", "at least 2 points are needed for an execution segment sequence, 1 given", ""},
		{"1,0", "segment start(1.00) must be less than its end(0.00)", ""},
		{"0,a", "'a' is not a valid percentage, decimal, fraction or interval value", ""},
		{"0,1/2,1/2,1", "segment start(0.50) must be less than its end(0.50)", ""},
	} {
		q, err := ParseSequence(tt.in)
		if err != nil {
			if err.Error() != tt.want {
				t.Errorf("%q: %v, want %s", tt.in, err, tt.want)
			}
			continue
		}
		if q.String() != tt.want || q.Filled().String() != tt.full {
			t.Errorf("%q: %s filled %s, want %s filled %s", tt.in, q, q.Filled(), tt.want, tt.full)
		}
	}
}

// owned lists which of the first 31 things k6 1.8.1 gave to a segment: the iterationInTest of a constant arrival rate.
func TestStripesAreThoseOfK6(t *testing.T) {
	for _, tt := range []struct {
		segment, sequence string
		want              []int64
	}{
		{"3/5", "", []int64{0, 2, 4, 5, 7, 9, 10, 12, 14, 15, 17, 19, 20, 22, 24, 25, 27, 29, 30}},
		{"0.2:0.7", "", []int64{0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30}},
		{"1/3:2/3", "0,1/3,2/3,1", []int64{1, 4, 7, 10, 13, 16, 19, 22, 25, 28}},
	} {
		tu := mustTuple(t, tt.segment, tt.sequence)
		var got []int64
		for i := range tu.Scale(31) {
			got = append(got, tu.Global(i))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s of %q: %v, want %v", tt.segment, tt.sequence, got, tt.want)
		}
	}
}

func mustTuple(t *testing.T, segment, sequence string) *Tuple {
	t.Helper()
	s, err := Parse(segment)
	if err != nil {
		t.Fatal(err)
	}
	q, err := ParseSequence(sequence)
	if err != nil {
		t.Fatal(err)
	}
	tu, err := NewTuple(s, q)
	if err != nil {
		t.Fatal(err)
	}
	return tu
}

// randomSequence cuts the whole at random places that have a small common denominator.
func randomSequence(r *rand.Rand) Sequence {
	d := 1 + r.IntN(40)
	cuts := map[int]bool{d: true}
	for range r.IntN(6) {
		cuts[1+r.IntN(d)] = true
	}
	var q Sequence
	from := new(big.Rat)
	for i := 1; i <= d; i++ {
		if cuts[i] {
			to := big.NewRat(int64(i), int64(d))
			q = append(q, Segment{from, to})
			from = to
		}
	}
	return q
}

func TestSharesTile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		q := randomSequence(r)
		tuples := make([]*Tuple, len(q))
		for i := range q {
			tuples[i] = mustTuple(t, q[i].String(), q.String())
		}
		if r.IntN(2) == 0 {
			tuples = resegmented(t, tuples, 1+r.Int64N(20))
		}
		n := r.Int64N(200)
		seen := make([]int, n)
		var total int64
		for _, tu := range tuples {
			mine := tu.Scale(n)
			total += mine
			last := int64(-1)
			for i := range mine {
				g := tu.Global(i)
				if g <= last || g >= n {
					t.Fatalf("%s: %d-th of %d is %d after %d", q, i, n, g, last)
				}
				seen[g]++
				last = g
			}
			if g := tu.Global(mine); g < n {
				t.Fatalf("%s: one more of %d is %d", q, n, g)
			}
		}
		if total != n || slices.ContainsFunc(seen, func(c int) bool { return c != 1 }) {
			t.Fatalf("%s: %d of %d dealt: %v", q, total, n, seen)
		}
	}
}

func resegmented(t *testing.T, tuples []*Tuple, n int64) (out []*Tuple) {
	t.Helper()
	for _, tu := range tuples {
		re, err := tu.Resegment(n)
		if err == nil {
			out = append(out, re)
		} else if !errors.Is(err, ErrNoShare) || tu.Scale(n) != 0 {
			t.Fatalf("%s of %d: %v", tu.Segment(), n, err)
		}
	}
	return out
}

// TestDealAgainstTwin deals the slow way: for every element look through all parts.
func TestDealAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		parts, lcd, err := randomSequence(r).parts()
		if err != nil {
			t.Fatal(err)
		}
		order := make([]int, len(parts))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return int(parts[b] - parts[a]) })
		dealt := make([]int64, len(parts))
		deal(lcd, parts, func(i int64, part int) bool {
			for _, j := range order {
				if dealt[j]*lcd <= i*parts[j] {
					if j != part {
						t.Fatalf("%v: %d goes to %d, not %d", parts, i, part, j)
					}
					dealt[j]++
					return true
				}
			}
			t.Fatalf("%v: nobody wants %d", parts, i)
			return false
		})
		if !slices.Equal(dealt, parts) {
			t.Fatalf("dealt %v to %v", dealt, parts)
		}
	}
}

func TestSharedIterationsFollowVUs(t *testing.T) {
	// The compat cases segment-thirds-1 to -3: 13 iterations among 5 VUs.
	want := [][]int64{{0, 3, 5, 8, 10}, {1, 4, 6, 9, 11}, {2, 7, 12}}
	for i, seg := range []string{"0:1/3", "1/3:2/3", "2/3:1"} {
		tu, err := mustTuple(t, seg, "0,1/3,2/3,1").Resegment(5)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for k := range tu.Scale(13) {
			got = append(got, tu.Global(k))
		}
		if !slices.Equal(got, want[i]) {
			t.Errorf("%s: %v, want %v", seg, got, want[i])
		}
	}
}

func TestSharesNeverShrinkAsTheWholeGrows(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		q := randomSequence(r)
		tu := mustTuple(t, q[0].String(), q.String())
		for n := range int64(150) {
			if d := tu.Scale(n+1) - tu.Scale(n); d != 0 && d != 1 {
				t.Fatalf("%s: from %d to %d the share moves by %d", q, n, n+1, d)
			}
		}
	}
}

func TestSegmentOutsideItsSequenceIsRefused(t *testing.T) {
	q, _ := ParseSequence("0,1/2,1")
	s, _ := Parse("1/3:2/3")
	_, err := NewTuple(s, q)
	if want := "provided segment 1/3:2/3 can't be found in sequence 0,1/2,1"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if s, err = Parse("0.33333333:0.77777777"); err != nil {
		t.Fatal(err)
	}
	if _, err = NewTuple(s, nil); !errors.Is(err, ErrStripe) {
		t.Errorf("%v", err)
	}
}

func TestAThousandInstancesAreCutQuickly(t *testing.T) {
	var b strings.Builder
	b.WriteString("0")
	for i := 1; i <= 1000; i++ {
		fmt.Fprintf(&b, ",%d/1000", i)
	}
	tu := mustTuple(t, "500/1000:501/1000", b.String())
	re, err := tu.Resegment(1500)
	if err != nil || tu.Scale(1500) != 1 || re.Scale(1500) != 1 {
		t.Errorf("%v, %d, %d", err, tu.Scale(1500), re.Scale(1500))
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "1/3", "0:1/3", "25%:50%", "0.2:0.7", "1e9", "0x1p-4", "-1/3:2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if seg, err := Parse(s); err == nil {
			again, err := Parse(seg.String())
			if err != nil || !again.Equal(seg) {
				t.Fatalf("%q: %s becomes %s: %v", s, seg, again, err)
			}
		}
		if q, err := ParseSequence(s); err == nil {
			again, err := ParseSequence(q.String())
			if err != nil || again.String() != q.String() {
				t.Fatalf("%q: %s becomes %s: %v", s, q, again, err)
			}
		}
	})
}
