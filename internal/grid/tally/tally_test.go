package tally_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"throng/internal/grid/tally"
	"throng/internal/metric"
	"throng/internal/sketch"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// runner is the dumb twin: it keeps every value.
type runner struct {
	id      string
	counts  []float64
	rates   []bool
	trends  []float64
	history []metric.Snapshot
}

func (r *runner) snap(rng *rand.Rand) metric.Snapshot {
	s := metric.Snapshot{Seq: uint64(len(r.history) + 1), Groups: []string{"::" + r.id, "::all"}}
	sum, trues := 0.0, int64(0)
	for _, v := range r.counts {
		sum += v
	}
	for _, v := range r.rates {
		if v {
			trues++
		}
	}
	t := new(sketch.Trend)
	for _, v := range r.trends {
		t.Add(v)
	}
	sel := func(name string) metric.Selector { return metric.Selector{Metric: name} }
	s.Series = []metric.Series{
		{Selector: sel("c"), Kind: metric.Counter, Sum: sum, Count: int64(len(r.counts))},
		{Selector: sel("r"), Kind: metric.Rate, Trues: trues, Count: int64(len(r.rates))},
		{Selector: sel("t"), Kind: metric.Trend, Trend: t, Count: t.Count()},
		{Selector: sel("vus"), Kind: metric.Gauge, Last: 3, Min: 1, Max: 5, Count: 4},
		{Selector: sel("g"), Kind: metric.Gauge, Last: sum, LastAt: int64(rng.IntN(1000)), Min: 0, Max: sum, Count: 4},
	}
	if rng.IntN(2) == 0 {
		slices.Reverse(s.Series)
	}
	s.Load = metric.Load{VUs: 2, Iterations: int64(len(r.counts))}
	r.history = append(r.history, s)
	return s
}

func find(s metric.Snapshot, name string) metric.Series {
	for _, one := range s.Series {
		if one.Metric == name {
			return one
		}
	}
	return metric.Series{}
}

func TestTotalIgnoresOrderAndRepeats(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		type letter struct {
			id   string
			snap metric.Snapshot
		}
		var letters []letter
		var runners []*runner
		for i := range 1 + rng.IntN(5) {
			r := &runner{id: string(rune('a' + i))}
			runners = append(runners, r)
			for range 1 + rng.IntN(6) {
				for range rng.IntN(80) {
					r.counts = append(r.counts, float64(rng.IntN(100))/7)
					r.rates = append(r.rates, rng.IntN(3) == 0)
					r.trends = append(r.trends, rng.ExpFloat64()*100)
				}
				s := r.snap(rng)
				for range 1 + rng.IntN(3) {
					letters = append(letters, letter{r.id, s})
				}
			}
		}
		var first metric.Snapshot
		for round := range 3 {
			rng.Shuffle(len(letters), func(i, j int) { letters[i], letters[j] = letters[j], letters[i] })
			ta := tally.New()
			for _, l := range letters {
				ta.Add(l.id, l.snap, start)
			}
			total := ta.Total()
			if round == 0 {
				first = total
				checkAgainstTwins(t, runners, len(runners), total)
				continue
			}
			if !reflect.DeepEqual(first, total) {
				t.Fatalf("seed %d: two orders of arrival gave different totals", seed)
			}
		}
	}
}

func checkAgainstTwins(t *testing.T, runners []*runner, n int, total metric.Snapshot) {
	t.Helper()
	var counts, trues, samples, iterations int64
	sum := 0.0
	all := new(sketch.Trend)
	for _, r := range runners {
		samples += int64(len(r.trends))
		iterations += int64(len(r.counts))
		counts += int64(len(r.counts))
		part := 0.0
		for _, v := range r.counts {
			part += v
		}
		sum += part
		for _, v := range r.rates {
			if v {
				trues++
			}
		}
		for _, v := range r.trends {
			all.Add(v)
		}
	}
	c, r, tr, vus := find(total, "c"), find(total, "r"), find(total, "t"), find(total, "vus")
	if c.Sum != sum || c.Count != counts || r.Trues != trues || r.Count != counts || total.Load.Iterations != iterations {
		t.Errorf("counts: %v %v %v %v", c, r, total.Load, counts)
	}
	if tr.Trend.Count() != samples || tr.Trend.Quantile(0.9) != all.Quantile(0.9) || tr.Trend.Max() != all.Max() {
		t.Errorf("trend: %d samples, p90 %v; want %d, %v", tr.Trend.Count(), tr.Trend.Quantile(0.9), samples, all.Quantile(0.9))
	}
	if vus.Last != float64(3*n) || vus.Max != float64(5*n) || total.Load.VUs != int64(2*n) {
		t.Errorf("vus of %d runners: %+v", n, vus)
	}
}

func TestTotalLeavesTheSnapshotsAlone(t *testing.T) {
	ta := tally.New()
	one := new(sketch.Trend)
	one.Add(1)
	for _, id := range []string{"a", "b", "c"} {
		ta.Add(id, metric.Snapshot{Seq: 1, Series: []metric.Series{{Selector: metric.Selector{Metric: "t"}, Kind: metric.Trend, Count: 1, Trend: one}}}, start)
	}
	for range 3 {
		if got := ta.Total().Series[0]; got.Count != 3 || got.Trend.Count() != 3 {
			t.Fatalf("total %+v with %d values", got, got.Trend.Count())
		}
	}
	if one.Count() != 1 {
		t.Error("a snapshot's trend was changed")
	}
}

func TestTheLastGaugeWinsByItsTime(t *testing.T) {
	g := func(at int64, v float64) metric.Snapshot {
		return metric.Snapshot{Seq: 1, Series: []metric.Series{{Selector: metric.Selector{Metric: "g"}, Kind: metric.Gauge, Count: 1, Last: v, LastAt: at, Min: v, Max: v}}}
	}
	got := tally.Merge([]metric.Snapshot{g(5, 7), g(9, 2), g(1, -3)}).Series[0]
	if got.Last != 2 || got.Min != -3 || got.Max != 7 || got.Count != 3 {
		t.Errorf("gauge %+v", got)
	}
}

func TestWhoIsSilentIsMissing(t *testing.T) {
	ta := tally.New()
	ta.Expect(start, "a", "b", "c")
	ta.Add("a", metric.Snapshot{Seq: 3}, start.Add(9*time.Second))
	ta.Add("b", metric.Snapshot{Seq: 1}, start.Add(time.Second))
	if ta.Add("a", metric.Snapshot{Seq: 2}, start.Add(10*time.Second)) {
		t.Error("an older snapshot was news")
	}
	if got := ta.Missing(start.Add(10*time.Second), 5*time.Second); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("missing %v", got)
	}
	if got := ta.Silent(); !slices.Equal(got, []string{"c"}) {
		t.Errorf("silent %v", got)
	}
	if got := ta.Total().Seq; got != 4 {
		t.Errorf("total has Seq %d", got)
	}
}

func TestScenariosAddUpByNameAndReservationsDoNot(t *testing.T) {
	a := metric.Snapshot{
		Scenarios: []metric.ScenarioCount{{Name: "a", Begun: 1, Due: 2, Dropped: 1}, {Name: "c", Begun: 5, Due: 5}},
		Reserved:  map[string]int64{"a": 10, "c": 20},
	}
	b := metric.Snapshot{
		Scenarios: []metric.ScenarioCount{{Name: "b", Begun: 3, Due: 3}, {Name: "c", Begun: 7, Due: 9, Dropped: 1}},
		Reserved:  map[string]int64{"b": 10, "c": 20},
	}
	want := []metric.ScenarioCount{{Name: "a", Begun: 1, Due: 2, Dropped: 1}, {Name: "b", Begun: 3, Due: 3}, {Name: "c", Begun: 12, Due: 14, Dropped: 1}}
	for _, parts := range [][]metric.Snapshot{{a, b}, {b, a}, {{}, a, b}} {
		if got := tally.Merge(parts); !slices.Equal(got.Scenarios, want) || got.Reserved != nil {
			t.Errorf("%+v, reserved %v", got.Scenarios, got.Reserved)
		}
	}
	if got := tally.Merge([]metric.Snapshot{a}); !slices.Equal(got.Scenarios, a.Scenarios) || got.Reserved != nil || a.Reserved == nil {
		t.Errorf("one alone: %+v, reserved %v", got.Scenarios, got.Reserved)
	}
	if a.Scenarios[1].Begun != 5 || b.Scenarios[1].Begun != 7 {
		t.Error("a part was changed")
	}
}
