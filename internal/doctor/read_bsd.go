//go:build darwin || freebsd

package doctor

import (
	"runtime"

	"golang.org/x/sys/unix"
)

func read(h *Host) {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) == nil {
		h.OpenFiles, h.OpenFilesHard = uint64(r.Cur), uint64(r.Max)
	}
	size := "hw.memsize"
	if runtime.GOOS == "freebsd" {
		size = "hw.physmem"
	}
	// Neither system has one figure for what is available; three quarters of what is built in is a fair guess.
	if n, err := unix.SysctlUint64(size); err == nil {
		h.MemoryAvailable = n / 4 * 3
	}
	if n, err := unix.SysctlUint32("net.inet.ip.portrange.first"); err == nil {
		h.PortLow = int(n)
	}
	if n, err := unix.SysctlUint32("net.inet.ip.portrange.last"); err == nil {
		h.PortHigh = int(n)
	}
}
