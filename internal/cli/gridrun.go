package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"throng/internal/fault"
	"throng/internal/grid/client"
	"throng/internal/grid/cluster"
	"throng/internal/grid/conductor"
	"throng/internal/grid/desk"
	"throng/internal/load/executor"
	"throng/internal/load/scheduler"
	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/segment"
	"throng/internal/view/output"
	"throng/internal/view/summary"
	viewterm "throng/internal/view/term"
)

// gridFlags are the flags of run that only a grid understands.
type gridFlags struct {
	access
	nodeLoss string
	detach   bool
	nodes    int
	where    map[string]string
}

func (f *gridFlags) addFlags(set *pflag.FlagSet) {
	f.access.addFlags(set)
	set.StringVar(&f.nodeLoss, "on-node-loss", string(cluster.Reassign), "what becomes of a lost node's part, by `POLICY`: reassign (others take it over), continue (without it) or fail (with --grid)")
	set.BoolVar(&f.detach, "detach", false, "print the run's id alone, and leave the run to the grid (with --grid)")
	set.IntVar(&f.nodes, "nodes", 0, "how many nodes, `N`, take part: those with the most capacity (default: all, with --grid)")
	set.Var(pairs{&f.where}, "where", "label that nodes must have, such as zone=a; may be repeated (with --grid)")
}

// maxScript is how large a script's source may be to stand in the run's record, for handleSummary in the machine readable layout.
const maxScript = 64 << 10

// asked is what a submitter asks for, all but the bundle.
func (f *gridFlags) asked(g *global, t *test) (cluster.Asked, error) {
	loss, err := cluster.ParseNodeLoss(f.nodeLoss)
	if err == nil && f.nodes < 0 {
		err = fmt.Errorf("--nodes is %d: a number above 0 would be right, or none for all", f.nodes)
	}
	if err != nil {
		return cluster.Asked{}, fault.New(fault.InvalidConfig, err)
	}
	wish := g.wish(t)
	if !wish.Machine || len(wish.Script) > maxScript {
		wish.Script = ""
	}
	view, err := json.Marshal(wish)
	return cluster.Asked{
		Name: t.arg, NodeLoss: loss, Nodes: f.nodes, Where: f.where, Full: t.runtime.SummaryMode == "full",
		NoThresholds: t.runtime.NoThresholds, InitTimeout: t.limit, View: view, Verbose: g.verbose,
	}, err
}

// runOnGrid has the grid run a test, and shows what a local run would show.
func (g *global) runOnGrid(ctx context.Context, t *test, f *gridFlags) error {
	if err := g.refuseThere(t, f.detach); err != nil {
		return err
	}
	outputs, described, err := g.outputsForGrid(outputsOf(t))
	if err != nil {
		return err
	}
	for i, o := range outputs {
		if o != nil && f.detach {
			return leaves("--out " + outputsOf(t)[i] + " writes a file")
		}
	}
	grid, err := f.dial(g)
	if err != nil {
		return err
	}
	until, stop := untilSignal(ctx)
	defer stop()
	if _, err := grid.Learn(until); err != nil {
		return err
	}
	asked, err := f.asked(g, t)
	if err != nil {
		return err
	}
	asked.Outputs, asked.OutputEnv = outputsOf(t), g.outputEnv(outputsOf(t))
	opts, ready, err := g.check(until, t)
	if err != nil {
		return err
	}
	id, err := g.submit(until, grid, t, opts, asked)
	if err != nil {
		return err
	}
	stop() // from here on a signal stops the run
	if f.detach {
		_, err := fmt.Fprintln(g.Stdout, id)
		return err
	}
	s := &follower{global: g, grid: grid, id: id, wish: g.wish(t), runtime: t.runtime, ready: ready, stops: true, outputs: outputs}
	console, closeConsole, err := consoleLog(g, t)
	if err != nil {
		return err
	}
	defer closeConsole()
	s.console = console
	if !g.quiet {
		fmt.Fprint(g.Stdout, header(ready, t.arg, "grid, run "+id, described, g.color(g.Stdout)))
	}
	stopOutputs, err := s.startOutputs()
	if err != nil {
		return err
	}
	defer stopOutputs()
	return s.follow(ctx)
}

// check finds here what every node would find wrong with a test. It returns the options as they are packed, and what the runners of
// the whole test together will be.
func (g *global) check(ctx context.Context, t *test) (plan.Options, run.Ready, error) {
	runner := t.scheduler(g, g.console(), func(c *scheduler.Config) { c.NoThresholds = t.runtime.NoThresholds })
	defer runner.Close()
	read, err := runner.Inspect(ctx)
	if err != nil {
		return read.Options, read, err
	}
	if read.Options.Paused.Or(false) {
		return read.Options, read, errPaused()
	}
	if _, _, err := requirementsOf(read.Options); err != nil {
		return read.Options, read, err
	}
	ready, err := runner.Check()
	return read.Options, ready, err
}

// outputsForGrid makes the outputs that write files here, each in its place among specs. Those that write to a server are made only to
// find out whether they can be: nil stands in their place, because the nodes have them. Described tells of all.
func (g *global) outputsForGrid(specs []string) (here []output.Output, described []string, err error) {
	if here, err = g.makeOutputs(specs); err != nil {
		return nil, nil, err
	}
	for i, o := range here {
		described = append(described, o.Describe())
		if kind, _ := output.Find(specs[i]); kind.Network {
			here[i] = nil
		}
	}
	return here, described, nil
}

// outputEnv are the variables of this environment that the outputs which specs ask for read. No others travel: some are passwords.
func (g *global) outputEnv(specs []string) map[string]string {
	env := map[string]string{}
	for _, spec := range specs {
		kind, _ := output.Find(spec)
		for _, pair := range g.Environ() {
			if name, value, _ := strings.Cut(pair, "="); kind.Env != "" && strings.HasPrefix(name, kind.Env) {
				env[name] = value
			}
		}
	}
	return env
}

// startOutputs opens the files that the nodes' lines are written to.
func (s *follower) startOutputs() (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var busy sync.WaitGroup
	for _, o := range s.files() {
		if err := o.Start(definitions(s.ready)); err != nil {
			cancel()
			return nil, fmt.Errorf("start the output %s: %w", o.Describe(), err)
		}
		busy.Go(func() {
			if err := o.Run(ctx); err != nil {
				s.log.Error("output " + o.Describe() + ": " + err.Error())
			}
		})
	}
	return func() {
		cancel()
		busy.Wait()
		for _, o := range s.files() {
			if err := o.Stop(); err != nil {
				s.log.Error("output " + o.Describe() + ": " + err.Error())
			}
		}
	}, nil
}

// files are the outputs that are written here.
func (s *follower) files() []output.Output {
	return slices.DeleteFunc(slices.Clone(s.outputs), func(o output.Output) bool { return o == nil })
}

// submit sends the test to the grid and returns the run's id.
func (g *global) submit(ctx context.Context, grid *client.Grid, t *test, opts plan.Options, asked cluster.Asked) (string, error) {
	name, err := t.packForGrid(opts)
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(name) }()
	digest, err := grid.Send(ctx, func() (io.ReadCloser, error) { return os.Open(name) })
	if err != nil {
		return "", fmt.Errorf("send the test to the grid: %w", err)
	}
	asked.Bundle, asked.ID = digest, desk.NewID(time.Now())
	var rec cluster.Run
	err = grid.Slow().JSON(ctx, http.MethodPost, desk.RunsPath, asked, &rec)
	if err != nil && ctx.Err() != nil { // it may have arrived
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		why := desk.StopCall{Why: err.Error(), Kind: fault.Interrupted}
		_ = grid.JSON(ctx, http.MethodPost, desk.RunsPath+"/"+asked.ID+"/stop", why, nil) // if it has not, there is nothing to stop
	}
	return rec.ID, err
}

// untilSignal returns a context that ends with the first SIGINT or SIGTERM, and what stops the waiting for them.
func untilSignal(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case sig := <-caught:
			cancel(fault.New(fault.Interrupted, fmt.Errorf("test run was aborted because k6 received a '%s' signal", sig)))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(caught); cancel(nil) }
}

// follower shows a run of the grid.
type follower struct {
	*global
	grid    *client.Grid
	id      string
	wish    summary.Wish
	runtime plan.Runtime
	ready   run.Ready // of the whole test; its zero value when the run was only followed
	console *slog.Logger
	stops   bool            // a signal stops the run; else it ends the following
	outputs []output.Output // in the order of --out; nil: the nodes write it

	mu      sync.Mutex // guards what follows, which the display reads
	stage   string
	tick    desk.Tick
	load    metric.Load
	pulse   viewterm.Pulse
	display viewterm.Display
}

// follow shows the run until it has ended, and then what it came to.
func (s *follower) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stopSignals := s.signals(ctx, cancel)
	defer stopSignals()
	s.display = viewterm.Display{Out: s.Stdout, Screen: s.screen, Colour: s.color(s.Stdout), Quiet: s.quiet}
	showing, stopShowing := context.WithCancel(context.Background())
	var beside sync.WaitGroup
	beside.Go(func() {
		if err := s.display.Run(showing, s.frame); err != nil {
			s.log.Debug("the progress could not be shown: " + err.Error())
		}
	})
	err := s.grid.Follow(ctx, s.id, len(s.files()) > 0, s.tell)
	stopShowing()
	beside.Wait()
	if err != nil {
		return err
	}
	var rec cluster.Run
	var res desk.Result
	patient := s.grid.Patient()
	if err := patient.JSON(ctx, http.MethodGet, desk.RunsPath+"/"+s.id, nil, &rec); err != nil {
		return err
	}
	if err := patient.Slow().JSON(ctx, http.MethodGet, desk.RunsPath+"/"+s.id+"/result", nil, &res); err != nil {
		return err
	}
	return s.conclude(&rec, &res)
}

// signals has the first SIGINT or SIGTERM stop the run, or the following; the second ends the process at once.
func (s *follower) signals(ctx context.Context, cancel context.CancelCauseFunc) func() {
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		select {
		case <-done:
			return
		case sig := <-caught:
			why := fault.New(fault.Interrupted, fmt.Errorf("test run was aborted because k6 received a '%s' signal", sig))
			if !s.stops {
				cancel(fault.WithHint(fault.Interrupted, fmt.Errorf("run %s goes on without being followed", s.id), "throng attach follows it again, throng stop ends it"))
				return
			}
			watcher.Go(func() { s.stop(ctx, why) })
		}
		select {
		case <-done:
		case <-caught:
			s.log.Error(errSecondSignal.Error(), "hint", "the grid may still be ending the run: throng attach "+s.id+" shows how, throng stop "+s.id+" asks once more")
			os.Exit(fault.Interrupted.ExitCode())
		}
	})
	return func() {
		signal.Stop(caught)
		close(done)
		cancel(nil)
		watcher.Wait()
	}
}

// stop asks the grid to end the run.
func (s *follower) stop(ctx context.Context, why error) {
	err := s.grid.Patient().JSON(ctx, http.MethodPost, desk.RunsPath+"/"+s.id+"/stop", desk.StopCall{Why: why.Error(), Kind: fault.Interrupted}, nil)
	if err != nil && ctx.Err() == nil { // else it has ended meanwhile
		s.log.Error("the run could not be stopped: " + err.Error())
	}
}

// tell takes one event of the run.
func (s *follower) tell(e desk.Event) {
	switch {
	case e.Line != nil:
		s.line(e)
	case e.Lines != nil:
		if n := e.Lines.Output; n >= 0 && n < len(s.outputs) && s.outputs[n] != nil {
			s.outputs[n].AddLines(e.Lines.Lines)
		}
	case e.Stage != nil:
		s.mu.Lock()
		s.stage = *e.Stage
		s.mu.Unlock()
	case e.Tick != nil:
		var snap metric.Snapshot
		if err := snap.UnmarshalBinary(e.Tick.Snapshot); err != nil {
			s.log.Debug("a snapshot cannot be read: " + err.Error())
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pulse = s.pulse.Next(e.Tick.Begun, snap, s.display.Colour)
		s.tick, s.load = *e.Tick, snap.Load
	case e.State == cluster.Queued && e.Before > 0:
		s.log.Info(fmt.Sprintf("the run waits in the queue; before it: %d", e.Before))
	}
}

// line shows what a node's runner wrote to its console or its log, as a local run would.
func (s *follower) line(e desk.Event) {
	log := s.log
	if e.Line.Console {
		log = s.console
	}
	var attrs []any
	for _, a := range e.Line.Attrs {
		attrs = append(attrs, slog.String(a[0], a[1]))
	}
	if e.Node != "" {
		attrs = append(attrs, slog.String("node", e.Node))
	}
	log.Log(context.Background(), slog.Level(e.Line.Level), e.Line.Text, attrs...)
}

func (s *follower) frame() viewterm.Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return viewterm.Frame{Stage: s.stage, Elapsed: s.tick.Elapsed, Max: s.ready.MaxDuration, Load: s.load, Pulse: s.pulse, Scenarios: s.tick.Progress}
}

// conclude shows what the run came to, and returns what a local run would.
func (s *follower) conclude(rec *cluster.Run, res *desk.Result) error {
	err := res.Fault.Err()
	if !res.Measured {
		return err
	}
	out := conductor.Outcome{Elapsed: res.Elapsed, SetupData: res.Setup, Err: err, Measured: true}
	if derr := json.Unmarshal(res.Ready, &out.Ready); derr != nil {
		return fmt.Errorf("read what the run was: %w", derr)
	}
	if derr := out.Snapshot.UnmarshalBinary(res.Snapshot); derr != nil {
		return derr
	}
	out.Ready.Segment = segment.Whole()
	out.Verdicts = out.Ready.Thresholds.Judge(out.Snapshot, out.Elapsed, true)
	s.sumUp(s.runtime, s.wish, out, func([]byte) (map[string][]byte, error) { return res.Files, res.SummaryFault.Err() })
	if !out.Ready.HasSummary && s.wish.Mode != "disabled" { // else standard output is the script's
		fmt.Fprint(s.Stdout, summary.Spread(cluster.SpreadOf(rec.Parts)))
	}
	s.tellDisturbances(out, res)
	if ferr := s.display.Final(s.frame()); ferr != nil {
		s.log.Debug("the progress could not be shown: " + ferr.Error())
	}
	return err
}

// tellDisturbances says what happened to the run, after its summary: where the script has one of its own, standard output is
// the script's.
func (s *follower) tellDisturbances(out conductor.Outcome, res *desk.Result) {
	to := s.Stdout
	if out.Ready.HasSummary {
		to = s.Stderr
	}
	fmt.Fprint(to, summary.Disturbances(res.Began, out.Snapshot, plansOf(out.Ready.Options), res.Disturbances, s.color(to)))
}

// plansOf says how many iterations the scenarios were to begin, where that is known before.
func plansOf(opts plan.Options) (out []summary.Plan) {
	scenarios := opts.Derived()
	for i := range scenarios {
		if n, ok := executor.Planned(&scenarios[i]); ok {
			out = append(out, summary.Plan{Scenario: scenarios[i].Name, Iterations: n})
		}
	}
	return out
}

// header is what a run begins with.
func header(r run.Ready, script, execution string, outputs []string, colour bool) string {
	h := viewterm.Header{
		Outputs: outputs,
		Version: "v" + Version, Script: script, MaxVUs: r.MaxVUs, MaxDuration: r.MaxDuration, Colour: colour,
		Share: fmt.Sprintf("%.2f%%", 100*r.Segment.Segment().Share()), Execution: execution, Scenarios: describe(r),
	}
	return h.String()
}
