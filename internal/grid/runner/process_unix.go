//go:build unix && !linux

package runner

import "syscall"

func attributes(bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// niceness is how much a runner yields to its node, which must keep its lease while every core is busy.
const niceness = 5

func prepareThread() {}

func lower(pid int) { _ = syscall.Setpriority(syscall.PRIO_PROCESS, pid, niceness) } // it may always be raised

func memoryKills() int64 { return 0 }

func processTime(int) int64 { return 0 }
