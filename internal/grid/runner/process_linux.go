package runner

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// attributes put the child into a group of its own, so that a Ctrl-C on the node's terminal does not reach it; bound has the kernel
// kill it when the thread that starts it ends.
func attributes(bound bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if bound {
		a.Pdeathsig = syscall.SIGKILL
	}
	return a
}

// ownNiceness is this thread's (getpriority(2): the system call returns it from 40 to 1).
func ownNiceness() int {
	p, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		return 0
	}
	return 20 - p
}

// prepareThread has the children of this thread be nice.
func prepareThread() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, nicer()) } // it may always be raised

// expendable is by how much sooner than its node, for the same memory, the kernel kills a runner when memory has run out (proc(5),
// /proc/pid/oom_score_adj): a runner's part can be taken over, and a node is a voice of the grid.
const expendable = "500"

// lower makes sure of it where the child was started from another thread: all threads of its group. It also has the kernel kill the
// child before its node.
func lower(pid int) {
	_ = syscall.Setpriority(syscall.PRIO_PGRP, pid, nicer())                                 // as above
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte(expendable), 0o644) // as above
}

// memoryKills is how many processes the kernel has killed on this host because memory had run out (proc(5), /proc/vmstat); 0 where
// that is not told.
func memoryKills() int64 {
	data, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(data) {
		if rest, ok := bytes.CutPrefix(line, []byte("oom_kill ")); ok {
			n, _ := strconv.ParseInt(string(bytes.TrimSpace(rest)), 10, 64)
			return n
		}
	}
	return 0
}

// processTime is for how long a process has worked, in ticks of the kernel's clock (proc(5), /proc/pid/stat); 0 where that is not told.
func processTime(pid int) int64 {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(data, []byte(") ")) // behind the name, which may hold anything but this in the end
	fields := bytes.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, uerr := strconv.ParseInt(string(fields[11]), 10, 64)
	system, serr := strconv.ParseInt(string(fields[12]), 10, 64)
	if uerr != nil || serr != nil {
		return 0
	}
	return 1 + user + system
}
