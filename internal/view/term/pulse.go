package term

import (
	"fmt"
	"strings"
	"time"

	"throng/internal/metric"
)

// Pulse is how the target is doing, between two snapshots.
type Pulse struct {
	line string
	at   time.Duration
	reqs float64
}

// Next makes the pulse of snap, taken at elapsed. The zero Pulse comes before the first.
func (p Pulse) Next(elapsed time.Duration, snap metric.Snapshot, colour bool) Pulse {
	next := Pulse{at: elapsed, reqs: p.reqs}
	var parts []string
	for i := range snap.Series {
		s := &snap.Series[i]
		if s.Role != metric.Total || s.Count == 0 {
			continue
		}
		switch s.Metric {
		case "http_reqs":
			next.reqs = s.Sum
			if d := (elapsed - p.at).Seconds(); d > 0 {
				parts = append(parts, fmt.Sprintf("%.0f requests/s", (s.Sum-p.reqs)/d))
			}
		case "http_req_duration":
			parts = append(parts, fmt.Sprintf("p(95)=%v", time.Duration(s.Trend.Quantile(0.95)*float64(time.Millisecond)).Round(10*time.Microsecond)))
		case "http_req_failed":
			parts = append(parts, wrongs(s.Trues, s.Count, "failed", colour))
		case "checks":
			parts = append(parts, wrongs(s.Count-s.Trues, s.Count, "of checks failed", colour))
		case "dropped_iterations":
			parts = append(parts, paint(colour, yellow, fmt.Sprintf("%.0f iterations dropped", s.Sum)))
		}
	}
	if len(parts) > 0 {
		next.line = strings.Join(parts, ", ")
	}
	return next
}

func wrongs(wrong, all int64, what string, colour bool) string {
	return paint(colour && wrong > 0, red, fmt.Sprintf("%.2f%% %s", 100*float64(wrong)/float64(all), what))
}
