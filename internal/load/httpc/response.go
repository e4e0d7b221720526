package httpc

import (
	"crypto/tls"
	"net/netip"
	"time"
)

// Response is one answer. Do overwrites it and reuses the capacity of what it holds: whoever keeps Body or Header
// must pass a fresh Response next time. After an error it holds what had come until then.
type Response struct {
	Status     int    // 0 until a head has come
	StatusText string // code and reason as sent: "200 OK"
	Proto      string // "HTTP/1.1", "HTTP/2.0"
	Header     Header
	Trailer    Header
	Body       []byte // as transferred: no content coding is undone
	BodySize   int64  // bytes of the body, kept or not
	RemoteAddr netip.AddrPort
	TLS        *tls.ConnectionState // nil in the clear; shared by all exchanges of a connection
	Times      Times
	Reused     bool // the connection had served before
	ConnClosed bool // the connection was given up after this exchange
}

// Times are the phases of an exchange, as k6 defines them for http_req_*. Of a request that was sent twice because a
// kept connection was dead, they tell the second attempt; the first is in Blocked.
type Times struct {
	Start time.Time
	// Blocked is everything from Start until a connection was ready, DNS, Connecting and TLSHandshaking included; 0 if
	// none became ready.
	Blocked        time.Duration
	DNS            time.Duration
	Connecting     time.Duration // 0 on a kept connection, and if it could not be made
	TLSHandshaking time.Duration // likewise
	Sending        time.Duration
	Waiting        time.Duration // from the last byte sent to the first received
	Receiving      time.Duration
	End            time.Time
}

// Duration is Sending, Waiting and Receiving together: k6's http_req_duration.
func (t *Times) Duration() time.Duration { return t.Sending + t.Waiting + t.Receiving }

// Inlined, it would put a whole Response into the frames of its callers, under which virtual users wait by the thousand.
//
//go:noinline
func (r *Response) reset(start time.Time) {
	*r = Response{Header: Header{raw: r.Header.raw[:0]}, Trailer: Header{raw: r.Trailer.raw[:0]}, Body: r.Body[:0],
		StatusText: r.StatusText, Times: Times{Start: start}}
}
