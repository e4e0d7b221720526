package doctor

import (
	"os"
	"syscall"
)

func read(h *Host) {
	proc(os.DirFS("/"), h)
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) == nil {
		h.OpenFiles, h.OpenFilesHard = r.Cur, r.Max
	}
}
