package meter

import (
	"time"

	"throng/internal/metric"
)

// RequestSeries is the nine Series of one HTTP request's metrics, folded together under one lock.
type RequestSeries struct {
	reqs, failed, duration, blocked, connecting, tls, sending, waiting, receiving folded
}

// folded is a Series with what folding needs of it in one place: nine series, their metrics and their lists would be thirty
// places in memory, and at a moderate rate none of them is in the processor's cache when the next request is folded.
type folded struct {
	*Series
	kind metric.Kind
	n    uint8 // of sinks; more than there is room for: they are in the Series
	at   [3]int32
}

func foldedOf(s *Series) folded {
	f := folded{Series: s, kind: s.m.Kind, n: uint8(min(len(s.sinks), 255))}
	copy(f.at[:], s.sinks)
	return f
}

// fold is add for a folded series.
func (sh *shard) fold(f *folded, v float64, at time.Time, meta map[string]string) {
	if int(f.n) > len(f.at) {
		sh.add(f.Series, v, at, meta)
		return
	}
	for _, i := range f.at[:f.n] {
		sh.sink(int(i)).fold(f.kind, v, at)
	}
	if sh.keeps {
		sh.keep(f.Series, v, at, meta)
	}
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
		reqs: foldedOf(m.resolve(b.HTTPReqs, tags)), failed: foldedOf(m.resolve(b.HTTPReqFailed, tags)),
		duration: foldedOf(m.resolve(b.HTTPReqDuration, tags)), blocked: foldedOf(m.resolve(b.HTTPReqBlocked, tags)),
		connecting: foldedOf(m.resolve(b.HTTPReqConnecting, tags)), tls: foldedOf(m.resolve(b.HTTPReqTLSHandshaking, tags)),
		sending: foldedOf(m.resolve(b.HTTPReqSending, tags)), waiting: foldedOf(m.resolve(b.HTTPReqWaiting, tags)),
		receiving: foldedOf(m.resolve(b.HTTPReqReceiving, tags)),
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
	sh.fold(&r.reqs, 1, t.End, meta)
	sh.fold(&r.duration, t.Duration, t.End, meta)
	sh.fold(&r.blocked, t.Blocked, t.End, meta)
	sh.fold(&r.connecting, t.Connecting, t.End, meta)
	sh.fold(&r.tls, t.TLS, t.End, meta)
	sh.fold(&r.sending, t.Sending, t.End, meta)
	sh.fold(&r.waiting, t.Waiting, t.End, meta)
	sh.fold(&r.receiving, t.Receiving, t.End, meta)
	if t.HasFailed {
		sh.fold(&r.failed, one(t.Failed), t.End, meta)
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
type IterationSeries struct{ iterations, duration, sent, received folded }

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
		iterations: foldedOf(m.resolve(b.Iterations, tags)), duration: foldedOf(m.resolve(b.IterationDuration, tags)),
		sent: foldedOf(m.resolve(b.DataSent, tags)), received: foldedOf(m.resolve(b.DataReceived, tags)),
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
	sh.fold(&s.sent, float64(e.Sent), e.At, meta)
	sh.fold(&s.received, float64(e.Received), e.At, meta)
	if e.Complete {
		sh.fold(&s.duration, e.Duration, e.At, meta)
		sh.fold(&s.iterations, 1, e.At, meta)
	}
	if e.Open {
		sh.lateness().start.Add(e.Late)
	}
	sh.mu.Unlock()
}
