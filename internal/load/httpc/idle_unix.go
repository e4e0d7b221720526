//go:build unix

package httpc

import (
	"crypto/tls"
	"syscall"
	"time"
)

// quiet looks at the socket without waiting and without taking anything from it.
func (cn *conn) quiet() bool {
	if !cn.w.canAwait() {
		return true
	}
	n, errno := socketPeek(cn.w.awaiter.fd)
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		return true
	case errno != 0 || n == 0:
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
