package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
	"throng/internal/grid/conductor"
	"throng/internal/load/executor"
	"throng/internal/load/scheduler"
	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/view/output"
	"throng/internal/view/summary"
	viewterm "throng/internal/view/term"
)

func newRun(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "run FILE", Short: "run a test", Args: exactlyOneScript("run"),
		Long: "run runs a script, an archive made by throng archive, or, with -, what comes on standard input: on this host, or, where --grid or\n" +
			"THRONG_GRID names one, on a grid. Ctrl-C ends the test with teardown() and a summary, a second Ctrl-C at once.",
		Example: "  throng run script.js                       as the script's options say\n" +
			"  throng run -u 10 -d 30s script.js          10 VUs for 30 seconds\n" +
			"  throng run -s 10s:100 -s 1m:100 script.js  up to 100 VUs in 10 seconds, then a minute of them\n" +
			"  throng run -o json=samples.ndjson script.js\n" +
			"  throng run -o influxdb=http://localhost:8086/k6 script.js\n" +
			"  throng run --grid https://h1:2379 script.js\n" +
			"  throng run --grid https://h1:2379 --where zone=a --detach script.js",
	}
	f, onGrid := addTestFlags(c, true), &gridFlags{}
	onGrid.addFlags(c.Flags())
	offerOutputs(c)
	offer(c, "on-node-loss", string(cluster.Reassign), string(cluster.Continue), string(cluster.Fail))
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if onGrid.named(g) {
			t, err := g.loadToPack(f, args[0])
			if err != nil {
				return err
			}
			return g.runOnGrid(cmd.Context(), t, onGrid)
		}
		if err := refuseHere(cmd.Flags()); err != nil {
			return err
		}
		t, err := g.load(f, args[0])
		if err != nil {
			return err
		}
		return g.runTest(cmd.Context(), t)
	}
	return c
}

// session is one local run: the conductor and its one runner in this process, and everything that shows what happens.
type session struct {
	*global
	test    *test
	runner  *scheduler.Scheduler
	outputs []output.Output
	display viewterm.Display
	hangUp  func() // ends the REST API; safe to call at any time

	mu    sync.Mutex // guards what follows, which the display reads
	stage string
	pulse viewterm.Pulse
	ready run.Ready
}

func (g *global) runTest(ctx context.Context, t *test) error {
	s := &session{global: g, test: t, hangUp: func() {}}
	ctx, stop := s.signals(ctx)
	defer stop()
	console, closeConsole, err := consoleLog(g, t)
	if err != nil {
		return err
	}
	defer closeConsole()
	if s.outputs, err = g.makeOutputs(outputsOf(t)); err != nil {
		return err
	}
	s.runner = t.scheduler(g, console, func(c *scheduler.Config) {
		c.Raw = len(s.outputs) > 0
		c.Parts = t.runtime.SummaryMode == "full"
	})
	defer s.runner.Close()
	defer g.tuneCollector()()
	s.display = viewterm.Display{Out: g.Stdout, Screen: g.screen, Colour: g.color(g.Stdout), Quiet: g.quiet}
	out := s.conduct(ctx)
	defer s.hangUp()
	if !out.Measured {
		return out.Err
	}
	s.summarise(ctx, out)
	if ferr := s.display.Final(s.frame()); ferr != nil {
		s.log.Debug("the progress could not be shown: " + ferr.Error())
	}
	return out.Err
}

// conduct runs the test with the progress and the outputs beside it.
func (s *session) conduct(ctx context.Context) conductor.Outcome {
	var beside sync.WaitGroup
	showing, stopShowing := context.WithCancel(context.Background())
	feed := &feeder{ctx: showing, outputs: s.outputs, drain: s.runner.Drain, log: s.log}
	c := conductor.New(conductor.Config{
		Parts:  []conductor.Part{{ID: "0", Runner: s.runner}},
		Paused: s.askedToPause(),
		Shared: s.runner.SetSetupData,
		Ready: func(r run.Ready) error {
			s.mu.Lock()
			s.ready = r
			s.mu.Unlock()
			s.header(r)
			if err := feed.start(r); err != nil {
				return err
			}
			beside.Go(func() {
				if err := s.display.Run(showing, s.frame); err != nil {
					s.log.Debug("the progress could not be shown: " + err.Error())
				}
			})
			return nil
		},
		Stage: func(name string) {
			s.mu.Lock()
			s.stage = name
			s.mu.Unlock()
		},
		Tick: func(elapsed time.Duration, snap metric.Snapshot) {
			s.mu.Lock()
			s.pulse = s.pulse.Next(elapsed, snap, s.display.Colour)
			s.mu.Unlock()
		},
		Warn: func(m string) { s.log.Warn(m) },
	})
	hangUp, err := s.serveAPI(c)
	if err != nil {
		stopShowing()
		return conductor.Outcome{Err: err}
	}
	s.hangUp = hangUp
	out := c.Run(ctx)
	s.linger(ctx, out)
	stopShowing()
	beside.Wait()
	feed.stop()
	return out
}

// signals returns a context that the first SIGINT or SIGTERM ends; the second ends the process at once, as in k6.
func (s *session) signals(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		select {
		case <-done:
			return
		case sig := <-caught:
			// The words are those that k6's users grep for.
			cancel(fault.New(fault.Interrupted, fmt.Errorf("test run was aborted because k6 received a '%s' signal", sig)))
			s.log.Debug("stopping; a second signal stops at once")
		}
		select {
		case <-done:
		case <-caught:
			s.log.Error(errSecondSignal.Error())
			os.Exit(fault.Interrupted.ExitCode())
		}
	})
	return ctx, func() {
		signal.Stop(caught)
		close(done)
		watcher.Wait()
		cancel(nil)
	}
}

// consoleLog is where the script's console goes: to the log, or to the file of --console-output.
func consoleLog(g *global, t *test) (*slog.Logger, func(), error) {
	name := t.consoleOutput()
	if name == "" {
		return g.console(), func() {}, nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("open the file of --console-output: %w", err)
	}
	opts := viewterm.LogOptions{Format: viewterm.ParseFormat(g.setting(g.logFormat, "LOG_FORMAT", "text")), Level: g.level()}
	return slog.New(viewterm.NewHandler(f, opts)), func() { _ = f.Close() }, nil
}

// consoleOutput is the value of --console-output, of the strongest layer that has one.
func (t *test) consoleOutput() string {
	return t.flags.ConsoleOutput.Or(t.envVars.ConsoleOutput.Or(t.file.ConsoleOutput.Or("")))
}

// outputsOf are the values of --out, of the strongest layer that has any.
func outputsOf(t *test) []string {
	specs := t.file.Out
	for _, layer := range [][]string{t.envVars.Out, t.flags.Out} {
		if len(layer) > 0 {
			specs = layer
		}
	}
	return specs
}

func (g *global) makeOutputs(specs []string) (all []output.Output, err error) {
	for _, spec := range specs {
		o, err := output.Make(spec, output.Env{Lookup: g.Lookup, Environ: g.Environ, Stdout: g.Stdout, Log: g.log, UserAgent: userAgent})
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

func (s *session) header(r run.Ready) {
	if s.quiet {
		return
	}
	h := viewterm.Header{
		Version: "v" + Version, Script: s.test.arg, MaxVUs: r.MaxVUs, MaxDuration: r.MaxDuration, Colour: s.color(s.Stdout),
		Share: fmt.Sprintf("%.2f%%", 100*r.Segment.Segment().Share()), Scenarios: describe(r),
	}
	for _, o := range s.outputs {
		h.Outputs = append(h.Outputs, o.Describe())
	}
	fmt.Fprint(s.Stdout, h.String())
}

// describe has a line for every scenario, in order of their start.
func describe(r run.Ready) (lines []string) {
	inTime := slices.Clone(r.Scenarios)
	slices.SortStableFunc(inTime, func(a, b plan.Scenario) int { return cmp.Compare(a.StartTime, b.StartTime) })
	for i := range inTime {
		lines = append(lines, inTime[i].Name+": "+executor.Describe(&inTime[i], r.Segment))
	}
	return lines
}

func (s *session) frame() viewterm.Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return viewterm.Frame{
		Stage: s.stage, Elapsed: s.runner.Elapsed(), Max: s.ready.MaxDuration, Load: s.runner.Load(), Pulse: s.pulse,
		Scenarios: s.runner.Progress(),
	}
}

// summarise tells how the run went: what handleSummary wants told, else the text summary, and the export.
func (s *session) summarise(ctx context.Context, out conductor.Outcome) {
	ctx = context.WithoutCancel(ctx)
	s.sumUp(s.test.runtime, s.wish(s.test), out, func(data []byte) (map[string][]byte, error) {
		if !out.Ready.HasSummary {
			s.runner.RepeatInit(ctx)
			return nil, nil
		}
		return s.runner.Summary(ctx, data)
	})
}

// sumUp shows what a run came to and writes the export. handle calls handleSummary, where the script has one.
func (g *global) sumUp(rt plan.Runtime, w summary.Wish, out conductor.Outcome, handle func([]byte) (map[string][]byte, error)) {
	if w.Mode == "disabled" { // the export too, as in k6
		return
	}
	report := w.Report(out)
	g.show(out, w, report, handle)
	if rt.SummaryExport == "" {
		return
	}
	write := summary.Export
	if rt.NewMachineReadableSummary {
		write = summary.Machine
	}
	data, err := write(report)
	if err == nil {
		err = os.WriteFile(rt.SummaryExport, data, 0o644)
	}
	if err != nil {
		g.log.Error("write the summary export: " + err.Error())
	}
}

// wish is how this invocation wants a run of t summed up.
func (g *global) wish(t *test) summary.Wish {
	w := summary.Wish{
		Mode: t.runtime.SummaryMode, Machine: t.runtime.NewMachineReadableSummary, NoColor: g.plain(),
		StdoutTTY: isTerminal(g.Stdout), StderrTTY: isTerminal(g.Stderr), Version: "v" + Version,
	}
	if w.Machine || t.runtime.SummaryExport != "" {
		w.Script = string(t.script.Source.Data)
	}
	return w
}

// show shows what handleSummary wants shown, else the text summary; whatever goes wrong there, the run is still reported and the
// exit code stays.
func (g *global) show(out conductor.Outcome, w summary.Wish, report summary.Report, handle func([]byte) (map[string][]byte, error)) {
	var data []byte
	var err error
	if out.Ready.HasSummary {
		data, err = w.Data(report)
	}
	var files map[string][]byte
	if err == nil {
		files, err = handle(data)
	}
	if err != nil {
		g.log.Error("failed to handle the end-of-test summary", "error", err.Error())
	}
	if files == nil {
		fmt.Fprint(g.Stdout, summary.Text(report))
		return
	}
	if err := summary.Save(files, g.Stdout, g.Stderr, createFile); err != nil {
		g.log.Error(err.Error())
	}
}

// createFile opens a file that handleSummary names, in folders that need not be there yet.
func createFile(name string) (io.WriteCloser, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	return os.Create(name)
}
