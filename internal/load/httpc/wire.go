package httpc

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// wire is the TCP connection under everything else. It counts bytes, and keeps the deadline of the present exchange
// without setting it on the socket each time: a timer that is set already and fires too early costs one more attempt,
// once in the length of a timeout, where setting it anew would cost two timer operations per request.
type wire struct {
	net.Conn
	s              *Shared
	sent, received *atomic.Int64
	yield          bool // before the next read, let others run once: the answer has probably come by then

	awaiter awaiter

	cut  atomic.Bool // interrupted; never undone
	quit atomic.Bool // given up by its owner; never undone

	mu       sync.Mutex
	deadline moment // of the exchange; 0: none
	armed    moment // what is set on the socket; 0: nothing
}

// moment is an instant in a third of the space that time.Time takes: nanoseconds since the Shared was made, and never 0.
type moment int64

func (s *Shared) moment(t time.Time) moment {
	if t.IsZero() {
		return 0
	}
	if m := moment(t.Sub(s.epoch)); m != 0 {
		return m
	}
	return 1
}

func (s *Shared) time(m moment) time.Time {
	if m == 0 {
		return time.Time{}
	}
	return s.epoch.Add(time.Duration(m))
}

// until sets the deadline of all reads and writes to come. Nothing may be in progress.
func (w *wire) until(t time.Time) {
	m := w.s.moment(t)
	w.mu.Lock()
	w.deadline = m
	late := m != 0 && (w.armed == 0 || m < w.armed)
	if late {
		w.armed = m
	}
	w.mu.Unlock()
	if late {
		w.arm(t)
	}
}

func (w *wire) arm(t time.Time) {
	_ = w.Conn.SetDeadline(t)
	w.stillCut()
}

// interrupt ends what is in progress and all that follows. Any goroutine may call it.
func (w *wire) interrupt() {
	w.cut.Store(true)
	_ = w.Conn.SetDeadline(past())
}

// abandon is interrupt by the owner itself, whose writer goroutine is still at work.
func (w *wire) abandon() {
	w.quit.Store(true)
	_ = w.Conn.SetDeadline(past())
}

// past is a deadline that has passed.
func past() time.Time { return time.Unix(1, 0) }

// stillCut undoes a deadline that was set at the same time as interrupt set its own.
func (w *wire) stillCut() {
	if w.cut.Load() || w.quit.Load() {
		_ = w.Conn.SetDeadline(past())
	}
}

// expired is asked after a timeout on the socket: nil means that it came too early, and the next one is set.
func (w *wire) expired() error {
	if w.cut.Load() {
		return ErrInterrupted
	}
	if w.quit.Load() {
		return net.ErrClosed
	}
	w.mu.Lock()
	d := w.deadline
	if d != 0 && w.s.moment(time.Now()) >= d {
		w.mu.Unlock()
		return errTimedOut
	}
	w.armed = d
	w.mu.Unlock()
	w.arm(w.s.time(d))
	return nil
}

// Read reads some bytes. At the deadline it returns errTimedOut, after interrupt ErrInterrupted.
func (w *wire) Read(p []byte) (int, error) {
	if w.yield {
		w.yield = false
		runtime.Gosched()
	}
	for {
		n, err := w.Conn.Read(p)
		if n > 0 {
			w.received.Add(int64(n))
		}
		if err == nil || n > 0 || !isTimeout(err) {
			return n, err
		}
		if err := w.expired(); err != nil {
			return 0, err
		}
	}
}

// Write writes all of p; errors as in Read.
func (w *wire) Write(p []byte) (int, error) {
	total := 0
	for {
		n, err := w.Conn.Write(p[total:])
		total += n
		w.sent.Add(int64(n))
		if err == nil || !isTimeout(err) {
			return total, err
		}
		if err := w.expired(); err != nil {
			return total, err
		}
	}
}
