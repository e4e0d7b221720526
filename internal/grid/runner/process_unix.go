//go:build unix

package runner

import (
	"os"
	"syscall"
)

// attributes put the child into a group of its own, so that a Ctrl-C on the node's terminal does not reach it.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// niceness is how much a runner yields to its node, which must keep its lease while every core is busy.
const niceness = 5

func yieldTo(pid int) {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, pid, niceness) // where that is not allowed it runs as it is
}

func killedBySystem(s *os.ProcessState) bool {
	w, ok := s.Sys().(syscall.WaitStatus)
	return ok && w.Signaled() && w.Signal() == syscall.SIGKILL
}
