//go:build unix && !linux

package runner

import "syscall"

func attributes(bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// ownNiceness is this process's.
func ownNiceness() int {
	p, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		return 0
	}
	return p
}

func prepareThread() {}

func lower(pid int) { _ = syscall.Setpriority(syscall.PRIO_PROCESS, pid, nicer()) } // it may always be raised

func memoryKills() int64 { return 0 }

func processTime(int) int64 { return 0 }
