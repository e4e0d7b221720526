package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"throng/internal/fault"
	"throng/internal/load/executor"
	"throng/internal/plan"
)

func newInspect(g *global) *cobra.Command {
	var requirements bool
	c := &cobra.Command{
		Use: "inspect FILE", Short: "print a script's options as JSON, without running it", Args: exactlyOneScript("inspect"),
	}
	f := addTestFlags(c, false)
	c.Flags().BoolVar(&requirements, "execution-requirements", false, "consolidate all options, and add how many VUs and how much time the test may take at most")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := g.load(f, args[0])
		if err != nil {
			return err
		}
		opts, _, err := t.inspect(cmd.Context(), g)
		if err != nil {
			return err
		}
		if !requirements {
			return g.printOptions(t.own, nil)
		}
		needs, opts, err := requirementsOf(opts)
		if err != nil {
			return err
		}
		return g.printOptions(opts, map[string]any{"maxVUs": needs.MaxVUs, "totalDuration": plan.FormatDuration(needs.Duration)})
	}
	return c
}

// needs is what a test asks of its hosts.
type needs struct {
	MaxVUs   int64
	Duration time.Duration
}

func requirementsOf(opts plan.Options) (needs, plan.Options, error) {
	derived, _, err := opts.WithScenarios()
	if err != nil {
		return needs{}, opts, err
	}
	if err := plan.Validate(opts, nil); err != nil {
		return needs{}, opts, err
	}
	scenarios, err := plan.Derive(opts)
	if err != nil {
		return needs{}, opts, err
	}
	tuple, err := opts.Tuple()
	if err != nil {
		return needs{}, opts, err
	}
	_, vus, length := executor.Requirements(scenarios, tuple)
	return needs{MaxVUs: vus, Duration: length}, derived, nil
}

// printOptions prints opts as k6 does, with more keys beside its own.
func (g *global) printOptions(opts plan.Options, more map[string]any) error {
	data, err := opts.MarshalJSON()
	if err != nil {
		return err
	}
	if more != nil {
		all := map[string]json.RawMessage{}
		if err := json.Unmarshal(data, &all); err != nil {
			return err
		}
		for k, v := range more {
			if all[k], err = json.Marshal(v); err != nil {
				return err
			}
		}
		if data, err = json.Marshal(all); err != nil {
			return err
		}
	}
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(g.Stdout, out.String())
	return err
}

func dirOf(name string) string { return filepath.Dir(name) }

// exactlyOneScript says what is missing in the words of a command.
func exactlyOneScript(command string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return fault.WithHint(fault.Other, fmt.Errorf("accepts 1 arg(s), received %d: throng %s needs the path of one script, or - to read it from standard input", len(args), command),
			fmt.Sprintf("throng %s script.js", command))
	}
}
