//go:build (unix || zos) && !linux

package httpc

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// socketRead is read(2); n is what was read when errno is 0.
func socketRead(fd uintptr, p []byte) (n int, errno syscall.Errno) {
	n, err := unix.Read(int(fd), p)
	errors.As(err, &errno)
	return n, errno
}

// socketWrite is write(2); n is what was written when errno is 0.
func socketWrite(fd uintptr, p []byte) (n int, errno syscall.Errno) {
	n, err := unix.Write(int(fd), p)
	errors.As(err, &errno)
	return n, errno
}
