package httpc

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// exchange is one request and its answer over HTTP/1.1: send, await, receive and finish, in this order. It is part of its
// connection, so its state takes no stack while a virtual user waits.
type exchange struct {
	cn      *conn
	req     *Request
	resp    *Response
	b       *buffer // nil while it is not needed
	msg     []byte  // what is sent with one write; it may stand in b
	rest    []byte  // of a body that is too large for that
	closing bool

	wrote   int           // bytes handed to the connection
	sent    time.Duration // when they were, since the exchange's start
	first   time.Duration // when something came back; 0: nothing has
	failed  error         // why the request could not be sent to its end
	err     error         // what the exchange has failed with
	keep    bool          // the connection is good for another exchange
	writing *writer
}

// send writes head and body. A body too large for one write goes on in a goroutine: a server may answer, and stop
// reading, before it has all of it. It reports whether an answer may come.
func (x *exchange) send() bool {
	cn, t := x.cn, &x.resp.Times
	if !x.resp.Reused { // one that lies ready is there at once: asking the clock would take as long
		t.Blocked = t.now()
	}
	cn.w.yield = cn.peer.TLS == nil
	if cn.peer.TLS == nil && cn.w.canAwait() {
		x.wrote, x.failed = cn.w.send(x.msg)
	} else {
		x.wrote, x.failed = cn.rw.Write(x.msg)
	}
	x.sent = t.now()
	if x.failed == nil {
		if len(x.rest) > 0 {
			x.writing = startWriter(x, x.rest)
		}
		return true
	}
	return x.wrote > 0 && !isDeadline(x.failed)
}

// await reads the first bytes of the answer. Where that is possible, the buffer is of use to others meanwhile.
func (x *exchange) await() {
	if x.cn.peer.TLS != nil || x.writing != nil || !x.cn.w.canAwait() {
		if x.b == nil {
			x.b = x.cn.s.take()
		}
		_, x.err = x.b.fill(x.cn.rw, maxHead)
	} else {
		if x.b != nil {
			x.cn.s.give(x.b)
		}
		x.b, x.err = x.cn.w.await()
	}
	if x.err == nil {
		x.first = max(x.resp.Times.now(), 1)
	} else if x.failed != nil && !isDeadline(x.err) {
		x.err = x.failed
	}
}

// receive reads the answer, whose first bytes are in the buffer.
func (x *exchange) receive() {
	f := &x.b.head.framing
	if k := x.req.URL.head.Load(); k != nil && k.is(x.b, x.req.Method) {
		k.tell(x.b, x.resp, f)
		x.cn.unknown = 0
	} else if x.err = x.head(); x.err != nil {
		x.garbled()
		return
	}
	if x.resp.Status == http.StatusSwitchingProtocols {
		return
	}
	if !f.chunked && f.length >= 0 && int64(x.b.w-x.b.r) >= f.length {
		x.take(int(f.length))
	} else if x.err = x.body(f); x.err != nil {
		return
	}
	x.cn.promised = f.keepAlive
	// Bytes behind the answer are an answer to nothing: the connection cannot be trusted.
	x.keep = !f.close && !x.closing && x.resp.Status >= 200 && x.b.r == x.b.w && !x.req.asksClose()
}

// head reads heads up to the one that counts.
func (x *exchange) head() error {
	b := x.b
	b.head = head{limit: maxHead}
	for {
		from := b.r
		if err := b.head.read(b, x.cn.rw, x.resp, x.req.Method); err != nil {
			return err
		}
		if s := x.resp.Status; s < 100 || s > 199 || s == http.StatusSwitchingProtocols {
			x.learn(&b.head, from)
			return nil
		}
	}
}

// garbled ends an answer that has no head.
func (x *exchange) garbled() {
	x.resp.Status, x.resp.Header = 0, Header{raw: x.resp.Header.reusable()}
	x.resp.Proto, x.resp.StatusText = "", ""
	if !isDeadline(x.err) {
		x.err = broken(x.err)
	}
}

// take takes a body that is all here.
func (x *exchange) take(n int) {
	p := x.b.b[x.b.r : x.b.r+n]
	x.b.r += n
	x.resp.BodySize = int64(n)
	if x.req.Discard || n == 0 {
		return
	}
	if cap(x.resp.Body) < n {
		x.resp.Body = make([]byte, 0, n)
	}
	x.resp.Body = append(x.resp.Body, p...)
	if most := x.cn.s.cfg.MaxResponseBytes; most > 0 && int64(n) > most {
		x.err = TooLarge(most)
	}
}

func (x *exchange) body(f *framing) error {
	r := body{b: x.b, src: x.cn.rw, resp: x.resp, keep: !x.req.Discard, max: x.cn.s.cfg.MaxResponseBytes}
	switch {
	case f.chunked:
		return r.chunks()
	case f.length >= 0:
		return r.sized(f.length)
	default:
		return r.rest()
	}
}

// finish works out how the exchange has ended, and when its phases were. again says that the connection was dead before
// anything came and that the request may be sent once more. Afterwards the connection is in the pool or closed.
func (x *exchange) finish(c *Client) (again bool, err error) {
	cn, resp := x.cn, x.resp
	x.phases()
	if err = x.err; err != nil {
		if cn.w.cut.Load() {
			err = ErrInterrupted
		}
		again = resp.Reused && x.mayRepeat(err)
	}
	keep := x.keep && err == nil
	if x.b != nil {
		cn.s.give(x.b)
	}
	*x = exchange{} // before the connection goes to somebody else
	resp.ConnClosed = !c.release(cn, keep, resp.Times.End())
	return again, err
}

// phases fills the times.
func (x *exchange) phases() {
	t := &x.resp.Times
	if x.failed != nil && (x.wrote == 0 || isDeadline(x.failed)) {
		t.Total, x.err = x.sent, x.failed
		return
	}
	end := t.now()
	t.Total = end
	sent, first := x.sent, x.first
	if x.writing != nil {
		sent = x.sentAll()
	} else if x.failed != nil {
		sent, x.keep = 0, false
	}
	if sent > 0 && (first == 0 || sent < first) {
		t.Sending = sent - t.Blocked
	} else {
		sent = first // answered before everything was sent
	}
	switch {
	case first > 0:
		t.Waiting, t.Receiving = first-sent, end-first
	case sent > 0:
		t.Waiting = end - sent // in vain
	}
}

// broken is how net/http words what spoils a connection before a head is complete.
func broken(err error) error {
	return fmt.Errorf("net/http: HTTP/1.x transport connection broken: %w", err)
}

// isDeadline reports whether an exchange was cut off from our side.
func isDeadline(err error) bool { return errors.Is(err, errTimedOut) || errors.Is(err, ErrInterrupted) }

// mayRepeat says whether a request may be sent once more after a connection that had served before failed. net/http does
// so whenever nothing came back; but a server that read the request and hung up has it in its log, and a load generator
// must not send what it does not count. So it is repeated only if nothing of it was sent, or if it is likely that the
// server had closed the connection before it came: because it had been idle for long, or because the server had not
// promised to keep it. See docs/decisions/0002-own-http-exchange.md.
func (x *exchange) mayRepeat(err error) bool {
	if x.first > 0 || isDeadline(err) {
		return false
	}
	var bad plain
	closed := x.cn.rested || !x.cn.promised
	return (x.wrote == 0 || closed && x.req.replayable()) && !errors.As(err, &bad)
}

// writer sends the rest of a large body.
type writer struct {
	finished chan struct{}
	done     atomic.Int64 // when it was sent, since the exchange's start; 0: not yet, or never
	failed   error        // valid once finished is closed
}

func startWriter(x *exchange, rest []byte) *writer {
	w := &writer{finished: make(chan struct{})}
	go func() {
		defer close(w.finished)
		if _, w.failed = x.cn.rw.Write(rest); w.failed == nil {
			w.done.Store(int64(x.resp.Times.now()))
		}
	}()
	return w
}

// sentAll ends the writer and says when all was sent, 0 if never. If nothing came back, why it failed is the better
// story.
func (x *exchange) sentAll() time.Duration {
	x.keep = x.finishWriting(x.keep) && x.keep
	if failed := x.writing.failed; failed != nil && x.err != nil && x.first == 0 && !isDeadline(x.err) && failed != net.ErrClosed {
		x.err = failed
	}
	return time.Duration(x.writing.done.Load())
}

// finishWriting waits for the writer; if it is still at work although the answer is in, it is given a moment if the
// connection is worth it, and then stopped. It reports whether everything was sent.
func (x *exchange) finishWriting(worth bool) bool {
	w := x.writing
	patience := time.Duration(0)
	if worth {
		patience = 50 * time.Millisecond
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.finished:
	case <-timer.C:
		x.cn.w.abandon()
		<-w.finished
	}
	return w.failed == nil
}
