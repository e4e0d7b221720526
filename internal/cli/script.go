package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"throng/internal/fault"
	"throng/internal/load/js"
	"throng/internal/load/k6"
	"throng/internal/load/scheduler"
	"throng/internal/load/script"
	"throng/internal/plan"
	viewterm "throng/internal/view/term"
)

// testFlags are the flags of every command that reads a script.
type testFlags struct {
	set         *pflag.FlagSet // of the command
	noRemote    bool
	initTimeout time.Duration
}

// initTimeout is how long the script's top-level code may take, for each virtual user.
const initTimeout = time.Minute

// addTestFlags gives c the flags of options and of the runtime.
func addTestFlags(c *cobra.Command, systemEnv bool) *testFlags {
	f := &testFlags{set: c.Flags()}
	f.set.SortFlags = false
	f.set.AddFlagSet(plan.Flags())
	f.set.AddFlagSet(plan.RuntimeFlags(systemEnv))
	f.set.BoolVar(&f.noRemote, "no-remote", false, "refuse scripts that import from https URLs")
	f.set.DurationVar(&f.initTimeout, "init-timeout", initTimeout, "how long the script's top-level code may take, for each VU")
	return f
}

// test is a script that was found and compiled, and all that is to be laid over its options.
type test struct {
	arg     string
	script  *script.Script
	program *js.Program
	runtime plan.Runtime
	env     map[string]string
	file    plan.Config // the config file's layer
	envVars plan.Config
	flags   plan.Config
	own     plan.Options  // the script's layer
	config  plan.Config   // consolidated; valid, as own is, once the script's top-level code ran
	limit   time.Duration // of the script's top-level code
}

// userAgent is what requests say of themselves unless told otherwise.
const userAgent = "throng/" + Version + " (k6 compatible)"

// load finds and compiles the script that arg names and reads every layer of options but the script's own.
func (g *global) load(f *testFlags, arg string) (*test, error) {
	return g.loadFrom(f, arg, func(o script.Options) (*script.Script, error) { return script.Read(arg, g.Stdin, o) })
}

// loadFrom is load for a script that read finds.
func (g *global) loadFrom(f *testFlags, arg string, read func(script.Options) (*script.Script, error)) (*test, error) {
	t := &test{arg: arg}
	var err error
	if t.limit, err = g.initLimit(f); err != nil {
		return nil, err
	}
	var warnings []string
	if t.runtime, warnings, err = plan.RuntimeFrom(f.set, g.Lookup); err != nil {
		return nil, err
	}
	for _, w := range warnings {
		g.log.Warn(w)
	}
	if t.flags, err = plan.FromFlags(f.set); err != nil {
		return nil, err
	}
	if t.envVars, err = plan.FromEnv(g.Lookup); err != nil {
		return nil, err
	}
	if t.file, err = g.readConfig(); err != nil {
		return nil, err
	}
	t.script, err = read(script.Options{Type: script.Type(t.runtime.Type), NoRemote: f.noRemote, Log: g.log})
	if err != nil {
		return nil, err
	}
	t.env = t.runtime.ScriptEnv(g.Environ())
	if b := t.script.Bundle; b != nil { // the archive's -e, below those given now
		env := maps.Clone(b.Env)
		if env == nil {
			env = map[string]string{}
		}
		maps.Copy(env, t.env)
		t.env = env
	}
	return t, t.compile(g.log)
}

// compile makes the program.
func (t *test) compile(log *slog.Logger) (err error) {
	modules := k6.Modules()
	t.program, err = t.script.Compile(js.CompileOptions{
		CompatibilityMode: t.runtime.CompatibilityMode, Log: log, Fixed: []string{"__ENV", "__VU"}, MaxBuffer: memoryLimit(),
		IsNative: func(name string) bool { return modules[name] != nil || name == "k6" || strings.HasPrefix(name, "k6/") },
	})
	return err
}

// initLimit is --init-timeout or THRONG_INIT_TIMEOUT.
func (g *global) initLimit(f *testFlags) (time.Duration, error) {
	limit := f.initTimeout
	if text := g.setting("", "INIT_TIMEOUT", ""); text != "" && !f.set.Changed("init-timeout") {
		var err error
		if limit, err = time.ParseDuration(text); err != nil {
			return 0, fault.New(fault.InvalidConfig, fmt.Errorf("THRONG_INIT_TIMEOUT: %w", err))
		}
	}
	if limit <= 0 {
		return 0, fault.New(fault.InvalidConfig, fmt.Errorf("--init-timeout is %v, but must be more than 0", limit))
	}
	return limit, nil
}

// defaultConfigPath is where k6 keeps its config file; throng reads the same one.
func defaultConfigPath() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "k6", "config.json")
}

// readConfig reads the config file: the one that was asked for, or the default one if it is there.
func (g *global) readConfig() (plan.Config, error) {
	name, asked := g.setting(g.config, "CONFIG", ""), true
	if name == "" {
		name, asked = defaultConfigPath(), false
	}
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return plan.Config{}, nil
	}
	if err != nil {
		return plan.Config{}, fault.New(fault.InvalidConfig, fmt.Errorf("read the config file: %w", err))
	}
	return plan.ParseConfig(data, name)
}

// consolidate lays all layers over each other, once the script has said what it wants.
func (t *test) consolidate(log *slog.Logger) func([]byte) (plan.Options, error) {
	return func(exported []byte) (plan.Options, error) {
		opts, warnings, err := t.scriptOptions(exported)
		if err != nil {
			return opts, err
		}
		config, more := plan.Consolidate(t.file, opts, t.envVars, t.flags)
		for _, w := range append(append(warnings, more...), config.UnknownFeatures()...) {
			log.Warn(w)
		}
		t.own, t.config = opts, config
		return config.Options, nil
	}
}

// scriptOptions is the script's layer: what it exports or, in an archive, what was consolidated when it was made.
func (t *test) scriptOptions(exported []byte) (plan.Options, []string, error) {
	if b := t.script.Bundle; b != nil {
		opts, err := plan.ParseArchive(b.Options, t.arg)
		return opts, nil, err
	}
	if exported == nil {
		return plan.Options{}, nil, nil
	}
	return plan.ParseJSON(exported, "script")
}

// scheduler makes the runner of the test; more may still change its Config.
func (t *test) scheduler(g *global, console *slog.Logger, more func(*scheduler.Config)) *scheduler.Scheduler {
	cfg := scheduler.Config{
		Program: t.program, Open: t.script.Files, Env: t.env, Consolidate: t.consolidate(g.log), Log: g.log, Console: console,
		UserAgent: userAgent, NoThresholds: t.runtime.NoThresholds, MemoryLimit: boundMemory(), InitTimeout: t.limit, Sealed: t.script.Files.Seal,
	}
	if more != nil {
		more(&cfg)
	}
	return scheduler.New(cfg)
}

// inspect runs the script's top-level code and returns the consolidated options.
func (t *test) inspect(ctx context.Context, g *global) (plan.Options, *scheduler.Scheduler, error) {
	s := t.scheduler(g, g.console(), nil)
	ready, err := s.Inspect(ctx)
	return ready.Options, s, err
}

// console is where the script's console goes when no file was asked for.
func (g *global) console() *slog.Logger { return viewterm.Console(g.log) }
