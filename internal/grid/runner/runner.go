package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"throng/internal/run"
	"throng/internal/run/pipe"
)

// Config says how a runner is started.
type Config struct {
	Command []string // the program and its arguments
	Job     run.Job
	// Spawner starts the process; nil: the thread of the caller, and the kernel does not bind the process to the node.
	Spawner *Spawner
	// Processors is how many the runner may use at once; 0: all. Every one costs it some memory.
	Processors int
	// Until says until when the runner may go on if it hears nothing more; see pipe.Config, also for Log, Lines and Shared.
	Until  func() time.Time
	Log    func(pipe.Record)
	Lines  func(output int, lines []byte)
	Shared run.Shared
	// Fresh is called when there is a new snapshot; nil: nobody is told.
	Fresh func()
}

// Runner is a runner in a process of its own.
type Runner struct {
	*pipe.Client
	cmd    *exec.Cmd
	said   said
	kills  int64         // what memoryKills was when it was started
	frozen time.Duration // for how long it had been when it was killed for that; 0: it was not
	done   chan struct{} // closed when the process is gone
	err    error         // set before done is closed

	mu    sync.Mutex // guards what follows
	meant bool       // it was to end
}

// Start starts a runner; it ends with ctx, by Kill, and with this process.
func Start(ctx context.Context, cfg Config) (*Runner, error) {
	cfg.Job.Shared = cfg.Shared != nil
	job, err := json.Marshal(cfg.Job)
	if err != nil {
		return nil, err
	}
	r := &Runner{cmd: exec.Command(cfg.Command[0], cfg.Command[1:]...), kills: memoryKills(), done: make(chan struct{})} //nolint:noctx // it is told first, and has some time
	r.cmd.Env = environment(os.Environ(), cfg.Processors)
	r.cmd.Stderr = &r.said
	r.cmd.WaitDelay = time.Second // for a grandchild that holds the standard error: there should be none
	var conn duplex
	conn.w, err = r.cmd.StdinPipe()
	if err == nil {
		conn.ReadCloser, err = r.cmd.StdoutPipe()
	}
	var beats io.Writer
	if err == nil {
		conn.beats, err = giveBeats(r.cmd)
	}
	if err == nil {
		err = cfg.Spawner.start(ctx, r.cmd)
	}
	for _, f := range r.cmd.ExtraFiles {
		_ = f.Close() // the child has its own
	}
	if conn.beats != nil {
		beats = conn.beats
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start a runner: %w", err), conn.close())
	}
	r.Client = pipe.Dial(conn, pipe.Config{
		Job: job, Until: cfg.Until, Beats: beats, Log: cfg.Log, Lines: cfg.Lines, Shared: cfg.Shared, Ended: r.ended,
	})
	go r.look(ctx, cfg.Fresh)
	return r, nil
}

// environment is what a runner sees of its node's: nothing that is meant for throng itself, since a runner is told by its job.
func environment(environ []string, processors int) []string {
	out := make([]string, 0, len(environ)+1)
	for _, pair := range environ {
		if strings.HasPrefix(pair, "THRONG_") || strings.HasPrefix(pair, "K6_") || processors > 0 && strings.HasPrefix(pair, "GOMAXPROCS=") {
			continue
		}
		out = append(out, pair)
	}
	if processors > 0 {
		out = append(out, "GOMAXPROCS="+strconv.Itoa(processors))
	}
	return out
}

// duplex makes one stream of two, and closes the way of the beats with it.
type duplex struct {
	io.ReadCloser
	w     io.WriteCloser
	beats *os.File // nil: there is none
}

func (d duplex) Write(b []byte) (int, error) { return d.w.Write(b) }

func (d duplex) Close() error {
	err := errors.Join(d.w.Close(), d.ReadCloser.Close())
	if d.beats != nil {
		err = errors.Join(err, d.beats.Close())
	}
	return err
}

// close closes what there is of it.
func (d duplex) close() error {
	if d.w == nil || d.ReadCloser == nil {
		return nil // exec closes what it could not complete when it is collected
	}
	return d.Close()
}

// patience is what a process gets to end by itself once its stream has.
const patience = time.Second

// look tells of new snapshots until the stream ends, and then waits for the process. Nobody waits for it before, since that takes a
// thread, and a node may have thousands.
func (r *Runner) look(ctx context.Context, fresh func()) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var still stillness
	for streaming := true; streaming; {
		select {
		case <-tick.C:
			if d := still.look(time.Now(), r.Silence(), func() int64 { return processTime(r.Pid()) }); d > 0 {
				r.frozen = d
				_ = r.cmd.Process.Kill() // one that is gone cannot be killed
				<-r.Client.Done()
				streaming = false
			}
		case <-r.Updated():
			if fresh != nil {
				fresh()
			}
		case <-ctx.Done():
			r.Kill()
			<-r.Client.Done()
			streaming = false
		case <-r.Client.Done():
			streaming = false
		}
	}
	// A process that dies takes the stream with it; one that lives on without it has no right to.
	why := r.Client.Err()
	r.Client.Close()
	late := time.AfterFunc(patience, func() { _ = r.cmd.Process.Kill() }) // one that is gone cannot be killed
	_ = r.cmd.Wait()                                                      // its state says the same
	own := late.Stop()
	r.mu.Lock()
	if !r.meant {
		r.err = r.why(own, why)
	}
	r.mu.Unlock()
	close(r.done)
}

// why words the end of a process that was not to end. Own says that it ended by itself, else stream is why we ended it.
func (r *Runner) why(own bool, stream error) error {
	state := r.cmd.ProcessState
	var text string
	switch {
	case r.frozen > 0:
		text = fmt.Sprintf("the runner's process was frozen: it had neither spoken nor worked for %v", r.frozen.Round(time.Second))
	case !own:
		text = "the runner's process was killed because its stream ended: " + stream.Error()
	case killed(state) && memoryKills() > r.kills:
		text = "the runner's process was killed by the kernel, because memory had run out"
	case killed(state):
		text = "the runner's process was killed, probably by the kernel for its memory"
	default:
		text = "the runner's process ended by itself: " + state.String()
	}
	if said := r.said.String(); said != "" {
		text += ": " + said
	}
	return errors.New(text)
}

// ended is why calls of a runner that is gone fail.
func (r *Runner) ended() error {
	select {
	case <-r.done:
		return r.err
	case <-time.After(2 * patience):
		return nil
	}
}

// Pid is the process's number.
func (r *Runner) Pid() int { return r.cmd.Process.Pid }

// Kill ends the process at once, whatever it does.
func (r *Runner) Kill() {
	r.mu.Lock()
	r.meant = true
	r.mu.Unlock()
	_ = r.cmd.Process.Kill() // one that is gone cannot be killed
}

// Done is closed when the process is gone.
func (r *Runner) Done() <-chan struct{} { return r.done }

// Err waits for the end of the process and says why it came; nil if it was to end.
func (r *Runner) Err() error {
	<-r.done
	return r.err
}
