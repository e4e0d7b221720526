package httpc

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Client is one virtual user's connections. It owns nothing before its first exchange. All methods may be called by
// several goroutines at once.
type Client struct {
	s              *Shared
	sent, received atomic.Int64

	mu          sync.Mutex
	interrupted bool
	closed      bool
	conns       []*conn // at work, idle, and shaking hands; the most recently used last
	flights     []*flight
}

// flight is a piece of work that ends with a context: a dial, or an exchange over HTTP/2.
type flight struct{ cancel context.CancelCauseFunc }

// NewClient makes a Client.
func (s *Shared) NewClient() *Client { return &Client{s: s} }

// Do sends req and reads the whole answer. Its error is ErrInterrupted or an *Error.
//
// What it does step by step returns before the wait begins, for under the frames of this function virtual users wait by
// the thousand. See TestWaitingTakesLittleStack.
func (c *Client) Do(req *Request, resp *Response) error {
	resp.reset(time.Now())
	for {
		cn, err := c.ready(req, resp)
		if cn == nil && err == nil {
			cn, err = c.open(req, resp)
		}
		if err != nil {
			return c.refused(resp, err)
		}
		again := false
		if cn.h2 != nil {
			again, err = cn.exchange2(c, req, resp, deadlineOf(req, resp))
		} else {
			if cn.x.send() {
				cn.x.await()
			}
			if cn.x.first > 0 {
				cn.x.receive()
			}
			again, err = cn.x.finish(c)
		}
		if !again || !c.mayRetry(deadlineOf(req, resp)) {
			return failure(err)
		}
		resp.reset(resp.Times.Start)
	}
}

// refused ends an exchange that had no connection.
func (c *Client) refused(resp *Response, err error) error {
	resp.Times.Total = resp.Times.now()
	return failure(err)
}

// deadlineOf is when the exchange must be over; the zero time: never.
func deadlineOf(req *Request, resp *Response) time.Time {
	deadline := req.Deadline
	if req.Timeout > 0 {
		if d := resp.Times.Start.Add(req.Timeout); deadline.IsZero() || d.Before(deadline) {
			deadline = d
		}
	}
	return deadline
}

// ready finds a connection and writes the request into a buffer. Without error and connection there is none yet.
func (c *Client) ready(req *Request, resp *Response) (*conn, error) {
	if req.URL.bad != nil {
		return nil, req.URL.bad
	}
	to, err := c.s.routeOf(req.URL)
	if err != nil {
		return nil, err
	}
	cn, err := c.acquire(req, to, resp.Times.Start)
	if cn == nil || err != nil {
		return nil, err
	}
	resp.Reused = true
	return c.load(cn, req, resp)
}

// open makes a connection and writes the request into a buffer.
func (c *Client) open(req *Request, resp *Response) (*conn, error) {
	to, err := c.s.routeOf(req.URL)
	if err != nil {
		return nil, err
	}
	if err := c.check(req, to); err != nil {
		return nil, err
	}
	cn, err := c.dialApart(to, deadlineOf(req, resp), &resp.Times)
	if err != nil {
		return nil, err
	}
	return c.load(cn, req, resp)
}

// check refuses a request that cannot be written, before a connection is made for it.
func (c *Client) check(req *Request, to *route) error {
	b, _, _, err := c.message(req, to, false)
	if err == nil {
		c.s.give(b) // connecting takes time, and a thousand others may be connecting too
	}
	return err
}

// load prepares the exchange of req on cn.
func (c *Client) load(cn *conn, req *Request, resp *Response) (*conn, error) {
	resp.Peer = cn.peer
	if cn.h2 != nil {
		return cn, nil
	}
	cn.w.until(deadlineOf(req, resp))
	x := &cn.x
	x.cn, x.req, x.resp, x.closing = cn, req, resp, req.Close || c.s.cfg.NoConnectionReuse
	if x.msg = req.complete(cn.to, x.closing); x.msg != nil {
		return cn, nil
	}
	var err error
	if x.b, x.msg, x.rest, err = c.message(req, cn.to, x.closing); err != nil {
		*x = exchange{}
		c.release(cn, true, resp.Times.Start)
		return nil, err
	}
	return cn, nil
}

// message writes the request into a buffer; rest is what did not fit in.
func (c *Client) message(req *Request, to *route, closing bool) (b *buffer, msg, rest []byte, err error) {
	b = c.s.take()
	msg, rest, err = req.appendMessage(b.b[:0], to, closing)
	b.b = msg[:cap(msg)]
	if err != nil {
		c.s.give(b)
		return nil, nil, nil, err
	}
	return b, msg, rest, nil
}

// mayRetry says whether a second attempt makes sense.
func (c *Client) mayRetry(deadline time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.interrupted && (deadline.IsZero() || time.Now().Before(deadline))
}

// acquire returns a connection to work on, nil if there is none.
func (c *Client) acquire(req *Request, to *route, now time.Time) (*conn, error) {
	for {
		cn, err := c.pick(to)
		if cn == nil || cn.h2 != nil || cn.alive(now, req.replayable()) {
			return cn, err
		}
		c.drop(cn)
	}
}

func (c *Client) pick(to *route) (*conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted {
		return nil, ErrInterrupted
	}
	for i := len(c.conns) - 1; i >= 0; i-- {
		cn := c.conns[i]
		if cn.to != to && cn.to.key != to.key {
			continue
		}
		if cn.h2 != nil {
			if c.reserve(i) {
				return cn, nil
			}
			continue
		}
		if !cn.busy {
			cn.busy = true
			return cn, nil
		}
	}
	return nil, nil
}

// reserve takes a stream of the i-th connection, which is one of HTTP/2.
func (c *Client) reserve(i int) bool {
	h2 := c.conns[i].h2
	if h2.ReserveNewRequest() {
		return true
	}
	if st := h2.State(); st.Closed {
		c.conns = slices.Delete(c.conns, i, i+1) // its own goroutine has closed it
	}
	return false
}

// release puts a connection back, or closes it. The return says whether it was kept.
func (c *Client) release(cn *conn, keep bool, now time.Time) bool {
	c.mu.Lock()
	if !keep || c.closed || c.s.cfg.NoConnectionReuse || cn.w.cut.Load() {
		c.mu.Unlock()
		c.drop(cn)
		return false
	}
	cn.busy = false
	cn.idleSince = c.s.moment(now)
	if len(c.conns) == 1 {
		c.mu.Unlock()
		return true
	}
	victim := c.overflow(cn)
	c.mu.Unlock()
	if victim != nil {
		c.drop(victim)
	}
	return victim != cn
}

// overflow moves cn to the end of the line and returns the connection that is one too many: cn itself if its host has
// enough idle ones, else the one that was idle longest.
func (c *Client) overflow(cn *conn) *conn {
	idle, here := 0, 0
	for _, o := range c.conns {
		if !o.busy && o.h2 == nil {
			idle++
			if o.to.key == cn.to.key {
				here++
			}
		}
	}
	if here > c.s.cfg.MaxIdlePerHost {
		cn.busy = true
		return cn
	}
	if i := slices.Index(c.conns, cn); i >= 0 && i != len(c.conns)-1 {
		c.conns = append(slices.Delete(c.conns, i, i+1), cn)
	}
	if idle > c.s.cfg.MaxIdle {
		for _, o := range c.conns {
			if !o.busy && o.h2 == nil {
				o.busy = true
				return o
			}
		}
	}
	return nil
}

// enlist makes a connection known, so that Interrupt reaches it.
func (c *Client) enlist(cn *conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted || c.closed {
		return ErrInterrupted
	}
	c.conns = append(c.conns, cn)
	return nil
}

// drop closes a connection that nobody else uses.
func (c *Client) drop(cn *conn) {
	c.mu.Lock()
	if i := slices.Index(c.conns, cn); i >= 0 {
		c.conns = slices.Delete(c.conns, i, i+1)
	}
	c.mu.Unlock()
	cn.close()
}

// begin registers work that Interrupt must end, and returns its context.
func (c *Client) begin(deadline time.Time) (context.Context, func(), error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := func() { cancel(nil) }
	if !deadline.IsZero() {
		var end context.CancelFunc
		ctx, end = context.WithDeadlineCause(ctx, deadline, errTimedOut)
		stop = func() { end(); cancel(nil) }
	}
	f := &flight{cancel: cancel}
	c.mu.Lock()
	if c.interrupted {
		c.mu.Unlock()
		stop()
		return nil, nil, ErrInterrupted
	}
	c.flights = append(c.flights, f)
	c.mu.Unlock()
	return ctx, func() {
		stop()
		c.mu.Lock()
		if i := slices.Index(c.flights, f); i >= 0 {
			c.flights = slices.Delete(c.flights, i, i+1)
		}
		c.mu.Unlock()
	}, nil
}

// Interrupt cuts off all exchanges in progress with ErrInterrupted, and those to come until Resume.
func (c *Client) Interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupted = true
	for _, cn := range c.conns {
		if cn.busy && cn.h2 == nil {
			cn.w.interrupt()
		}
	}
	for _, f := range c.flights {
		f.cancel(ErrInterrupted)
	}
}

// Resume ends an interruption.
func (c *Client) Resume() {
	c.mu.Lock()
	c.interrupted = false
	c.mu.Unlock()
}

// CloseIdle closes the connections that no exchange uses.
func (c *Client) CloseIdle() {
	for _, cn := range c.takeIdle() {
		cn.close()
	}
}

func (c *Client) takeIdle() []*conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	var idle []*conn
	rest := c.conns[:0]
	for _, cn := range c.conns {
		if cn.idle() {
			cn.busy = true
			idle = append(idle, cn)
		} else {
			rest = append(rest, cn)
		}
	}
	clear(c.conns[len(rest):])
	c.conns = rest
	if len(rest) == 0 {
		c.conns = nil
	}
	return idle
}

// Close interrupts what is in progress and closes everything. The Client cannot be used after it.
func (c *Client) Close() {
	c.Interrupt()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.CloseIdle()
}

// Traffic returns how many bytes went over the wire since the last call, handshakes and heads included.
func (c *Client) Traffic() (sent, received int64) { return c.sent.Swap(0), c.received.Swap(0) }
