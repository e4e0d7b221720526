//go:build unix

package bundle

import (
	"errors"
	"os"
	"syscall"
)

// mapped maps size bytes of f from at on, which is a multiple of the page size. What is written to a writable one is seen by
// nobody else.
func mapped(f *os.File, at, size int64, writable bool) ([]byte, error) {
	if size == 0 || int64(int(size)) != size {
		return nil, errors.ErrUnsupported
	}
	protection := syscall.PROT_READ
	if writable {
		protection |= syscall.PROT_WRITE
	}
	return syscall.Mmap(int(f.Fd()), at, int(size), protection, syscall.MAP_PRIVATE)
}

func unmapped(data []byte) { _ = syscall.Munmap(data) } // it was mapped
