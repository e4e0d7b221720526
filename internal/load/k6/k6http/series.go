package k6http

import (
	"strconv"
	"sync"
	"time"

	"throng/internal/load/httpc"
	"throng/internal/load/meter"
	"throng/internal/metric"
)

// expectation is what the tag expected_response says.
type expectation uint8

const (
	unjudged expectation = iota // no response callback: no tag, no http_req_failed
	expected
	unexpected
)

// labels is everything that decides the tags of a request's samples.
type labels struct {
	base                 *metric.TagSet // the virtual user's tags and the request's own
	name, url            string
	method, proto        string
	tls, ocsp, ip, error string
	status, code         int
	expect               expectation
}

// seriesCache keeps the series of the label sets seen; it is emptied when it is full.
type seriesCache struct {
	mu sync.RWMutex
	m  map[labels]*known
}

// known is a label set and what its samples are folded into.
type known struct {
	labels labels
	series *meter.RequestSeries
}

const maxLabels = 1 << 14

func (s *shared) series(l *labels) *known {
	s.known.mu.RLock()
	r := s.known.m[*l]
	s.known.mu.RUnlock()
	if r != nil {
		return r
	}
	r = &known{labels: *l, series: s.test.Meter.RequestSeries(s.tags(l))}
	s.known.mu.Lock()
	defer s.known.mu.Unlock()
	if s.known.m == nil {
		s.known.m = map[labels]*known{}
	} else if len(s.known.m) >= maxLabels {
		clear(s.known.m)
	}
	s.known.m[*l] = r
	return r
}

// series asks the slot of the call site first.
func (k *carrier) series(l *labels) *meter.RequestSeries {
	if k.slot == nil {
		return k.shared.series(l).series
	}
	if k.slot.known == nil || k.slot.known.labels != *l {
		k.slot.known = k.shared.series(l)
	}
	return k.slot.known.series
}

// tags adds the system tags that are on and known; those stand above the tags of a script.
func (s *shared) tags(l *labels) *metric.TagSet {
	on, t := &s.test.SystemTags, l.base
	with := func(on bool, k, v string) {
		if on {
			t = t.With(k, v)
		}
	}
	with(on.Name, "name", l.name)
	with(on.URL, "url", l.url)
	with(on.Method, "method", l.method)
	with(on.Status, "status", strconv.Itoa(l.status))
	with(on.Proto && l.proto != "", "proto", l.proto)
	with(on.TLSVersion && l.tls != "", "tls_version", l.tls)
	with(on.OCSPStatus && l.ocsp != "", "ocsp_status", l.ocsp)
	with(on.IP && l.ip != "", "ip", l.ip)
	with(on.Error && l.error != "", "error", l.error)
	with(on.ErrorCode && l.code != 0, "error_code", strconv.Itoa(l.code))
	with(on.ExpectedResponse && l.expect == expected, "expected_response", "true")
	with(on.ExpectedResponse && l.expect == unexpected, "expected_response", "false")
	return t
}

// timings are an exchange's parts in milliseconds.
type timings struct {
	duration, blocked, lookingUp, connecting, tls, sending, waiting, receiving float64
}

func timingsOf(t *httpc.Times) timings {
	return timings{
		blocked: milliseconds(t.Blocked), connecting: milliseconds(t.Connecting), tls: milliseconds(t.TLSHandshaking),
		sending: milliseconds(t.Sending), waiting: milliseconds(t.Waiting), receiving: milliseconds(t.Receiving),
		duration: milliseconds(t.Duration()),
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
