package segment

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// leaf is a share with its dumb twin: the list of the things that belong to it.
type leaf struct {
	share Share
	owns  []int64
	vus   []int64 // which of the whole's VUs are its own
}

// again cuts l into pieces; what belongs to each is dealt the slow way, one thing after another.
func (l leaf) again(r *rand.Rand) []leaf {
	q := randomSequence(r)
	parts, lcd, err := q.parts()
	if err != nil {
		panic(err)
	}
	whose := make([]int, 0, lcd)
	deal(lcd, parts, func(_ int64, part int) bool { whose = append(whose, part); return true })
	pieces := make([]leaf, len(q))
	for i := range q {
		pieces[i].share = append(slices.Clone(l.share), Cut{q[i], q})
	}
	for i, thing := range l.owns {
		p := &pieces[whose[int64(i)%lcd]]
		p.owns = append(p.owns, thing)
	}
	for i, vu := range l.vus {
		p := &pieces[whose[int64(i)%lcd]]
		p.vus = append(p.vus, vu)
	}
	return pieces
}

func upTo(n int64) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = int64(i)
	}
	return all
}

// TestSharesOfSharesTile grows trees of cuts. Cutting one leaf again replaces it and leaves the others as they are, so that every
// tree's leaves tile, and each has what its twin says.
func TestSharesOfSharesTile(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 100 {
		n := r.Int64N(400)
		leaves := []leaf{{owns: upTo(n)}}
		for range 1 + r.IntN(4) {
			i := r.IntN(len(leaves))
			leaves = slices.Replace(leaves, i, i+1, leaves[i].again(r)...)
		}
		var all []int64
		length := 0.0
		for _, l := range leaves {
			tu, err := l.share.Tuple()
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for i := range tu.Scale(n) {
				got = append(got, tu.Global(i))
			}
			if !slices.Equal(got, l.owns) {
				t.Fatalf("%s of %d: %v, want %v", l.share, n, got, l.owns)
			}
			if g := tu.Global(tu.Scale(n)); g < n {
				t.Fatalf("%s: one more of %d is %d", l.share, n, g)
			}
			all = append(all, got...)
			length += tu.Segment().Share()
		}
		slices.Sort(all)
		if !slices.Equal(all, upTo(n)) || math.Abs(length-1) > 1e-9 {
			t.Fatalf("%d things: dealt %v, lengths sum to %v", n, all, length)
		}
	}
}

// TestWhatGoesByVUsTiles holds Resegment in a tree of cuts: everything is dealt out once, and to each leaf in proportion to its VUs
// as far as the VUs go.
func TestWhatGoesByVUsTiles(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 100 {
		vus, rounds := 1+r.Int64N(30), 1+r.Int64N(9)
		leaves := []leaf{{vus: upTo(vus)}}
		for range 1 + r.IntN(4) {
			i := r.IntN(len(leaves))
			leaves = slices.Replace(leaves, i, i+1, leaves[i].again(r)...)
		}
		n := vus*rounds + r.Int64N(vus)
		var all []int64
		for _, l := range leaves {
			tu, err := l.share.Tuple()
			if err != nil {
				t.Fatal(err)
			}
			re, err := tu.Resegment(vus)
			if errors.Is(err, ErrNoShare) && len(l.vus) == 0 {
				continue
			} else if err != nil {
				t.Fatalf("%s with VUs %v: %v", l.share, l.vus, err)
			}
			if got, want := re.Scale(vus*rounds), int64(len(l.vus))*rounds; got != want {
				t.Fatalf("%s has %d of %d VUs and %d of %d things, want %d", l.share, len(l.vus), vus, got, vus*rounds, want)
			}
			for i := range re.Scale(n) {
				all = append(all, re.Global(i))
			}
		}
		slices.Sort(all)
		if !slices.Equal(all, upTo(n)) {
			t.Fatalf("%d things by %d VUs: %v", n, vus, all)
		}
	}
}

func TestWhatACutLiesInKeepsItsNumbers(t *testing.T) {
	half := mustTuple(t, "0:1/2", "")
	third, err := Share{{mustTuple(t, "1/3:2/3", "").segment, mustTuple(t, "1/3:2/3", "").sequence}}.In(half)
	if err != nil {
		t.Fatal(err)
	}
	// 5 VUs: the half has 0, 2 and 4; all of them by VUs would number 0, 2, 4 of 5; the middle third of them is VU 2.
	for _, tt := range []struct {
		name string
		re   func(int64) (*Tuple, error)
		want []int64
	}{{"Resegment", third.Resegment, []int64{2, 7, 12, 17}}, {"ResegmentCuts", third.ResegmentCuts, []int64{2, 8, 14, 20}}} {
		re, err := tt.re(5)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for i := range int64(4) {
			got = append(got, re.Global(i))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestSharesAsText(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""}, {"1@1x3", "1@1x3"}, {"1@1,1,1/0@2,1", "1@1x3/0@2,1"}, {"0@4,2,2", "0@2,1x2"}, {"0@7", "0@1"},
	} {
		s, err := ParseShare(tt.in)
		if err != nil || s.String() != tt.want {
			t.Errorf("%q: %s, %v, want %s", tt.in, s, err, tt.want)
		}
	}
	long := strings.Repeat("0@1/", maxCuts)
	for _, in := range []string{"@", "0", "0@", "0@0", "1@1", "-1@1", "0@1x0", "0@1x", "0@x2", "0@1,", "/", "0@1/", "0@+1", "0@1_0", "0@10000001",
		"0@1x100001", "0@1x60000/0@1x60000", "0@6000000/0@6000000", "0@99999999999999999999", long + "0@1", strings.Repeat("0", maxText) + "@1"} {
		if s, err := ParseShare(in); !errors.Is(err, ErrShare) {
			t.Errorf("%.40q: %.80s, %v", in, s, err)
		}
	}
	var s Share
	if err := json.Unmarshal([]byte(`"1@1,2"`), &s); err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(s); err != nil || string(text) != `"1@1,2"` {
		t.Errorf("JSON %s, %v", text, err)
	}
	if _, err := (Share{{Segment: mustTuple(t, "1/2", "").segment, Sequence: sequenceOf(proportions([]int64{1, 1, 1}))}}).MarshalText(); !errors.Is(err, ErrShare) {
		t.Errorf("a segment outside its sequence: %v", err)
	}
}

func TestATupleTellsItsShare(t *testing.T) {
	for _, in := range []string{"", "1@1x3", "1@1x3/0@2,1", "2@1,2,3/1@1x2/0@3,4"} {
		s, err := ParseShare(in)
		if err != nil {
			t.Fatal(err)
		}
		tu, err := s.Tuple()
		if err != nil || tu.Share().String() != in {
			t.Errorf("%s becomes %s, %v", in, tu.Share(), err)
		}
		seg := mustTuple(t, "1/5:3/5", "")
		within, err := s.In(seg)
		if want := strings.TrimSuffix("1@1,2x2/"+in, "/"); err != nil || within.Share().String() != want {
			t.Errorf("%s becomes %s, %v, want %s", in, within.Share(), err, want)
		}
	}
}

func TestStripesOfAShareAreBoundedTogether(t *testing.T) {
	var s Share
	for range 4 {
		q := sequenceOf(proportions([]int64{1}))
		q = append(q[:0], sequenceOf([]int64{1, 2_999_999})...)
		s = append(s, Cut{q[0], q})
	}
	if _, err := s[:3].Tuple(); err != nil {
		t.Error(err)
	}
	if _, err := s.Tuple(); !errors.Is(err, ErrStripe) {
		t.Errorf("four stripes of three million: %v", err)
	}
	deep := make(Share, maxCuts+1)
	if _, err := deep.Tuple(); !errors.Is(err, ErrShare) {
		t.Errorf("cut %d times: %v", len(deep), err)
	}
}

func TestTheFractionOfAShare(t *testing.T) {
	for text, want := range map[string]float64{"": 1, "0@1x4": 0.25, "1@1x3/0@2,1": 2. / 9} {
		share, err := ParseShare(text)
		if got := share.Fraction(); err != nil || math.Abs(got-want) > 1e-15 {
			t.Errorf("%q: %v, want %v; %v", text, got, want, err)
		}
	}
}

func TestAShareCannotBeCutForEver(t *testing.T) {
	share := ""
	for cuts := range maxCuts + 1 {
		texts, err := Divide(share, []int64{1, 1})
		if (err != nil) != (cuts == maxCuts) || err != nil && !errors.Is(err, ErrShare) {
			t.Fatalf("cut %d: %v", cuts+1, err)
		}
		if err == nil {
			share = texts[1]
		}
	}
}

func TestDivideIsProportional(t *testing.T) {
	for _, tt := range []struct {
		weights []int64
		want    string
	}{
		{nil, ""}, {[]int64{5}, "0,1"}, {[]int64{1, 1, 1}, "0,1/3,2/3,1"}, {[]int64{4000, 2000, 2000}, "0,1/2,3/4,1"},
		{[]int64{0, 3}, "0,1/4,1"}, {[]int64{math.MaxInt64, math.MaxInt64}, "0,1/2,1"},
	} {
		if got := sequenceOf(proportions(tt.weights)).String(); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.weights, got, tt.want)
		}
	}
	r := rand.New(rand.NewPCG(15, 16))
	for range 200 {
		weights := make([]int64, 1+r.IntN(300))
		sum := 0.0
		for i := range weights {
			weights[i] = 1 + r.Int64N(1<<r.IntN(62))
			sum += float64(weights[i])
		}
		q := sequenceOf(proportions(weights))
		for _, of := range []string{"", "1@1x3/0@2,1"} {
			texts, err := Divide(of, weights)
			if i := r.IntN(len(q)); err != nil || len(texts) != len(q) {
				t.Fatalf("%v: %d texts, %v", weights, len(texts), err)
			} else if share, err := ParseShare(texts[i]); err != nil || !share[len(share)-1].Segment.Equal(q[i]) || share.String() != texts[i] || share[:len(share)-1].String() != of {
				t.Fatalf("%v: part %d of %q is %s: %v", weights, i, of, texts[i], err)
			}
		}
		off := min(1./1000, 1/float64(100*len(weights)))
		if _, lcd, err := q.parts(); err != nil || lcd > 1010+101*int64(len(weights)) {
			t.Fatalf("%v: stripes of %d, %v", weights, lcd, err)
		}
		for i, s := range q {
			if want := float64(weights[i]) / sum; math.Abs(s.Share()-want) > off+want/100 {
				t.Fatalf("%v: part %d is %v, want %v", weights, i, s.Share(), want)
			}
		}
	}
}

func TestACutScalesAsItsTupleDoes(t *testing.T) {
	q := sequenceOf(proportions([]int64{1, 2}))
	parent, err := Share{{q[1], q}}.Tuple()
	if err != nil {
		t.Fatal(err)
	}
	c := Cut{q[0], q}
	child, err := append(parent.Share(), c).Tuple()
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(50) {
		if got, err := c.Scale(parent.Scale(n), 0); err != nil || got != child.Scale(n) {
			t.Errorf("%d of %d, want %d (%v)", got, n, child.Scale(n), err)
		}
		re, err := child.Resegment(9)
		whole, werr := parent.Resegment(9)
		if err != nil || werr != nil {
			t.Fatal(err, werr)
		}
		if got, err := c.Scale(whole.Scale(n), parent.Scale(9)); err != nil || got != re.Scale(n) {
			t.Errorf("by VUs: %d of %d, want %d (%v)", got, n, re.Scale(n), err)
		}
	}
	if got, err := c.Scale(10, 1); got != 0 || err != nil {
		t.Errorf("the smaller part of one VU has %d, %v", got, err)
	}
}

func FuzzParseShare(f *testing.F) {
	for _, s := range []string{"", "1@1x3", "1@1x3/0@2,1", "0@1x100000", "0@9999999,1/0@1", "0@1/0@1/0@1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseShare(text)
		if err != nil {
			return
		}
		again, err := ParseShare(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q: %s becomes %s: %v", text, s, again, err)
		}
	})
}
