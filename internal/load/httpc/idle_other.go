//go:build !unix

package httpc

import "time"

// quiet waits a moment for what should not come; this system has no way to look without waiting.
func (cn *conn) quiet() bool {
	if cn.s.moment(time.Now())-cn.idleSince < moment(5*time.Millisecond) {
		return true
	}
	cn.w.until(time.Now().Add(time.Millisecond))
	var one [1]byte
	n, err := cn.rw.Read(one[:])
	return n == 0 && err == errTimedOut
}
