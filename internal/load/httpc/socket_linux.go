package httpc

import (
	"syscall"
	"unsafe"
)

// socketRead and socketWrite are read(2) and write(2) on a socket that does not block. They tell the scheduler nothing:
// a call that cannot wait need not announce that it might, and the announcement costs a tenth of a small request. n is
// what was read or written when errno is 0.
func socketRead(fd uintptr, p []byte) (n int, errno syscall.Errno) {
	r, _, e := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(r), e
}

func socketWrite(fd uintptr, p []byte) (n int, errno syscall.Errno) {
	r, _, e := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(r), e
}
