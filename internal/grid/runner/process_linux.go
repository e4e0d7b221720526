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

// niceness is how much a runner yields to its node, which must keep its lease while every core is busy.
const niceness = 5

// prepareThread has the children of this thread be nice.
func prepareThread() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, niceness) } // it may always be raised

// lower makes sure of it where the child was started from another thread: all threads of its group.
func lower(pid int) { _ = syscall.Setpriority(syscall.PRIO_PGRP, pid, niceness) } // as above

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
