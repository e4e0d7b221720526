package cli

import (
	"bufio"
	"math"
	"os"
	"path"
	"runtime/debug"
	"runtime/metrics"
	"slices"
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

// memoryLimit is how many bytes of heap a script may hold on this host before the run is ended: four fifths of freeMemory, or of
// GOMEMLIMIT. 0 means that nothing of the kind is known.
func memoryLimit() uint64 {
	free := freeMemory()
	if asked := debug.SetMemoryLimit(-1); asked != math.MaxInt64 && (free == 0 || uint64(asked) < free) {
		free = uint64(asked)
	}
	return free / 5 * 4
}

// freeMemory is what is free now, on this host and in the control groups of this process; 0 where that is not known.
func freeMemory() uint64 {
	free := availableMemory("/proc/meminfo")
	if n, ok := groupMemory("/proc/self/cgroup", "/sys/fs/cgroup"); ok && (free == 0 || n < free) {
		free = max(n, nothingLeft)
	}
	return free
}

// nothingLeft stands for no bytes at all, since 0 is not known.
const nothingLeft = 1 << 20

// groupMemory is the least that the control groups of this process (cgroups(7)), which self lists, and those around them have left. What
// they hold of files does not count: the kernel gives it up.
func groupMemory(self, root string) (free uint64, ok bool) {
	data, err := os.ReadFile(self)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		dir, limit, used, files := root, "memory.max", "memory.current", "file"
		if slices.Contains(strings.Split(fields[1], ","), "memory") { // version 1
			dir, limit, used, files = root+"/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"
		} else if fields[1] != "" {
			continue
		}
		for at := path.Clean("/" + fields[2]); ; at = path.Dir(at) { // in a container some of them cannot be seen
			if most, there := numberIn(dir+at+"/"+limit, ""); there {
				now, _ := numberIn(dir+at+"/"+used, "")
				cached, _ := numberIn(dir+at+"/memory.stat", files)
				if left := most - min(most, now-min(now, cached)); !ok || left < free {
					free, ok = left, true
				}
			}
			if at == "/" {
				break
			}
		}
	}
	return free, ok
}

// numberIn reads the number that is all of a file, or that stands behind a key in it.
func numberIn(name, key string) (uint64, bool) {
	data, err := os.ReadFile(name)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		if key != "" {
			var found bool
			if line, found = strings.CutPrefix(line, key+" "); !found {
				continue
			}
		}
		n, err := strconv.ParseUint(strings.TrimSpace(line), 10, 64) // not "max"
		return n, err == nil
	}
	return 0, false
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
