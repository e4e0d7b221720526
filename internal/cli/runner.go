package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"throng/internal/fault"
	"throng/internal/load/bundle"
	"throng/internal/load/scheduler"
	"throng/internal/load/script"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/run/pipe"
	"throng/internal/segment"
)

// runnerCommand is the command that a node starts for every part of a run. It is not for people, and no help tells of it: its
// standard input and output are a pipe to the node. A host may hold thousands of runners, so it does without all that makes commands.
const runnerCommand = "runner"

// mainRunner is the runner command; see Main.
func (g *global) mainRunner(args []string) (code int) {
	beats := -1
	for _, arg := range args {
		n, err := strconv.Atoi(strings.TrimPrefix(arg, "--beats="))
		if err != nil || n < 3 {
			fmt.Fprintf(g.Stderr, "throng runner is for nodes: %q is no argument of it\n", arg)
			return fault.Other.ExitCode()
		}
		beats = n
	}
	err := g.serveNode(beats)
	return ending(g.Stderr, err)
}

// ending is the exit code of a runner that has been lost with err.
func ending(stderr io.Writer, err error) int {
	if err == nil || errors.Is(err, pipe.ErrGone) {
		return 0
	}
	fmt.Fprintln(stderr, err)
	return 1
}

// serveNode does what the node at the other end of standard input and output asks for. Beats is the number of the open file from
// which beats come; below 0 they come with all else.
func (g *global) serveNode(beats int) error {
	conn := nodeStream(g.Stdin, g.Stdout, beats)
	os.Stdout = g.Stderr // nothing but frames may get into the pipe
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	defer g.tuneCollector()()
	// Whatever goes on, a process whose node is gone, or no longer lets it, ends at once.
	return pipe.Serve(ctx, conn, g.startRunner, func(err error) { os.Exit(ending(g.Stderr, err)) })
}

// stream makes one stream of standard input and output.
type stream struct {
	io.Reader
	out *os.File
}

func (s stream) Write(b []byte) (int, error) { return s.out.Write(b) }
func (s stream) Close() error                { return s.out.Close() }

// runner is a scheduler whose samples go to the node, and to servers, too.
type runner struct {
	*scheduler.Scheduler
	*feeder
}

// Drain implements pipe.Drainer.
func (r *runner) Drain(ctx context.Context) { r.feeder.Drain(ctx) }

// startRunner makes the runner that a job asks for.
func (g *global) startRunner(ctx context.Context, data []byte, up *pipe.Up) (run.Runner, error) {
	var job run.Job
	if err := json.Unmarshal(data, &job); err != nil {
		return nil, fmt.Errorf("read the job: %w", err)
	}
	share, err := segment.ParseShare(job.Share)
	if err != nil {
		return nil, err
	}
	level := slog.LevelInfo
	if job.Verbose {
		level = slog.LevelDebug
	}
	g.log = slog.New(up.Log(level))
	t, err := g.unpack(job)
	if err != nil {
		return nil, err
	}
	outputs, servers, err := remoteOutputs(job, up.Lines, g.log)
	if err != nil {
		return nil, err
	}
	s := t.scheduler(g, slog.New(up.Console(level)), func(c *scheduler.Config) {
		c.Share, c.Parts, c.NoThresholds, c.Tags, c.Raw, c.Warned = share, job.Parts, job.NoThresholds, job.Tags, len(outputs) > 0, true
		c.Consolidate = t.packedOptions(job)
		if job.Shared {
			c.Shared = asker{up, job.Runner}
		}
		if limit := job.MemoryLimit; limit > 0 && limit < math.MaxInt64 && (c.MemoryLimit == 0 || limit < c.MemoryLimit) {
			debug.SetMemoryLimit(int64(limit))
			c.MemoryLimit = limit
		}
	})
	return &runner{s, &feeder{ctx: ctx, outputs: outputs, servers: servers, drain: s.Drain, log: g.log}}, nil
}

// asker asks the node what scripts share, in the name of one runner.
type asker struct {
	up   *pipe.Up
	name string
}

// Do implements run.Shared.
func (a asker) Do(ctx context.Context, ask run.Ask) (run.Answer, error) {
	ask.Runner = a.name
	return a.up.Do(ctx, ask)
}

// Init reads the script, and has the outputs know what it is going to measure.
func (r *runner) Init(ctx context.Context) (run.Ready, error) {
	ready, err := r.Scheduler.Init(ctx)
	if err == nil {
		err = r.feeder.start(ready)
	}
	if heapBytes() < smallHeap {
		debug.FreeOSMemory()
	}
	return ready, err
}

// smallHeap is the size of a runner beside which the garbage that compiling has left counts. Many such runners may share the host's
// memory, and wait for long. Of a large one collecting it would cost more than it gives.
const smallHeap = 64 << 20

// unpack reads the test that a job names.
func (g *global) unpack(job run.Job) (*test, error) {
	b, err := bundle.Open(job.Bundle, bundle.Limits{})
	if err != nil {
		return nil, err
	}
	t := &test{arg: b.Filename.Path, limit: job.InitTimeout, script: script.Unpack(b, script.Options{NoRemote: true, Log: g.log})}
	if t.limit <= 0 {
		t.limit = initTimeout
	}
	t.runtime.CompatibilityMode = b.CompatibilityMode
	if job.CompatibilityMode != "" {
		t.runtime.CompatibilityMode = job.CompatibilityMode
	}
	t.env = map[string]string{"HOSTNAME": job.Node}
	maps.Copy(t.env, b.Env)
	maps.Copy(t.env, job.Env)
	return t, t.compile(g.log)
}

// packedOptions returns the options that the submitter has consolidated; the script's own are part of them.
func (t *test) packedOptions(job run.Job) func([]byte) (plan.Options, error) {
	return func([]byte) (plan.Options, error) {
		opts, err := plan.Decode(t.script.Bundle.Options)
		if job.LocalIPs != "" {
			opts.LocalIPs = plan.Some(job.LocalIPs)
		}
		t.own, t.config = opts, plan.Config{Options: opts}
		return opts, err
	}
}
