package doctor

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// memoryStatus is MEMORYSTATUSEX of the Windows API.
type memoryStatus struct {
	length, load                                             uint32
	total, available, totalPage, availPage, totalVirt, avail uint64
	extended                                                 uint64
}

func read(h *Host) {
	// Windows bounds neither sockets nor files per process. The port range is the default since Vista; a changed one
	// is known to netsh alone.
	h.PortLow, h.PortHigh = 49152, 65535
	m := memoryStatus{length: uint32(unsafe.Sizeof(memoryStatus{}))}
	status := windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")
	if ok, _, _ := status.Call(uintptr(unsafe.Pointer(&m))); ok != 0 {
		h.MemoryAvailable = m.available
	}
}
