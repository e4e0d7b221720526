package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"throng/internal/metric"
	"throng/internal/run"
	"throng/internal/run/pipe"
)

// Config says how runners are started.
type Config struct {
	Command []string // the program and its arguments
	Job     run.Job
	// Until says until when the runner may go on if it hears nothing more; see pipe.Config.
	Until  func() time.Time
	Log    func(pipe.Record)
	Lines  func(output int, lines []byte)
	Fresh  func() // is called when there is a new snapshot
	Shared run.Shared
}

// Runner is a runner in a process of its own.
type Runner struct {
	*pipe.Client
	cmd    *exec.Cmd
	stderr tail
	killed sync.Once
	meant  bool // we killed it
	mu     sync.Mutex
	done   chan struct{} // closed when the process is gone
	err    error         // set before done is closed
}

// Start starts a runner; it ends with ctx, and by Kill.
func Start(ctx context.Context, cfg Config) (*Runner, error) {
	job, err := json.Marshal(cfg.Job)
	if err != nil {
		return nil, err
	}
	r := &Runner{cmd: exec.Command(cfg.Command[0], cfg.Command[1:]...), done: make(chan struct{})}
	in, err := r.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start a runner: %w", err)
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a runner: %w", err)
	}
	r.cmd.Stderr = &r.stderr
	r.cmd.SysProcAttr = attributes()
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a runner: %w", err)
	}
	yieldTo(r.cmd.Process.Pid)
	r.Client = pipe.Dial(duplex{out, in}, pipe.Config{
		Job: job, Until: cfg.Until, Log: cfg.Log, Lines: cfg.Lines, Shared: cfg.Shared, Ended: r.ended,
	})
	go r.wait(ctx)
	go r.freshen(cfg.Fresh)
	return r, nil
}

// duplex makes one stream of two.
type duplex struct {
	io.ReadCloser
	w io.WriteCloser
}

func (d duplex) Write(b []byte) (int, error) { return d.w.Write(b) }
func (d duplex) Close() error                { return errors.Join(d.w.Close(), d.ReadCloser.Close()) }

// wait waits for the end of the stream, which the process may outlive only for a moment, and of the process.
func (r *Runner) wait(ctx context.Context) {
	select {
	case <-r.Client.Done():
	case <-ctx.Done():
		r.Kill()
	}
	timer := time.AfterFunc(time.Second, r.Kill)
	state, err := r.cmd.Process.Wait()
	timer.Stop()
	r.mu.Lock()
	meant := r.meant
	r.mu.Unlock()
	if !meant {
		r.err = r.why(state, err)
	}
	close(r.done)
	r.Client.Close()
}

// why words the end of a process that was not to end.
func (r *Runner) why(state *os.ProcessState, err error) error {
	if err != nil {
		return fmt.Errorf("the runner's process is lost: %w", err)
	}
	text := "the runner's process ended by itself: " + state.String()
	if killedBySystem(state) {
		text = "the runner's process was killed, most likely by the kernel because the host's memory was used up"
	}
	if said := r.stderr.String(); said != "" {
		text += ": " + said
	}
	return errors.New(text)
}

func (r *Runner) ended() error {
	select {
	case <-r.done:
		return r.err
	case <-time.After(2 * time.Second):
		return nil
	}
}

func (r *Runner) freshen(fresh func()) {
	for {
		select {
		case <-r.Updated():
			fresh()
		case <-r.Client.Done():
			return
		}
	}
}

// Kill ends the process at once.
func (r *Runner) Kill() {
	r.killed.Do(func() {
		r.mu.Lock()
		r.meant = true
		r.mu.Unlock()
		_ = r.cmd.Process.Kill() // one that is gone cannot be killed
	})
}

// Done is closed when the process is gone; Err then says why, nil if it was killed by us.
func (r *Runner) Done() <-chan struct{} { return r.done }

// Err says why the process ended.
func (r *Runner) Err() error {
	<-r.done
	return r.err
}

// Snapshot returns the newest snapshot that has arrived.
func (r *Runner) Snapshot() metric.Snapshot { return r.Client.Snapshot() }

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	end []byte
}

const maxTail = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, b...)
	if over := len(t.end) - maxTail; over > 0 {
		t.end = append(t.end[:0], t.end[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.end))
}
