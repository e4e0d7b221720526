package runner

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
)

// Spawner starts processes from one thread, which lives as long as Run. On Linux a child can ask to be killed when its parent is, but
// the parent is then the thread that started it: one that the Go runtime gives up would take the child with it. And a thread,
// there, has a niceness of its own, which its children inherit from their first instant on.
type Spawner struct {
	asked chan *order
}

type order struct {
	cmd  *exec.Cmd
	done chan error // has room for one
}

// NewSpawner returns a Spawner that starts nothing before it runs.
func NewSpawner() *Spawner { return &Spawner{asked: make(chan *order)} }

// Run starts what Start asks for until ctx ends. The children end with it.
func (s *Spawner) Run(ctx context.Context) {
	done := make(chan struct{})
	go func() { // Run's own thread is to stay as it is
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with this
		prepareThread()
		for {
			select {
			case o := <-s.asked:
				o.done <- o.cmd.Start()
			case <-ctx.Done():
				return
			}
		}
	}()
	<-done
}

var errNoSpawner = errors.New("the node is leaving")

// start starts cmd; of a nil Spawner in the caller's thread.
func (s *Spawner) start(ctx context.Context, cmd *exec.Cmd) error {
	cmd.SysProcAttr = attributes(s != nil)
	if s == nil {
		if err := cmd.Start(); err != nil {
			return err
		}
		lower(cmd.Process.Pid)
		return nil
	}
	o := &order{cmd, make(chan error, 1)}
	select {
	case s.asked <- o:
	case <-ctx.Done():
		return errNoSpawner
	}
	if err := <-o.done; err != nil {
		return err
	}
	lower(cmd.Process.Pid)
	return nil
}
