package metrictest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"throng/internal/metric"
	"throng/internal/sketch"
)

// Shop is one runner of a test of a web shop. It is safe for concurrent use.
type Shop struct {
	mu      sync.Mutex
	snap    metric.Snapshot
	rng     *rand.Rand
	samples int64
	medians []float64 // of the trends, which come first
}

// New returns a shop whose every series has 20,000 samples: some minutes of a test.
func New(seed uint64) *Shop {
	s := &Shop{rng: rand.New(rand.NewPCG(seed, 9)), snap: metric.Snapshot{Groups: []string{"::browse", "::buy"}}}
	for i, name := range []string{"http_req_duration", "http_req_blocked", "http_req_connecting", "http_req_tls_handshaking", "http_req_sending",
		"http_req_waiting", "http_req_receiving", "iteration_duration", "group_duration", "cart_time", "login_time"} {
		s.trend([]float64{45, 0.004, 0.1, 0.2, 0.03, 44, 0.08, 900, 400, 70, 120}[i], metric.Total, name)
	}
	for i := range 9 {
		s.trend(float64(20+10*i), metric.Submetric, "http_req_duration", metric.Tag{Key: "name", Value: fmt.Sprintf("https://shop.example/api/v1/products/%d", i)})
	}
	for i := range 12 {
		s.series(metric.Counter, metric.Total, fmt.Sprintf("orders_of_kind_%d", i))
	}
	for i := range 16 {
		check := []metric.Tag{{Key: "group", Value: s.snap.Groups[i%2]}, {Key: "check", Value: fmt.Sprintf("status of step %d is 200", i)}}
		s.series(metric.Rate, metric.CheckPart, "checks", check...)
		s.snap.Checks = append(s.snap.Checks, metric.Selector{Metric: "checks", Tags: check})
	}
	for _, name := range []string{"vus", "vus_max"} {
		s.series(metric.Gauge, metric.Total, name)
	}
	s.More(20_000)
	return s
}

func (s *Shop) series(kind metric.Kind, role metric.Role, name string, tags ...metric.Tag) *metric.Series {
	s.snap.Series = append(s.snap.Series, metric.Series{Selector: metric.Selector{Metric: name, Tags: tags}, Role: role, Kind: kind})
	return &s.snap.Series[len(s.snap.Series)-1]
}

func (s *Shop) trend(median float64, role metric.Role, name string, tags ...metric.Tag) {
	s.series(metric.Trend, role, name, tags...).Trend = new(sketch.Trend)
	s.medians = append(s.medians, median)
}

// More adds samples to every series: of a trend, log-normal ones, one of 200 eight times as slow.
func (s *Shop) More(samples int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(samples)
	s.samples += n
	s.snap.Series = slices.Clone(s.snap.Series) // a snapshot that was taken keeps its own
	for i := range s.snap.Series {
		one := &s.snap.Series[i]
		one.Count += n
		switch one.Kind {
		case metric.Counter:
			one.Sum += float64(samples)
		case metric.Rate:
			one.Trues += n
		case metric.Gauge:
			one.Last, one.Min, one.Max, one.LastAt = 50, 1, 50, time.Now().UnixNano()
		case metric.Trend:
			one.Trend = one.Trend.Clone()
			for range samples {
				one.Trend.Add(s.sample(s.medians[i]))
			}
		}
	}
	s.snap.Load = metric.Load{VUs: 50, VUsMax: 50, Iterations: s.samples}
}

func (s *Shop) sample(median float64) float64 {
	v := median * math.Exp(s.rng.NormFloat64()*0.5)
	if s.rng.IntN(200) == 0 {
		v *= 8
	}
	return v
}

// Scenario is the name of the one scenario.
const Scenario = "shoppers"

// Snapshot returns what was measured until now, under a number.
func (s *Shop) Snapshot(seq uint64) metric.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.snap
	out.Seq = seq
	out.Scenarios = []metric.ScenarioCount{{Name: Scenario, Begun: s.samples, Due: s.samples}}
	out.Reserved = map[string]int64{Scenario: s.samples + 10_000}
	return out
}
