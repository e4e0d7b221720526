package httpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// upgrade starts HTTP/2 on a fresh connection and reserves a stream. If another one to the same place was faster, that
// one is used and ours is closed, so that a Client keeps one connection per server.
func (c *Client) upgrade(cn *conn) (*conn, error) {
	if other, err := c.pick(cn.to); err != nil || other != nil {
		c.drop(cn)
		return other, err
	}
	cn.w.until(time.Time{})
	_ = cn.w.Conn.SetDeadline(time.Time{})
	t := &http2.Transport{DisableCompression: true}
	h2, err := t.NewClientConn(cn.rw)
	if err != nil {
		c.drop(cn)
		return nil, err
	}
	h2.ReserveNewRequest()
	c.mu.Lock()
	cn.h2 = h2
	c.mu.Unlock()
	return cn, nil
}

// exchange2 is exchange over HTTP/2. A stream is reserved already.
func (cn *conn) exchange2(c *Client, req *Request, resp *Response, deadline time.Time) (again bool, err error) {
	ctx, end, err := c.begin(deadline)
	if err != nil {
		return false, err
	}
	defer end()
	x := exchange2{req: req, resp: resp, ready: resp.Times.now()}
	t := &resp.Times
	t.Blocked = x.ready
	err = x.run(ctx, cn)
	x.finish()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if st := cn.h2.State(); st.Closed || st.Closing || cn.s.cfg.NoConnectionReuse || req.Close {
		c.retire(cn)
		resp.ConnClosed = true
	}
	return err != nil && x.mayRepeat(err), err
}

// retire takes an HTTP/2 connection out of the pool. It closes once its last stream has ended.
func (c *Client) retire(cn *conn) {
	cn.h2.SetDoNotReuse()
	c.mu.Lock()
	if i := slices.Index(c.conns, cn); i >= 0 {
		c.conns = slices.Delete(c.conns, i, i+1)
	}
	c.mu.Unlock()
	if st := cn.h2.State(); st.StreamsActive == 0 && st.StreamsReserved == 0 {
		cn.close()
	}
}

// exchange2 is one request and its answer over HTTP/2. The times are written by the goroutines of the connection.
type exchange2 struct {
	req         *Request
	resp        *Response
	ready       time.Duration
	sent, first atomic.Int64 // since the exchange's start; 0: not yet
}

func (x *exchange2) run(ctx context.Context, cn *conn) error {
	hr, err := x.request(ctx)
	if err != nil {
		return err
	}
	got, err := cn.h2.RoundTrip(hr)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	x.resp.Status, x.resp.StatusText, x.resp.Proto = got.StatusCode, got.Status, got.Proto
	fill(&x.resp.Header, got.Header)
	if err := x.body(got, cn.s.cfg.MaxResponseBytes); err != nil {
		return err
	}
	if len(got.Trailer) > 0 {
		x.resp.Trailer = new(Header)
		fill(x.resp.Trailer, got.Trailer)
	}
	return nil
}

func (x *exchange2) body(got *http.Response, most int64) error {
	b := &buffer{}
	r := body{b: b, src: got.Body, resp: x.resp, keep: !x.req.Discard, max: most}
	if n := got.ContentLength; r.keep && n > 0 && n <= 1<<20 {
		r.grow(int(n))
	}
	if x.req.Discard {
		b.b = make([]byte, bufferSize)
	}
	return r.rest()
}

// request is x.req as net/http has it.
func (x *exchange2) request(ctx context.Context) (*http.Request, error) {
	if _, err := x.req.appendHead(nil, false); err != nil {
		return nil, err
	}
	since := func() int64 { return int64(time.Since(x.resp.Times.Start)) }
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest:         func(httptrace.WroteRequestInfo) { x.sent.CompareAndSwap(0, since()) },
		GotFirstResponseByte: func() { x.first.CompareAndSwap(0, since()) },
	})
	full := x.req.URL.full
	hr := (&http.Request{Method: x.req.Method, URL: &full, Host: x.req.hostOverride(), Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	hr.Header["User-Agent"] = []string{""} // else one is made up
	agent := false
	for _, f := range x.req.Header {
		value := textproto.TrimString(f.Value)
		switch special(f.Name) {
		case isHost, isContentLength, isTransferEncoding, isTrailer:
		case isUserAgent:
			if !agent {
				hr.Header.Set("User-Agent", value)
			}
			agent = true
		default:
			hr.Header.Add(f.Name, value)
		}
	}
	if len(x.req.Body) > 0 {
		hr.Body, hr.ContentLength = io.NopCloser(bytes.NewReader(x.req.Body)), int64(len(x.req.Body))
	} else if x.req.Body != nil {
		hr.Body = http.NoBody
	}
	return hr, nil
}

// finish works the phases out. A server may answer before it has the whole request.
func (x *exchange2) finish() {
	t := &x.resp.Times
	t.Total = t.now()
	end := t.Total
	sent, first := time.Duration(x.sent.Load()), time.Duration(x.first.Load())
	if sent > 0 {
		t.Sending = sent - x.ready
	}
	switch {
	case first > 0 && (sent == 0 || sent > first):
		t.Sending, t.Receiving = first-x.ready, end-first
	case first > 0:
		t.Waiting, t.Receiving = first-sent, end-first
	case sent > 0:
		t.Waiting = end - sent // in vain
	}
}

// mayRepeat says that the server has not looked at the request, or may look at it twice.
func (x *exchange2) mayRepeat(err error) bool {
	var stream http2.StreamError
	switch {
	case x.resp.Status != 0 || isDeadline(err):
		return false
	case errors.As(err, &stream):
		return stream.Code == http2.ErrCodeRefusedStream
	}
	switch err.Error() {
	case "http2: client conn not usable", "http2: Transport received Server's graceful shutdown GOAWAY", "http2: client conn could not be established":
		return x.resp.Reused
	}
	return false
}

// fill copies fields in a fixed order; HTTP/2's own client does not keep theirs.
func fill(h *Header, from http.Header) {
	names := make([]string, 0, len(from))
	for name := range from {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range from[name] {
			h.add(name, value)
		}
	}
}
