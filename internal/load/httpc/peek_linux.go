package httpc

import (
	"syscall"
	"unsafe"
)

// socketPeek looks at the next byte without taking it; n is 0 at the end of the stream.
func socketPeek(fd uintptr) (n int, errno syscall.Errno) {
	var one [1]byte
	r, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&one)), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return int(r), e
}
