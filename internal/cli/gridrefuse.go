package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"throng/internal/fault"
)

// gridOnly are the flags of run that say nothing without a grid.
func gridOnly() []string {
	return []string{"token-file", "on-node-loss", "detach", "nodes", "where"}
}

// refuseHere refuses flags that only a grid understands, where none was named: they would be silently forgotten.
func refuseHere(set *pflag.FlagSet) error {
	for _, name := range gridOnly() {
		if set.Changed(name) {
			return fault.WithHint(fault.InvalidConfig, fmt.Errorf("--%s is for a run on a grid, and no grid was named", name), "--grid https://HOST:2379, or THRONG_GRID, names any node of it")
		}
	}
	return nil
}

// refuseThere refuses what a run on a grid cannot do, before anything is sent. What only the environment or the config file ask for may
// be meant for local runs: it is told, and the run begins.
func (g *global) refuseThere(t *test, detach bool) error {
	linger := t.envVars.Linger.Or(t.file.Linger.Or(false))
	paused := t.flags.Options.Paused.Or(t.envVars.Options.Paused.Or(t.file.Options.Paused.Or(false)))
	switch {
	case paused:
		return errPaused()
	case g.address != "":
		return local("--address serves k6's REST API")
	case g.profiling:
		return local("--profiling-enabled serves profiles with k6's REST API")
	case t.flags.Linger.Or(false):
		return local("--linger stays with k6's REST API")
	case detach && t.runtime.SummaryExport != "":
		return leaves("--summary-export writes a file")
	case detach && t.consoleOutput() != "":
		return leaves("--console-output writes a file")
	}
	if g.setting("", "ADDRESS", "") != "" || linger {
		g.log.Warn("a run on a grid has no REST API: address and linger are left aside")
	}
	return nil
}

// errPaused refuses a run that would wait, and hold up the queue, for somebody who can never come.
func errPaused() error { return local("a run that is paused is started through k6's REST API") }

func local(what string) error {
	return fault.WithHint(fault.InvalidConfig, errors.New(what+", which a run on a grid does not have"), "leave it away, or run the test here, without --grid and THRONG_GRID")
}

func leaves(what string) error {
	return fault.WithHint(fault.InvalidConfig, errors.New(what+" here, and --detach leaves"), "leave one of them away")
}
