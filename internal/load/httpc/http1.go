package httpc

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// exchange is one request and its answer over HTTP/1.1.
type exchange struct {
	cn      *conn
	req     *Request
	resp    *Response
	b       *buffer
	closing bool

	wrote   int  // bytes handed to the connection
	heard   bool // something came back
	writing *writer
}

// do sends msg, which is in the buffer, and rest, and reads the answer. again says that the connection was dead before
// anything came and that the request may be sent once more. Afterwards the connection is in the pool or closed.
func (x *exchange) do(c *Client, msg, rest []byte, deadline time.Time) (again bool, err error) {
	cn, resp := x.cn, x.resp
	cn.w.until(deadline)
	resp.RemoteAddr, resp.TLS = cn.remote, cn.tls
	keep, err := x.run(msg, rest)
	if x.b != nil {
		cn.s.give(x.b)
	}
	if err != nil && cn.w.cut.Load() {
		err = ErrInterrupted
	}
	again = err != nil && resp.Reused && x.mayRepeat(err)
	*x = exchange{} // before the connection goes to somebody else
	resp.ConnClosed = !c.release(cn, keep && err == nil, resp.Times.End)
	return again, err
}

// now is the time since the exchange's start. The monotonic clock alone is half the price of time.Now.
func (x *exchange) now() time.Duration { return time.Since(x.resp.Times.Start) }

func (x *exchange) run(msg, rest []byte) (keep bool, err error) {
	t := &x.resp.Times
	if !x.resp.Reused { // one that lies ready is there at once: asking the clock would take as long
		t.Blocked = x.now()
	}
	failed := x.send(msg, rest)
	sent := x.now()
	if failed != nil && (isDeadline(failed) || x.wrote == 0) {
		t.End = t.Start.Add(sent)
		return false, failed
	}
	first, keep, err := x.receive(failed)
	end := x.now()
	t.End = t.Start.Add(end)
	if x.writing != nil {
		sent, keep, err = x.sentAll(keep, err)
	} else if failed != nil {
		sent, keep = 0, false
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
	return keep, err
}

// send writes head and body. A body too large for one write goes on in a goroutine: a server may answer, and stop
// reading, before it has all of it.
func (x *exchange) send(msg, rest []byte) (err error) {
	x.cn.w.yield = x.cn.tls == nil
	if x.cn.tls == nil && x.cn.w.canAwait(x.cn.s) {
		x.wrote, err = x.cn.w.send(msg)
	} else {
		x.wrote, err = x.cn.rw.Write(msg)
	}
	if err == nil && len(rest) > 0 {
		x.writing = startWriter(x, rest)
	}
	return err
}

// receive reads the answer. first is when its first byte came, 0 if none did. failed is why the request could not be
// sent to its end: the server may have said why before it hung up.
func (x *exchange) receive(failed error) (first time.Duration, keep bool, err error) {
	if err := x.await(); err != nil {
		if failed != nil && !isDeadline(err) {
			err = failed
		}
		return 0, false, err
	}
	b := x.b
	x.heard = true
	first = x.now()
	h := head{limit: maxHead}
	for {
		if err := h.read(b, x.cn.rw, x.resp, x.req.Method); err != nil {
			x.resp.Status, x.resp.Header = 0, Header{raw: x.resp.Header.raw[:0]}
			x.resp.Proto, x.resp.StatusText = "", ""
			if !isDeadline(err) {
				err = broken(err)
			}
			return first, false, err
		}
		if x.resp.Status < 100 || x.resp.Status > 199 || x.resp.Status == 101 {
			break
		}
	}
	if x.resp.Status == 101 {
		return first, false, nil
	}
	r := body{b: b, src: x.cn.rw, resp: x.resp, keep: !x.req.Discard, max: x.cn.s.cfg.MaxResponseBytes}
	switch {
	case h.chunked:
		err = r.chunks()
	case h.length >= 0:
		err = r.sized(h.length)
	default:
		err = r.rest()
	}
	x.cn.promised = h.hasKeepAlive
	// Bytes behind the answer are an answer to nothing: the connection cannot be trusted.
	keep = !h.close && !x.closing && x.resp.Status >= 200 && b.r == b.w && !x.req.asksClose()
	return first, keep, err
}

// await reads the first bytes of the answer. Where that is possible, the buffer is of use to others meanwhile.
func (x *exchange) await() (err error) {
	if x.cn.tls != nil || x.writing != nil || !x.cn.w.canAwait(x.cn.s) {
		_, err = x.b.fill(x.cn.rw, maxHead)
		return err
	}
	x.cn.s.give(x.b)
	x.b, err = x.cn.w.await()
	return err
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
	if x.heard || isDeadline(err) {
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
			w.done.Store(int64(x.now()))
		}
	}()
	return w
}

// sentAll ends the writer and says when all was sent, 0 if never. If nothing came back, why it failed is the better
// story.
func (x *exchange) sentAll(keep bool, err error) (time.Duration, bool, error) {
	keep = x.finishWriting(keep) && keep
	if failed := x.writing.failed; failed != nil && err != nil && !x.heard && !isDeadline(err) && failed != net.ErrClosed {
		err = failed
	}
	return time.Duration(x.writing.done.Load()), keep, err
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
