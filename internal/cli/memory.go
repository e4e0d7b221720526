package cli

import (
	"bufio"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
)

// boundMemory returns memoryLimit and tells the garbage collector to collect rather than exceed it: what is above it then
// is alive, not garbage that was not yet looked for.
func boundMemory() uint64 {
	limit := memoryLimit()
	if limit > 0 && limit <= math.MaxInt64 {
		debug.SetMemoryLimit(int64(limit))
	}
	return limit
}

// memoryLimit is how many bytes of heap a script may hold on this host before the run is ended: four fifths of what is
// free now, of the control group's limit, or of GOMEMLIMIT. 0 means that nothing of the kind is known.
func memoryLimit() uint64 {
	free := availableMemory("/proc/meminfo")
	if asked := debug.SetMemoryLimit(-1); asked != math.MaxInt64 && (free == 0 || uint64(asked) < free) {
		free = uint64(asked)
	}
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64); err == nil && (free == 0 || n < free) {
			free = n
		}
	}
	return free / 5 * 4
}

// availableMemory reads MemAvailable (proc(5), /proc/meminfo), in bytes; 0 if it is not there.
func availableMemory(name string) uint64 {
	f, err := os.Open(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// heapBytes is how much of the heap is in use.
func heapBytes() uint64 {
	read := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(read)
	return read[0].Value.Uint64()
}
