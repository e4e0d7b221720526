package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"throng/internal/fault"
	viewterm "throng/internal/view/term"
)

// Env is the world around one invocation.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr *os.File
	Lookup         func(string) (string, bool)
	Environ        func() []string
}

// global holds the flags that every command takes, and what they set up.
type global struct {
	Env
	config, logOutput, logFormat, address string
	noColor, quiet, verbose, profiling    bool

	screen *viewterm.Screen // where progress and log share a terminal; nil without one
	log    *slog.Logger
	closer func() error // closes the log's file
}

// Main runs one invocation and returns the exit code.
func Main(args []string, env Env) (code int) {
	g := &global{Env: env, closer: func() error { return nil }}
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(env.Stderr, "throng has a fault: %v\n%s", r, debug.Stack())
			code = fault.Panic.ExitCode()
		}
		_ = g.closer()
	}()
	if len(args) > 0 && args[0] == runnerCommand { // before all that only people need is made
		return g.mainRunner(args[1:])
	}
	root := newRoot(g)
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(context.Background())
	if err == nil {
		return 0
	}
	g.report(err)
	return fault.KindOf(err).ExitCode()
}

// report tells the user what went wrong, once.
func (g *global) report(err error) {
	if g.log == nil { // the flags themselves were wrong
		if lerr := g.startLog(); lerr != nil {
			fmt.Fprintln(g.Stderr, lerr)
		}
	}
	var with []any
	if hint := fault.HintOf(err); hint != "" {
		with = append(with, slog.String("hint", hint))
	}
	g.log.Error(err.Error(), with...)
}

// startLog sets up the log as the global flags ask. On a terminal it shares the screen with the progress.
func (g *global) startLog() error {
	var stdout, stderr io.Writer = g.Stdout, g.Stderr
	if isTerminal(g.Stdout) && isTerminal(g.Stderr) && !g.quiet {
		g.screen = viewterm.NewScreen(g.Stdout, func() (int, int) {
			w, h, err := term.GetSize(int(g.Stdout.Fd()))
			if err != nil {
				return 80, 24
			}
			return w, h
		})
		stdout, stderr = g.screen.Above(g.Stdout), g.screen.Above(g.Stderr)
	}
	opts := g.logOptions(g.Stderr)
	g.log = slog.New(viewterm.NewHandler(stderr, opts))
	out, err := viewterm.ParseLogOutput(g.setting(g.logOutput, "LOG_OUTPUT", "stderr"))
	if err != nil {
		return err
	}
	w, err := out.Open(stdout, stderr)
	if err != nil {
		return err
	}
	g.closer = w.Close
	if out.Level != nil {
		opts.Level = max(g.level(), *out.Level)
	}
	g.log = slog.New(viewterm.NewHandler(w, opts))
	return nil
}

func (g *global) logOptions(to *os.File) viewterm.LogOptions {
	return viewterm.LogOptions{Start: time.Now(), Format: viewterm.ParseFormat(g.setting(g.logFormat, "LOG_FORMAT", "text")), Level: g.level(), Colour: g.color(to)}
}

// printer is where log lines go that somebody has asked for: as the log does where a flag says so, else to standard output.
func (g *global) printer() *slog.Logger {
	if g.setting(g.logOutput, "LOG_OUTPUT", "") != "" {
		return g.log
	}
	return slog.New(viewterm.NewHandler(g.Stdout, g.logOptions(g.Stdout)))
}

func (g *global) level() slog.Level {
	if g.verbose {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// setting is a flag's value, else THRONG_name, else K6_name, else what is used when nothing is set.
func (g *global) setting(flag, name, none string) string {
	if flag != "" {
		return flag
	}
	for _, prefix := range []string{"THRONG_", "K6_"} {
		if v, ok := g.Lookup(prefix + name); ok && v != "" {
			return v
		}
	}
	return none
}

// plain reports whether the user wants no colours at all.
func (g *global) plain() bool {
	_, no := g.Lookup("NO_COLOR") // https://no-color.org
	return no || g.noColor || g.setting("", "NO_COLOR", "") != ""
}

func (g *global) color(f *os.File) bool { return !g.plain() && isTerminal(f) }

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func newRoot(g *global) *cobra.Command {
	root := &cobra.Command{
		Use:   "throng",
		Short: "load tests in JavaScript, on one machine or many",
		Long: "throng runs load tests written for k6, several times faster, from one static binary, on one host or on a grid of many.\n\n" +
			"Start here:  throng demo\nA grid:      throng node --help",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return g.startLog()
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fault.WithHint(fault.Other, fmt.Errorf("unknown command %q for throng", args[0]), "throng help lists the commands")
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fault.New(fault.Other, err) })
	f := root.PersistentFlags()
	f.StringVarP(&g.config, "config", "c", "", "JSON file with options (default: "+defaultConfigPath()+", if it is there)")
	f.StringVar(&g.logOutput, "log-output", "", "where the log goes: stderr, stdout, none or file=PATH[,level=LEVEL] (default stderr)")
	f.StringVar(&g.logFormat, "log-format", "", "how log lines look: text, json or raw (default text)")
	f.BoolVar(&g.noColor, "no-color", false, "no colours")
	f.BoolVarP(&g.quiet, "quiet", "q", false, "no progress")
	f.BoolVarP(&g.verbose, "verbose", "v", false, "log debug messages too")
	f.StringVarP(&g.address, "address", "a", "", "serve k6's REST API at this address, such as localhost:6565 (default: no REST API)")
	f.BoolVar(&g.profiling, "profiling-enabled", false, "serve Go's profiles under /debug/pprof/ of the REST API")
	root.AddCommand(newRun(g), newArchive(g), newInspect(g), newNew(g), newDemo(g), newDoctor(g), newVersion(g), newRuns(g), newAttach(g), newStop(g), newLogs(g), newNode(g), newGrid(g))
	return root
}

var errSecondSignal = errors.New("second signal: stopped at once")
