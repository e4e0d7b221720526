//go:build unix && !linux

package httpc

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// socketPeek looks at the next byte without taking it; n is 0 at the end of the stream.
func socketPeek(fd uintptr) (n int, errno syscall.Errno) {
	var one [1]byte
	n, _, err := unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	errors.As(err, &errno)
	return n, errno
}
