package meter

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"throng/internal/metric"
)

func newMeter(cfg Config) (*Meter, *metric.Registry, *metric.Tags) {
	reg := metric.NewRegistry()
	cfg.Builtin = metric.NewBuiltin(reg)
	return New(cfg), reg, metric.NewTags()
}

func find(t *testing.T, snap metric.Snapshot, role metric.Role, name string, tags ...metric.Tag) metric.Series {
	t.Helper()
	for _, s := range snap.Series {
		if s.Role == role && s.Metric == name && fmt.Sprint(s.Tags) == fmt.Sprint(tags) {
			return s
		}
	}
	t.Fatalf("no series %v %s %v in %+v", role, name, tags, snap.Series)
	return metric.Series{}
}

func TestNothingIsLostBetweenShards(t *testing.T) {
	t.Parallel()
	m, reg, table := newMeter(Config{})
	m.shards = make([]shard, 8)
	count, _ := reg.Define("my_count", metric.Counter, metric.Default)
	trend, _ := reg.Define("my_trend", metric.Trend, metric.Time)
	rate, _ := reg.Define("my_rate", metric.Rate, metric.Default)
	gauge, _ := reg.Define("my_gauge", metric.Gauge, metric.Default)
	const users, each = 16, 2000
	sums := make([]float64, users)
	var wg sync.WaitGroup
	for u := range users {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(u)))
			tags := table.Empty().With("user", fmt.Sprint(u))
			for i := range each {
				v := r.Float64() * 1000
				sums[u] += v
				at := time.Unix(0, int64(i*users+u)+1)
				m.Add(uint32(u), m.Series(count, tags), v, at, nil)
				m.Add(uint32(u), m.Series(trend, tags), v, at, nil)
				m.Add(uint32(u), m.Series(rate, tags), float64(i%2), at, nil)
				m.Add(uint32(u), m.Series(gauge, tags), float64(i*users+u), at, nil)
				if i%500 == 0 {
					m.Snapshot()
				}
			}
		})
	}
	wg.Wait()
	want := 0.0
	for _, s := range sums {
		want += s
	}
	snap := m.Snapshot()
	if got := find(t, snap, metric.Total, "my_count"); math.Abs(got.Sum-want) > 1e-6*want || got.Count != users*each {
		t.Errorf("counter: %v of %d samples, want %v of %d", got.Sum, got.Count, want, users*each)
	}
	if got := find(t, snap, metric.Total, "my_trend").Trend; got.Count() != users*each || math.Abs(got.Sum()-want) > 1e-6*want {
		t.Errorf("trend: sum %v of %d, want %v", got.Sum(), got.Count(), want)
	}
	if got := find(t, snap, metric.Total, "my_rate"); got.Trues != users*each/2 {
		t.Errorf("rate: %d true, want %d", got.Trues, users*each/2)
	}
	if got := find(t, snap, metric.Total, "my_gauge"); got.Min != 0 || got.Max != users*each-1 || got.Last != users*each-1 {
		t.Errorf("gauge: last %v min %v max %v", got.Last, got.Min, got.Max)
	}
}

func TestPartsAreFoldedBesideTheTotal(t *testing.T) {
	t.Parallel()
	slow := []metric.Tag{{Key: "speed", Value: "slow"}}
	m, reg, table := newMeter(Config{Parts: true, Submetrics: []metric.Selector{{Metric: "my_count", Tags: slow}}})
	count, _ := reg.Define("my_count", metric.Counter, metric.Default)
	base := table.Empty().With("scenario", "s").With("group", "::g")
	m.Add(0, m.Series(count, base), 1, time.Now(), nil)
	m.Add(0, m.Series(count, base.With("speed", "slow")), 10, time.Now(), nil)
	m.Add(0, m.Series(count, table.Empty()), 100, time.Now(), nil)
	snap := m.Snapshot()
	for _, tt := range []struct {
		role metric.Role
		tags []metric.Tag
		want float64
	}{
		{metric.Total, nil, 111},
		{metric.Submetric, slow, 10},
		{metric.GroupPart, []metric.Tag{{Key: "group", Value: "::g"}, {Key: "scenario", Value: "s"}}, 11},
		{metric.ScenarioPart, []metric.Tag{{Key: "scenario", Value: "s"}}, 11},
	} {
		if got := find(t, snap, tt.role, "my_count", tt.tags...); got.Sum != tt.want {
			t.Errorf("%v %v: %v, want %v", tt.role, tt.tags, got.Sum, tt.want)
		}
	}
}

func TestTwoSpellingsOfOnePartCountOnce(t *testing.T) {
	t.Parallel()
	a, b := metric.Tag{Key: "a", Value: "1"}, metric.Tag{Key: "b", Value: "2"}
	m, reg, table := newMeter(Config{Submetrics: []metric.Selector{{Metric: "my_count", Tags: []metric.Tag{a, b}}, {Metric: "my_count", Tags: []metric.Tag{b, a}}}})
	count, _ := reg.Define("my_count", metric.Counter, metric.Default)
	m.Add(0, m.Series(count, table.Empty().With("a", "1").With("b", "2")), 1, time.Now(), nil)
	if got := find(t, m.Snapshot(), metric.Submetric, "my_count", a, b); got.Sum != 1 {
		t.Errorf("one sample of 1 counts %v", got.Sum)
	}
}

func TestRawSamplesComeOnceInOrderOfTime(t *testing.T) {
	t.Parallel()
	m, reg, table := newMeter(Config{Raw: true})
	count, _ := reg.Define("my_count", metric.Counter, metric.Default)
	s := m.Series(count, table.Empty())
	for i := range 10 {
		m.Add(uint32(i), s, float64(i), time.Unix(int64(10-i), 0), nil)
	}
	got := m.Drain()
	if len(got) != 10 || got[0].Value != 9 || got[9].Value != 0 {
		t.Errorf("drained %v", got)
	}
	if again := m.Drain(); len(again) != 0 {
		t.Errorf("drained a second time: %v", again)
	}
}

func TestFoldingARequestAllocatesNothing(t *testing.T) {
	m, _, table := newMeter(Config{})
	s := m.RequestSeries(table.Empty().With("url", "http://x/"))
	times := RequestTimes{End: time.Now(), Duration: 1.5, Waiting: 1.2, Sending: 0.1, Receiving: 0.2, HasFailed: true}
	for i := range 1000 { // let the sketches grow to their size
		times.Duration = float64(i)
		m.AddRequest(0, s, &times, nil)
	}
	if n := testing.AllocsPerRun(1000, func() { m.AddRequest(0, s, &times, nil) }); n != 0 {
		t.Errorf("%v allocations per request, want 0", n)
	}
}

func BenchmarkAddRequest(b *testing.B) {
	m, _, table := newMeter(Config{})
	s := m.RequestSeries(table.Empty().With("url", "http://x/"))
	times := RequestTimes{End: time.Now(), Duration: 1.5, Waiting: 1.2, Sending: 0.1, Receiving: 0.2, HasFailed: true}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		times.Duration = float64(i%1000) / 100
		m.AddRequest(0, s, &times, nil)
	}
}
