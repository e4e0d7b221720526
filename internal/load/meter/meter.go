package meter

import (
	"time"

	"throng/internal/metric"
)

// Meter is safe for concurrent use.
type Meter struct{}

// Series is a metric and a tag set, resolved to everything that their samples must be folded into.
type Series struct{}

// RequestSeries is the eight Series of one HTTP request's metrics, folded together.
type RequestSeries struct{}

// RequestTimes is what one HTTP request has shown.
type RequestTimes struct {
	End                                                             time.Time
	Duration, Blocked, Connecting, TLS, Sending, Waiting, Receiving float64 // milliseconds
	Failed, HasFailed                                               bool    // HasFailed false: no response callback, no http_req_failed sample
}

// Series returns the series of m and tags.
func (m *Meter) Series(mt *metric.Metric, tags *metric.TagSet) *Series { return nil }

// RequestSeries returns the series of the HTTP metrics and tags.
func (m *Meter) RequestSeries(tags *metric.TagSet) *RequestSeries { return nil }

// Add folds one value. shard is any number that differs between virtual users; meta goes to raw samples only.
func (m *Meter) Add(shard uint32, s *Series, v float64, at time.Time, meta map[string]string) {}

// AddRequest folds one HTTP request.
func (m *Meter) AddRequest(shard uint32, s *RequestSeries, t *RequestTimes, meta map[string]string) {}
