//go:build !unix

package runner

import (
	"os"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

func yieldTo(int) {}

func killedBySystem(*os.ProcessState) bool { return false }
