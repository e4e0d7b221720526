//go:build unix || zos

package httpc

import (
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
)

// awaiter waits for an answer without holding a buffer: of thousands of connections that wait, each would hold 8 KiB.
//
// An exchange reads and writes the socket itself, without the lock that the standard library takes each time against
// closing it at the same time: only the exchange that has a connection closes it.
type awaiter struct {
	raw   syscall.RawConn
	ready func(fd uintptr) bool
	fd    uintptr
	b     *buffer // with what was read; nil if nothing was
	err   error
	tries uint8 // reads since the wait began
	early bool  // the last look came before the answer
}

// canAwait prepares w for await; it says whether that is possible.
func (w *wire) canAwait() bool {
	if w.awaiter.raw != nil {
		return true
	}
	return w.prepare()
}

func (w *wire) prepare() bool {
	sc, ok := w.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	a := &w.awaiter
	if raw.Control(func(fd uintptr) { a.fd = fd }) != nil {
		return false
	}
	a.raw, a.ready = raw, w.readNow
	return true
}

// readNow reads into a fresh buffer what is there; it reports false if that is nothing yet.
func (w *wire) readNow(fd uintptr) bool {
	a, b := &w.awaiter, w.s.take()
	a.tries = min(a.tries+1, 2)
	for {
		n, errno := socketRead(fd, b.b)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			w.s.give(b)
			return false
		case errno != 0:
			a.err = os.NewSyscallError("read", errno)
		case n == 0:
			a.err = io.EOF
		default:
			b.w, a.b = n, b
			return true
		}
		w.s.give(b)
		return true
	}
}

// send writes all of p. Errors are those of Write.
func (w *wire) send(p []byte) (int, error) {
	n, errno := socketWrite(w.awaiter.fd, p)
	switch {
	case errno == 0 && n == len(p):
		w.sent.Add(int64(n))
		return n, nil
	case errno == 0:
		w.sent.Add(int64(n))
		rest, err := w.sendRest(p[n:])
		return n + rest, err
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		return w.sendRest(p)
	}
	return 0, w.broken("write", os.NewSyscallError("write", errno)) // it would be told only once
}

// broken is what Read and Write return for an error of the socket.
func (w *wire) broken(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: w.LocalAddr(), Addr: w.RemoteAddr(), Err: err}
}

// sendRest waits where send could not go on, or finds out why.
func (w *wire) sendRest(p []byte) (n int, err error) {
	var failed error
	defer func() { w.sent.Add(int64(n)) }()
	for {
		err := w.awaiter.raw.Write(func(fd uintptr) bool {
			for n < len(p) {
				some, errno := socketWrite(fd, p[n:])
				switch errno {
				case 0:
					n += some
				case syscall.EINTR:
				case syscall.EAGAIN:
					return false
				default:
					failed = os.NewSyscallError("write", errno)
					return true
				}
			}
			return true
		})
		switch {
		case failed != nil:
			return n, w.broken("write", failed)
		case err == nil:
			return n, nil
		case !isTimeout(err):
			return n, renamed(err, "write")
		}
		if err := w.expired(); err != nil {
			return n, err
		}
	}
}

// renamed is an error of a RawConn as Read or Write itself would tell it.
func renamed(err error, op string) error {
	if e, ok := err.(*net.OpError); ok {
		e.Op = op
	}
	return err
}

// await returns a buffer with the first bytes that come. Errors are those of Read.
func (w *wire) await() (*buffer, error) {
	if w.yield {
		w.yield = false
		runtime.Gosched()
	}
	a := &w.awaiter
	a.tries = 0
	// What the poller is asked about must be read once more after asking. So it is asked at once where the answer is
	// not expected to have come.
	if a.early || !w.readNow(a.fd) {
		for {
			if err := a.raw.Read(a.ready); a.b == nil && a.err == nil {
				if err = w.unheard(err); err != nil {
					return nil, err
				}
				continue
			}
			break
		}
		a.early = a.tries > 1
	}
	return w.heard()
}

// heard is what a read has found.
func (w *wire) heard() (*buffer, error) {
	a := &w.awaiter
	b, err := a.b, a.err
	a.b, a.err = nil, nil
	switch {
	case err == io.EOF:
		return nil, io.EOF
	case err != nil:
		return nil, w.broken("read", err)
	}
	w.received.Add(int64(b.w))
	return b, nil
}

// unheard is why a wait has ended without anything, nil if it must go on.
func (w *wire) unheard(err error) error {
	if err == nil || !isTimeout(err) {
		return renamed(err, "read")
	}
	return w.expired()
}
