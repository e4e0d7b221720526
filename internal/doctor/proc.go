package doctor

import (
	"io/fs"
	"net"
	"strconv"
	"strings"
)

// proc fills h from a Linux file tree: /proc and /sys/fs/cgroup below root. What is missing or unreadable stays zero.
func proc(root fs.FS, h *Host) {
	text := func(name string) string {
		b, err := fs.ReadFile(root, name)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(b))
	}
	number := func(name string) uint64 {
		n, err := strconv.ParseUint(text(name), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	h.OpenFilesKernel = number("proc/sys/fs/nr_open")
	h.OpenFilesSystem = number("proc/sys/fs/file-max")
	h.Conntrack = number("proc/sys/net/netfilter/nf_conntrack_max")
	if low, high, ok := strings.Cut(text("proc/sys/net/ipv4/ip_local_port_range"), "\t"); ok {
		h.PortLow, _ = strconv.Atoi(strings.TrimSpace(low))
		h.PortHigh, _ = strconv.Atoi(strings.TrimSpace(high))
	}
	if reuse := text("proc/sys/net/ipv4/tcp_tw_reuse"); reuse != "" {
		if n, err := strconv.Atoi(reuse); err == nil {
			h.TimeWaitReuse = n
		}
	}
	for line := range strings.Lines(text("proc/meminfo")) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kib, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			h.MemoryAvailable = kib << 10
		}
	}
	// A container may be allowed less than its host has (cgroup v2; "max" is no number and means no bound).
	if bound, used := number("sys/fs/cgroup/memory.max"), number("sys/fs/cgroup/memory.current"); bound > used {
		h.MemoryAvailable = min(h.MemoryAvailable, bound-used)
	}
}

// addresses lists this host's IPv4 addresses that reach beyond it, and the interface of the first.
func addresses() (first string, all []string) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return "", nil
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLinkLocalUnicast() {
				if first == "" {
					first = i.Name
				}
				all = append(all, n.IP.String())
			}
		}
	}
	return first, all
}
