package plan

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// Runtime is how the script is to be run: what is neither an option of the test nor of this run's surroundings.
type Runtime struct {
	Env                       map[string]string // from -e
	IncludeSystemEnv          bool
	CompatibilityMode         string // extended, base or experimental_enhanced
	Type                      string // js, archive, or "": find out
	NoThresholds              bool
	SummaryMode               string // compact, full or disabled
	SummaryExport             string // a file's name, or ""
	NewMachineReadableSummary bool
	TracesOutput              string
}

// RuntimeFlags makes the flags of Runtime; RuntimeFrom reads them. systemEnv is the default of --include-system-env-vars:
// true for run, false for archive, inspect and the rest.
func RuntimeFlags(systemEnv bool) *pflag.FlagSet {
	fs := pflag.NewFlagSet("runtime", pflag.ContinueOnError)
	fs.SortFlags = false
	fs.Bool("include-system-env-vars", systemEnv, "let the script see the environment in __ENV")
	fs.String("compatibility-mode", "extended", "base, or extended: the object global exists as well")
	fs.StringP("type", "t", "", "what the file is, js or archive (default: found out)")
	fs.StringArrayP("env", "e", nil, "set `VAR=value` in __ENV; may be repeated")
	fs.Bool("no-thresholds", false, "do not judge thresholds")
	fs.String("summary-mode", "compact", "how much the summary at the end tells: compact, full or disabled")
	fs.String("summary-export", "", "write the summary to this file, as JSON")
	fs.Bool("new-machine-readable-summary", false, "write schema 1.0.0 to --summary-export and give it to handleSummary()")
	fs.String("traces-output", "none", "where traces go: none or otel[=host:port]")
	return fs
}

// RuntimeFrom reads the flags that RuntimeFlags made and, for those not given, the environment. It returns what to warn
// of; mistakes come back all at once, as a fault.Other.
func RuntimeFrom(fs *pflag.FlagSet, lookup func(string) (string, bool)) (Runtime, []string, error) {
	r := runtimeReader{fs: fs, lookup: lookup}
	run := Runtime{
		IncludeSystemEnv:          r.bool("include-system-env-vars"),
		CompatibilityMode:         r.string("compatibility-mode"),
		Type:                      r.string("type"),
		NoThresholds:              r.bool("no-thresholds"),
		SummaryMode:               r.string("summary-mode"),
		SummaryExport:             r.string("summary-export"),
		NewMachineReadableSummary: r.bool("new-machine-readable-summary"),
		TracesOutput:              r.string("traces-output"),
	}
	pairs, _ := fs.GetStringArray("env")
	var err error
	if run.Env, err = parseEnv(pairs); err != nil {
		r.errs = append(r.errs, err)
	}
	if !slices.Contains([]string{"extended", "base", "experimental_enhanced"}, run.CompatibilityMode) {
		r.errs = append(r.errs, fmt.Errorf("invalid compatibility mode %q. Use: \"extended\", \"base\", \"experimental_enhanced\"", run.CompatibilityMode))
	}
	if !slices.Contains([]string{"compact", "full", "disabled"}, run.SummaryMode) {
		r.errs = append(r.errs, fmt.Errorf("invalid summary mode %q. Use: \"compact\", \"full\", \"disabled\"", run.SummaryMode))
	}
	var warnings []string
	if run.CompatibilityMode == "experimental_enhanced" {
		warnings = append(warnings, `CompatibilityMode "experimental_enhanced" is deprecated: types are stripped from .ts files in any mode, use "base"`)
	}
	return run, warnings, other(errors.Join(r.errs...))
}

type runtimeReader struct {
	fs     *pflag.FlagSet
	lookup func(string) (string, bool)
	errs   []error
}

// env is the variable for a flag, if the flag itself is not given.
func (r *runtimeReader) env(flag string) (name, value string, ok bool) {
	if r.fs.Changed(flag) || r.lookup == nil {
		return "", "", false
	}
	name, value, ok = lookupEnv(r.lookup, strings.ToUpper(strings.ReplaceAll(flag, "-", "_")))
	return name, value, ok && value != ""
}

func (r *runtimeReader) string(flag string) string {
	if _, v, ok := r.env(flag); ok {
		return v
	}
	v, _ := r.fs.GetString(flag)
	return v
}

func (r *runtimeReader) bool(flag string) bool {
	v, _ := r.fs.GetBool(flag)
	if name, text, ok := r.env(flag); ok {
		b, err := strconv.ParseBool(text)
		if err != nil {
			r.errs = append(r.errs, fmt.Errorf("env var '%s' is not a valid boolean value: %w", name, err))
		}
		return b
	}
	return v
}

// parseEnv reads NAME=value pairs, the last of a name wins. A bare NAME is the empty value: nothing comes from the system.
func parseEnv(pairs []string) (map[string]string, error) {
	valid := regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	env := map[string]string{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if pair == "" {
			continue
		}
		if !valid.MatchString(name) {
			return nil, fmt.Errorf("invalid environment variable name '%s'", name)
		}
		env[name] = value
	}
	return env, nil
}

// ScriptEnv is __ENV: the system's environment (NAME=value each) if it is included, and -e over it.
func (r Runtime) ScriptEnv(environ []string) map[string]string {
	env := make(map[string]string, len(r.Env)+len(environ))
	if r.IncludeSystemEnv {
		for _, pair := range environ {
			if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
				env[name] = value
			}
		}
	}
	for name, value := range r.Env {
		env[name] = value
	}
	return env
}
