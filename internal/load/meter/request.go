package meter

import (
	"time"

	"throng/internal/metric"
)

// RequestSeries is the nine Series of one HTTP request's metrics, folded together under one lock.
type RequestSeries struct {
	reqs, failed, duration, blocked, connecting, tls, sending, waiting, receiving *Series
}

// RequestTimes is what one HTTP request has shown. Times are in milliseconds.
type RequestTimes struct {
	End                                                             time.Time
	Duration, Blocked, Connecting, TLS, Sending, Waiting, Receiving float64
	Failed, HasFailed                                               bool    // HasFailed false: no http_req_failed sample
	Open                                                            bool    // the iteration had a due time
	Late                                                            float64 // how long after its due time the iteration began
}

// RequestSeries returns the series of the HTTP metrics and tags.
func (m *Meter) RequestSeries(tags *metric.TagSet) *RequestSeries {
	m.mu.RLock()
	r := m.requests[tags]
	m.mu.RUnlock()
	if r != nil {
		return r
	}
	b := m.cfg.Builtin
	m.mu.Lock()
	defer m.mu.Unlock()
	r = &RequestSeries{
		reqs: m.resolve(b.HTTPReqs, tags), failed: m.resolve(b.HTTPReqFailed, tags),
		duration: m.resolve(b.HTTPReqDuration, tags), blocked: m.resolve(b.HTTPReqBlocked, tags),
		connecting: m.resolve(b.HTTPReqConnecting, tags), tls: m.resolve(b.HTTPReqTLSHandshaking, tags),
		sending: m.resolve(b.HTTPReqSending, tags), waiting: m.resolve(b.HTTPReqWaiting, tags),
		receiving: m.resolve(b.HTTPReqReceiving, tags),
	}
	if len(m.requests) >= maxSeries {
		clear(m.requests)
	}
	m.requests[tags] = r
	return r
}

// AddRequest folds one HTTP request.
func (m *Meter) AddRequest(hint uint32, r *RequestSeries, t *RequestTimes, meta map[string]string) {
	sh := m.lock(hint)
	sh.add(r.reqs, 1, t.End, meta)
	sh.add(r.duration, t.Duration, t.End, meta)
	sh.add(r.blocked, t.Blocked, t.End, meta)
	sh.add(r.connecting, t.Connecting, t.End, meta)
	sh.add(r.tls, t.TLS, t.End, meta)
	sh.add(r.sending, t.Sending, t.End, meta)
	sh.add(r.waiting, t.Waiting, t.End, meta)
	sh.add(r.receiving, t.Receiving, t.End, meta)
	if t.HasFailed {
		sh.add(r.failed, one(t.Failed), t.End, meta)
	}
	if t.Open {
		sh.lateness().fromDue.Add(t.Duration + t.Late)
		sh.lateness().fromSend.Add(t.Duration)
	}
	sh.mu.Unlock()
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (sh *shard) lateness() *lateness {
	if sh.late == nil {
		sh.late = new(lateness)
	}
	return sh.late
}

// IterationSeries is the Series of what every iteration reports at its end.
type IterationSeries struct{ iterations, duration, sent, received *Series }

// IterationSeries returns the series of an iteration's metrics and tags.
func (m *Meter) IterationSeries(tags *metric.TagSet) *IterationSeries {
	m.mu.RLock()
	e := m.ends[tags]
	m.mu.RUnlock()
	if e != nil {
		return e
	}
	b := m.cfg.Builtin
	m.mu.Lock()
	defer m.mu.Unlock()
	e = &IterationSeries{
		iterations: m.resolve(b.Iterations, tags), duration: m.resolve(b.IterationDuration, tags),
		sent: m.resolve(b.DataSent, tags), received: m.resolve(b.DataReceived, tags),
	}
	if len(m.ends) >= maxSeries {
		clear(m.ends)
	}
	m.ends[tags] = e
	return e
}

// IterationEnd is what one iteration reports at its end.
type IterationEnd struct {
	At             time.Time
	Complete       bool    // not cut off: counts in iterations and iteration_duration
	Duration       float64 // milliseconds
	Sent, Received int64   // bytes
	Open           bool    // the iteration had a due time
	Late           float64 // how long after it the iteration began, milliseconds
}

// AddIteration folds the end of one iteration.
func (m *Meter) AddIteration(hint uint32, s *IterationSeries, e *IterationEnd, meta map[string]string) {
	sh := m.lock(hint)
	sh.add(s.sent, float64(e.Sent), e.At, meta)
	sh.add(s.received, float64(e.Received), e.At, meta)
	if e.Complete {
		sh.add(s.duration, e.Duration, e.At, meta)
		sh.add(s.iterations, 1, e.At, meta)
	}
	if e.Open {
		sh.lateness().start.Add(e.Late)
	}
	sh.mu.Unlock()
}
