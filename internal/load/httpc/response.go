package httpc

import (
	"crypto/tls"
	"net/netip"
	"time"
)

// Response is one answer. Do overwrites it and reuses the capacity of what it holds: whoever keeps Body or Header
// must pass a fresh Response next time. After an error it holds what had come until then.
//
// Thousands of virtual users each hold one while they wait, so what few ask for is behind a pointer.
type Response struct {
	Header     Header
	Trailer    *Header // nil unless one came
	Body       []byte  // as transferred: no content coding is undone
	BodySize   int64   // bytes of the body, kept or not
	StatusText string  // code and reason as sent: "200 OK"
	Proto      string  // "HTTP/1.1", "HTTP/2.0"
	Peer       *Peer   // nil until a connection stood; shared by all exchanges of a connection
	Times      Times
	Status     int  // 0 until a head has come
	Reused     bool // the connection had served before
	ConnClosed bool // the connection was given up after this exchange
}

// Peer is the other end of a connection.
type Peer struct {
	Addr netip.AddrPort
	TLS  *tls.ConnectionState // nil in the clear
}

// Times are the phases of an exchange, as k6 defines them for http_req_*. Of a request that was sent twice because a
// kept connection was dead, they tell the second attempt; the first is in Blocked.
type Times struct {
	Start time.Time
	Total time.Duration // from Start to the end
	// Blocked is everything from Start until a connection was ready, looking up its name, Connecting and TLSHandshaking included; 0 if
	// none became ready.
	Blocked        time.Duration
	Connecting     time.Duration // 0 on a kept connection, and if it could not be made
	TLSHandshaking time.Duration // likewise
	Sending        time.Duration
	Waiting        time.Duration // from the last byte sent to the first received
	Receiving      time.Duration
}

// Duration is Sending, Waiting and Receiving together: k6's http_req_duration.
func (t *Times) Duration() time.Duration { return t.Sending + t.Waiting + t.Receiving }

// End is when the exchange was over.
func (t *Times) End() time.Time { return t.Start.Add(t.Total) }

// now is the time since Start. The monotonic clock alone is half the price of time.Now.
func (t *Times) now() time.Duration { return time.Since(t.Start) }

// Inlined, it would put a whole Response into the frames of its callers, under which virtual users wait by the thousand.
//
//go:noinline
func (r *Response) reset(start time.Time) {
	*r = Response{Header: Header{raw: r.Header.reusable()}, Body: r.Body[:0], StatusText: r.StatusText, Times: Times{Start: start}}
}
