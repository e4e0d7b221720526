package term

import (
	"testing"
	"time"

	"throng/internal/metric"
	"throng/internal/sketch"
)

func TestThePulseTellsRateAndErrors(t *testing.T) {
	t.Parallel()
	snap := func(reqs, failed float64) metric.Snapshot {
		var d sketch.Trend
		d.AddN(20, int64(reqs))
		return metric.Snapshot{Series: []metric.Series{
			{Selector: metric.Selector{Metric: "http_reqs"}, Kind: metric.Counter, Sum: reqs, Count: int64(reqs)},
			{Selector: metric.Selector{Metric: "http_req_duration"}, Kind: metric.Trend, Trend: &d, Count: int64(reqs)},
			{Selector: metric.Selector{Metric: "http_req_failed"}, Kind: metric.Rate, Trues: int64(failed), Count: int64(reqs)},
			{Selector: metric.Selector{Metric: "http_reqs"}, Role: metric.Submetric, Kind: metric.Counter, Sum: 7, Count: 7},
		}}
	}
	p := Pulse{}.Next(time.Second, snap(100, 0), false)
	if want := "100 requests/s, p(95)=20ms, 0.00% failed"; p.line != want {
		t.Errorf("after a second: %q, want %q", p.line, want)
	}
	p = p.Next(3*time.Second, snap(400, 4), false)
	if want := "150 requests/s, p(95)=20ms, 1.00% failed"; p.line != want {
		t.Errorf("two seconds later: %q, want %q", p.line, want)
	}
	if p := (Pulse{}).Next(time.Second, metric.Snapshot{}, false); p.line != "" {
		t.Errorf("without samples: %q", p.line)
	}
}
