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
type awaiter struct {
	raw   syscall.RawConn
	ready func(fd uintptr) bool
	s     *Shared
	b     *buffer // with what was read; nil if nothing was
	err   error

	writable func(fd uintptr) bool
	out      []byte // what is left to write
}

// canAwait prepares w for await; it says whether that is possible.
func (w *wire) canAwait(s *Shared) bool {
	if w.awaiter.raw != nil {
		return true
	}
	sc, ok := w.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	w.awaiter.raw, w.awaiter.s, w.awaiter.ready = raw, s, w.awaiter.readNow
	w.awaiter.writable = w.awaiter.writeNow
	return true
}

// readNow reads into a fresh buffer what is there; it reports false if that is nothing yet.
func (a *awaiter) readNow(fd uintptr) bool {
	b := a.s.take()
	for {
		n, errno := socketRead(fd, b.b)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			a.s.give(b)
			return false
		case errno != 0:
			a.err = os.NewSyscallError("read", errno)
		case n == 0:
			a.err = io.EOF
		default:
			b.w, a.b = n, b
			return true
		}
		a.s.give(b)
		return true
	}
}

// writeNow writes what it can of a.out; it reports false if it must wait to write the rest.
func (a *awaiter) writeNow(fd uintptr) bool {
	for len(a.out) > 0 {
		n, errno := socketWrite(fd, a.out)
		switch errno {
		case 0:
			a.out = a.out[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			a.err = os.NewSyscallError("write", errno)
			return true
		}
	}
	return true
}

// send writes all of p. Errors are those of Write.
func (w *wire) send(p []byte) (int, error) {
	a := &w.awaiter
	a.out, a.err = p, nil
	defer func() { a.out = nil }()
	for {
		err := a.raw.Write(a.writable)
		if err == nil && a.err == nil {
			w.sent.Add(int64(len(p)))
			return len(p), nil
		}
		if a.err != nil || !isTimeout(err) {
			n := len(p) - len(a.out)
			w.sent.Add(int64(n))
			if a.err != nil {
				return n, &net.OpError{Op: "write", Net: "tcp", Source: w.LocalAddr(), Addr: w.RemoteAddr(), Err: a.err}
			}
			if op, ok := err.(*net.OpError); ok {
				op.Op = "write"
			}
			return n, err
		}
		if err := w.expired(); err != nil {
			n := len(p) - len(a.out)
			w.sent.Add(int64(n))
			return n, err
		}
	}
}

// await returns a buffer with the first bytes that come. Errors are those of Read.
func (w *wire) await() (*buffer, error) {
	if w.yield {
		w.yield = false
		runtime.Gosched()
	}
	a := &w.awaiter
	for {
		a.b, a.err = nil, nil
		err := a.raw.Read(a.ready)
		if b := a.b; b != nil {
			a.b = nil
			w.received.Add(int64(b.w))
			return b, nil
		}
		if a.err == io.EOF {
			return nil, io.EOF
		}
		if a.err != nil {
			return nil, &net.OpError{Op: "read", Net: "tcp", Source: w.LocalAddr(), Addr: w.RemoteAddr(), Err: a.err}
		}
		if op, ok := err.(*net.OpError); ok {
			op.Op = "read" // as Read itself would say
		}
		if err == nil || !isTimeout(err) {
			return nil, err
		}
		if err := w.expired(); err != nil {
			return nil, err
		}
	}
}
