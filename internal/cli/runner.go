package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"throng/internal/load/bundle"
	"throng/internal/load/js"
	"throng/internal/load/k6"
	"throng/internal/load/scheduler"
	"throng/internal/load/script"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/run/pipe"
	"throng/internal/segment"
)

// newRunner is the command that a node starts for every part of a run. It is not for people: its standard input and output are a
// pipe to the node.
func newRunner(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "runner", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := context.WithCancel(cmd.Context())
			defer stop()
			var tuner sync.WaitGroup
			tuner.Go(func() { g.tuneCollector(ctx) })
			defer tuner.Wait()
			defer stop()
			// Whatever goes on, a process whose node is gone ends at once.
			return pipe.Serve(ctx, stream{g.Stdin, g.Stdout}, g.startRunner, func(err error) {
				code := 0
				if !errors.Is(err, pipe.ErrGone) {
					fmt.Fprintln(g.Stderr, err)
					code = 1
				}
				os.Exit(code)
			})
		},
	}
}

// stream makes one stream of standard input and output.
type stream struct {
	io.Reader
	out *os.File
}

func (s stream) Write(b []byte) (int, error) { return s.out.Write(b) }
func (s stream) Close() error                { return s.out.Close() }

// runner is a scheduler that gives back what it holds.
type runner struct {
	*scheduler.Scheduler
	test *test
}

// startRunner makes the runner that a job asks for.
func (g *global) startRunner(_ context.Context, data []byte, up *pipe.Up) (run.Runner, error) {
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
	s := t.scheduler(g, slog.New(up.Console(level)), func(c *scheduler.Config) {
		c.Share, c.Parts, c.NoThresholds = share, job.Parts, job.NoThresholds
		c.Raw = len(job.Outputs) > 0
		if job.MemoryLimit > 0 {
			c.MemoryLimit = job.MemoryLimit
		}
	})
	return &runner{s, t}, nil
}

// unpack reads the test that a job names.
func (g *global) unpack(job run.Job) (*test, error) {
	f, err := os.Open(job.Bundle)
	if err != nil {
		return nil, fmt.Errorf("open the test: %w", err)
	}
	defer f.Close()
	b, err := bundle.Read(f, bundle.Limits{})
	if err != nil {
		return nil, err
	}
	t := &test{arg: b.Filename.Path, limit: job.InitTimeout, script: script.Unpack(b, script.Options{NoRemote: true, Log: g.log})}
	if t.limit <= 0 {
		t.limit = initTimeout
	}
	t.runtime = plan.Runtime{CompatibilityMode: b.CompatibilityMode, NoThresholds: job.NoThresholds}
	t.env = map[string]string{}
	maps.Copy(t.env, b.Env)
	maps.Copy(t.env, job.Env)
	t.env["HOSTNAME"] = job.Node // a script that names it wants the host that it runs on, not the submitter's
	modules := k6.Modules()
	t.program, err = t.script.Compile(js.CompileOptions{
		CompatibilityMode: b.CompatibilityMode, Log: g.log, Fixed: []string{"__ENV", "__VU"},
		IsNative: func(name string) bool { return modules[name] != nil || name == "k6" || strings.HasPrefix(name, "k6/") },
	})
	return t, err
}
