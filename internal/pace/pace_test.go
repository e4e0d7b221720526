package pace

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

func TestConstantRateIsDueAtEqualDistances(t *testing.T) {
	c := Constant{PerUnit: 3, Unit: time.Second, Length: time.Second}
	for _, tt := range []struct {
		name    string
		elapsed time.Duration
		want    int64
	}{
		{"nothing before the start", -1, 0},
		{"one at the start", 0, 1},
		{"a nanosecond early is early", 333_333_333, 1},
		{"times are rounded up", 333_333_334, 2},
		{"none at the very end", time.Second, 3},
		{"after the end it stays put", time.Hour, 3},
	} {
		if got := c.Due(tt.elapsed); got != tt.want {
			t.Errorf("%s: Due(%v) = %d, want %d", tt.name, tt.elapsed, got, tt.want)
		}
	}
	big := Constant{PerUnit: 1_000_000, Unit: time.Minute, Length: 10_000 * time.Hour}
	if at, ok := big.At(599_999_999_999); !ok || at != 10_000*time.Hour-60*time.Microsecond {
		t.Errorf("the last of very many is due at %v, %v", at, ok)
	}
}

func TestRampIsDueWhenTheAreaReachesIt(t *testing.T) {
	// The numbers of k6's ramping-arrival-rate.
	climb := NewRamp(0, time.Second, []Stage{{time.Second, 20}, {475 * ms, 20}})
	leap := NewRamp(120, time.Minute, []Stage{{time.Second, 120}, {0, 600}, {550 * ms, 600}})
	for _, tt := range []struct {
		name  string
		ramp  *Ramp
		k     int64
		want  time.Duration
		count int64
	}{
		{"first of a climb", climb, 0, 316_227_767, 19},
		{"on the bound", climb, 9, time.Second, 19},
		{"after the bound", climb, 10, 1050 * ms, 19},
		{"flat", leap, 0, 500 * ms, 7},
		{"before the jump", leap, 1, time.Second, 7},
		{"after the jump", leap, 2, 1100 * ms, 7},
		{"at the end", NewRamp(10, time.Second, []Stage{{time.Second, 0}}), 4, time.Second, 5},
	} {
		if at, ok := tt.ramp.At(tt.k); !ok || at != tt.want || tt.ramp.Count() != tt.count {
			t.Errorf("%s: At(%d) = %v of %d, want %v of %d", tt.name, tt.k, at, tt.ramp.Count(), tt.want, tt.count)
		}
	}
	if _, ok := climb.At(19); ok {
		t.Error("one more than the area is due")
	}
	if r := NewRamp(5, time.Second, []Stage{{0, 10}}); r.Count() != 0 || r.Due(time.Hour) != 0 || r.Rate(0) != 0 {
		t.Error("a ramp without length makes something due")
	}
	if got := leap.Rate(500 * ms); got != 2 {
		t.Errorf("rate %v", got)
	}
	if got := climb.Rate(500 * ms); got != 10 {
		t.Errorf("rate %v", got)
	}
}

func randomCurve(r *rand.Rand) (Curve, time.Duration, func(time.Duration) *big.Rat) {
	unit := []time.Duration{time.Second, time.Minute, 37 * ms, 1}[r.IntN(4)]
	scale := int64(max(1, unit/time.Second))
	if unit == 1 {
		unit = time.Microsecond
	}
	start := r.Int64N(40) * scale
	var stages []Stage
	for range 1 + r.IntN(5) {
		stages = append(stages, Stage{time.Duration(r.IntN(3)) * time.Duration(r.IntN(300_000_000)), r.Int64N(40) * scale})
	}
	if unit == time.Microsecond {
		for i := range stages {
			stages[i].Duration /= 1000
		}
	}
	ramp := NewRamp(start, unit, stages)
	return ramp, ramp.Length(), func(t time.Duration) *big.Rat { return area(start, unit, stages, t) }
}

// area is the dumb twin: the exact area under the stages up to t.
func area(from int64, unit time.Duration, stages []Stage, t time.Duration) *big.Rat {
	sum := new(big.Rat)
	for _, s := range stages {
		if d := min(t, s.Duration); d > 0 {
			// The mean rate over d, times d.
			rise := new(big.Rat).Mul(big.NewRat(s.Target-from, 1), big.NewRat(int64(d), 2*int64(s.Duration)))
			rise.Add(rise, big.NewRat(from, 1))
			sum.Add(sum, rise.Mul(rise, big.NewRat(int64(d), int64(unit))))
		}
		t -= s.Duration
		if t < 0 {
			break
		}
		from = s.Target
	}
	return sum
}

func TestRampAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		c, length, twin := randomCurve(r)
		if got, want := c.Count(), new(big.Int).Quo(twin(length).Num(), twin(length).Denom()).Int64(); got != want {
			t.Fatalf("%d due, want %d", got, want)
		}
		for k := int64(0); k < c.Count(); k += 1 + r.Int64N(1+c.Count()/50) {
			at, ok := c.At(k)
			if !ok || at > length {
				t.Fatalf("%d-th at %v of %v, %v", k, at, length, ok)
			}
			n := big.NewRat(k+1, 1)
			// A few nanoseconds are the float's; where the rate goes to zero the root is blunt, so compare areas as well.
			slack := 2 + at/1_000_000_000
			tiny := big.NewRat(1, 1_000_000_000)
			if twin(at+slack).Cmp(new(big.Rat).Sub(n, tiny)) < 0 || at > slack && twin(at-slack).Cmp(new(big.Rat).Add(n, tiny)) > 0 {
				t.Fatalf("%d-th at %v: area %s", k, at, twin(at).FloatString(12))
			}
		}
	}
}

func TestDueCountsAt(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 100 {
		c, length, _ := randomCurve(r)
		if round%3 == 0 {
			k := Constant{PerUnit: r.Int64N(50), Unit: time.Duration(1+r.IntN(1000)) * ms, Length: time.Duration(r.IntN(int(time.Second)))}
			c, length = k, k.Length
		}
		if round%2 == 0 {
			c = Shared{c, third(r.Int64N(3))}
		}
		if round%5 == 0 {
			missed := r.Int64N(c.Count() + 1)
			c = CatchUp{c, r.Int64N(missed + 1), missed}
		}
		var at []time.Duration
		for k := int64(0); ; k++ {
			d, ok := c.At(k)
			if !ok {
				break
			}
			if k > 0 && d < at[k-1] {
				t.Fatalf("%d-th at %v, before %v", k, d, at[k-1])
			}
			at = append(at, d)
		}
		if c.Count() != int64(len(at)) {
			t.Fatalf("count %d, want %d", c.Count(), len(at))
		}
		instants := append(slices.Clone(at), -1, 0, length-1, length, length+1)
		if len(instants) > 300 {
			r.Shuffle(len(instants), func(i, j int) { instants[i], instants[j] = instants[j], instants[i] })
			instants = instants[:300]
		}
		for range 50 {
			instants = append(instants, time.Duration(r.Int64N(int64(length)+2)))
		}
		for _, i := range slices.Clone(instants) {
			instants = append(instants, i-1)
		}
		for _, i := range instants {
			want, _ := slices.BinarySearch(at, i+1)
			if got := c.Due(i); got != int64(want) {
				t.Fatalf("Due(%v) = %d, want %d", i, got, want)
			}
		}
	}
}

func TestWhoIsLateCatchesUpAtTwiceTheRate(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		c, length, _ := randomCurve(r)
		since := time.Duration(r.Int64N(int64(length) + 1))
		missed := c.Due(since)
		late := CatchUp{c, r.Int64N(missed + 1), missed}
		if got := late.Due(since); got != late.First {
			t.Fatalf("%d come at once", got-late.First)
		}
		for range 50 {
			from := since + time.Duration(r.Int64N(int64(length-since)+1))
			to := from + time.Duration(r.Int64N(int64(length-from)+1))
			came, due := late.Due(to)-late.Due(from), c.Due(to)-c.Due(from)
			if came > 2*due+1 {
				t.Fatalf("from %v to %v %d come, of %d that are due", from, to, came, due)
			}
			if late.Due(to) > c.Due(to) {
				t.Fatalf("at %v %d have come, %d are due", to, late.Due(to), c.Due(to))
			}
		}
		if left := c.Count() - missed; left >= missed-late.First && late.Count() != c.Count() {
			t.Fatalf("%d are late, %d are left, and %d come of %d", missed-late.First, left, late.Count(), c.Count())
		}
	}
}

// third is the share of every third thing.
type third int64

func (s third) Global(local int64) int64 { return local*3 + int64(s) }
func (s third) Scale(n int64) int64      { return (n + 2 - int64(s)) / 3 }

func BenchmarkRampAt(b *testing.B) {
	r := NewRamp(0, time.Second, []Stage{{time.Minute, 1000}, {time.Hour, 4000}, {time.Minute, 0}})
	b.ReportAllocs()
	k := int64(0)
	for b.Loop() {
		if _, ok := r.At(k); !ok {
			b.Fatal("not due")
		}
		k = (k + 12345) % r.Count()
	}
}
