//go:build unix

package runner

import (
	"os"
	"os/exec"
	"syscall"
)

// killed reports whether SIGKILL ended the process.
func killed(s *os.ProcessState) bool {
	w, ok := s.Sys().(syscall.WaitStatus)
	return ok && w.Signaled() && w.Signal() == syscall.SIGKILL
}

// giveBeats gives the child that cmd starts a way for beats, and returns our end.
func giveBeats(cmd *exec.Cmd) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{r}
	cmd.Args = append(cmd.Args, "--beats=3") // the number of the first extra file
	return w, nil
}
