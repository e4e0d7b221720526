package metric_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"throng/internal/metric"
	"throng/internal/sketch"
)

func trend(r *rand.Rand, n int) *sketch.Trend {
	t := new(sketch.Trend)
	for range n {
		t.Add(20 * math.Exp(r.NormFloat64()*0.5))
	}
	return t
}

// snapshot is a random one with every kind of series, decoded once: whose trends hold their values in the order of decoding.
func snapshot(t testing.TB, r *rand.Rand) metric.Snapshot {
	s := metric.Snapshot{Seq: r.Uint64(), Load: metric.Load{VUs: r.Int64N(100), VUsMax: 200, Iterations: r.Int64(), Interrupted: 1, Dropped: 7}}
	text := func() string { return string(rune('a'+r.IntN(4))) + fmt.Sprint(r.IntN(3), "é\x00") }
	sel := func() metric.Selector {
		s := metric.Selector{Metric: text()}
		for range r.IntN(3) {
			s.Tags = append(s.Tags, metric.Tag{Key: text(), Value: text()})
		}
		return s
	}
	for range r.IntN(20) {
		one := metric.Series{
			Selector: sel(), Role: metric.Role(r.IntN(6)), Kind: metric.Kind(r.IntN(4)), Contains: metric.Contains(r.IntN(3)), Count: r.Int64N(1e9) + 1,
		}
		switch one.Kind {
		case metric.Counter:
			one.Sum = r.NormFloat64()
		case metric.Rate:
			one.Trues = r.Int64N(1e9)
		case metric.Gauge:
			one.Last, one.Min, one.Max, one.LastAt = r.NormFloat64(), math.Inf(-1), math.MaxFloat64, -r.Int64()
		case metric.Trend:
			if r.IntN(8) > 0 {
				one.Trend = trend(r, r.IntN(400))
			}
		}
		s.Series = append(s.Series, one)
	}
	for range r.IntN(4) {
		s.Groups, s.Checks = append(s.Groups, "::"+text()), append(s.Checks, sel())
		s.Scenarios = append(s.Scenarios, metric.ScenarioCount{Name: text(), Begun: r.Int64N(1000), Due: r.Int64N(1000), Dropped: r.Int64N(9)})
	}
	if n := r.IntN(4); n > 0 {
		s.Reserved = map[string]int64{}
		for range n - 1 {
			s.Reserved[text()] = r.Int64()
		}
	}
	if r.IntN(2) == 0 {
		s.Late = &metric.Lateness{Start: trend(r, 300), FromDue: trend(r, r.IntN(3))}
	}
	b, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var out metric.Snapshot
	if err := out.UnmarshalBinary(b); err != nil {
		t.Fatalf("%v of %d bytes: %+v", err, len(b), s)
	}
	return out
}

func TestASnapshotSurvivesItsEncoding(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		s := snapshot(t, r)
		b, _ := s.MarshalBinary()
		var back metric.Snapshot
		if err := back.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(s, back) {
			t.Fatalf("%+v\nbecame\n%+v", s, back)
		}
		if len(s.Series) == 0 {
			s.Series, back.Series = nil, nil
		}
		if again, _ := back.MarshalBinary(); !bytes.Equal(b, again) {
			t.Fatal("what was decoded is encoded to other bytes")
		}
		for range 30 {
			n := r.IntN(len(b))
			if back.UnmarshalBinary(b[:n]) == nil {
				t.Fatalf("the first %d of %d bytes were accepted", n, len(b))
			}
		}
	}
}

func TestWhatASnapshotHoldsIsNotLost(t *testing.T) {
	late := trend(rand.New(rand.NewPCG(1, 1)), 5)
	want := metric.Snapshot{
		Seq: 7, Groups: []string{"::a"}, Checks: []metric.Selector{{Metric: "checks", Tags: []metric.Tag{{Key: "check", Value: "ok"}}}},
		Series: []metric.Series{
			{Selector: metric.Selector{Metric: "c"}, Kind: metric.Counter, Contains: metric.Data, Sum: 1.5, Count: 2},
			{Selector: metric.Selector{Metric: "r", Tags: []metric.Tag{{Key: "k", Value: "v"}}}, Role: metric.Submetric, Kind: metric.Rate, Trues: 1, Count: 3},
			{Selector: metric.Selector{Metric: "g"}, Kind: metric.Gauge, Last: 2, LastAt: 99, Min: 1, Max: 3, Count: 4},
			{Selector: metric.Selector{Metric: "t"}, Kind: metric.Trend, Contains: metric.Time, Trend: late, Count: 5},
		},
		Load: metric.Load{VUs: 1, VUsMax: 2, Iterations: 3, Interrupted: 4, Dropped: 5}, Late: &metric.Lateness{FromDue: late},
		Scenarios: []metric.ScenarioCount{{Name: "s", Begun: 1, Due: 2, Dropped: 3}}, Reserved: map[string]int64{"s": 10, "a": 0},
	}
	b, _ := want.MarshalBinary()
	var got metric.Snapshot
	if err := got.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*metric.Snapshot{&got, &want} { // trends compare by what they answer
		if s.Series[3].Trend.Sum() != late.Sum() || s.Late.FromDue.Quantile(0.5) != late.Quantile(0.5) {
			t.Error("a trend changed")
		}
		s.Series[3].Trend, s.Late.FromDue = nil, nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
}

func TestSnapshotsOfOneRunnerShareTheirNames(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		s := snapshot(t, r)
		s.Series = append(s.Series, metric.Series{Kind: metric.Rate})
		first, err := metric.Read(encoded(s), nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Seq++
		s.Series[0].Count += 5
		second, err := metric.Read(encoded(s), first)
		if err != nil || !second.SameNames(first) || !reflect.DeepEqual(second.Snapshot(), s) {
			t.Fatalf("%v, shared %v", err, second.SameNames(first))
		}
		s.Groups = append(s.Groups, "::new")
		third, err := metric.Read(encoded(s), second)
		if err != nil || third.SameNames(second) || !reflect.DeepEqual(third.Snapshot(), s) {
			t.Fatalf("%v: a new group was not seen", err)
		}
	}
}

func TestRunnersOfOneScriptShareTheirNames(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var n metric.Names
	s := snapshot(t, r)
	of := func(s metric.Snapshot, last *metric.Encoded) *metric.Encoded {
		e, err := n.Read(encoded(s), last)
		if err != nil || !reflect.DeepEqual(e.Snapshot(), s) {
			t.Fatalf("%+v\nbecame %+v: %v", s, e.Snapshot(), err)
		}
		return e
	}
	first := of(s, nil)
	s.Seq += 7
	s.Series[0].Count += 5
	if !of(s, nil).SameNames(first) || !of(s, first).SameNames(first) {
		t.Error("the same names were read twice")
	}
	other := s
	for i := range 100 { // more than are kept
		other.Groups = append(slices.Clone(s.Groups), fmt.Sprint("::", i))
		if e := of(other, first); e.SameNames(first) || !of(other, nil).SameNames(e) {
			t.Fatal("other names")
		}
	}
	if of(s, nil).SameNames(first) {
		t.Error("names are kept for ever")
	}
	if _, err := n.Read(encoded(s)[:20], nil); !errors.Is(err, metric.ErrFormat) {
		t.Errorf("half a snapshot: %v", err)
	}
}

func encoded(s metric.Snapshot) []byte {
	b, _ := s.MarshalBinary()
	return b
}

func TestASnapshotThatWouldFillTheMemoryIsRefused(t *testing.T) {
	wide := new(sketch.Trend)
	for range 200 {
		wide.Add(1e-300)
		wide.Add(1e300)
	}
	var s metric.Snapshot
	for i := range 50 { // 2 MiB each, in some 60 bytes
		s.Series = append(s.Series, metric.Series{Selector: metric.Selector{Metric: fmt.Sprint(i)}, Kind: metric.Trend, Trend: wide, Count: 400})
	}
	if _, err := metric.Read(encoded(s), nil); !errors.Is(err, metric.ErrFormat) {
		t.Errorf("%v", err)
	}
	s.Series = s.Series[:5]
	if _, err := metric.Read(encoded(s), nil); err != nil {
		t.Errorf("five of them: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 20 {
		f.Add(encoded(snapshot(f, r)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := metric.Read(data, nil)
		if err != nil {
			return
		}
		s := e.Snapshot()
		again, err := metric.Read(encoded(s), e)
		if err != nil {
			t.Fatalf("%v of what was encoded from %+v", err, s)
		}
		if !bytes.Equal(encoded(again.Snapshot()), encoded(s)) {
			t.Fatal("encoded twice, it is not the same")
		}
	})
}
