//go:build unix

package httpc

import (
	"crypto/tls"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// quiet looks at the socket without waiting and without taking anything from it.
func (cn *conn) quiet() bool {
	sc, ok := cn.w.Conn.(syscall.Conn)
	if !ok {
		return true
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	var n int
	var failed error
	err = rc.Control(func(fd uintptr) {
		var one [1]byte
		n, _, failed = unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	switch {
	case err != nil:
		return false
	case failed == unix.EAGAIN || failed == unix.EINTR:
		return true
	case failed != nil || n == 0:
		return false
	}
	// Bytes in the clear are junk. Under TLS they may be session tickets; only reading them tells.
	tc, ok := cn.rw.(*tls.Conn)
	return ok && drained(cn, tc)
}

// drained reads what a server sends between exchanges under TLS.
func drained(cn *conn, tc *tls.Conn) bool {
	cn.w.until(time.Now().Add(time.Millisecond))
	var one [1]byte
	n, err := tc.Read(one[:])
	return n == 0 && err == errTimedOut
}
