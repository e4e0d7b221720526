package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// The names of the layers, lowest first, as k6's warnings have them.
const (
	LevelDefaults = "defaults"
	LevelFile     = "config"
	LevelScript   = "script"
	LevelEnv      = "env"
	LevelFlags    = "cli"
)

// Layer is where settings come from.
type Layer struct {
	Name string
	Config
}

// Consolidate merges defaults, config file, script (or archive), environment and flags, each above those before it.
func Consolidate(file Config, script Options, env, flags Config) (Config, []string) {
	return Merge(Layer{LevelDefaults, Config{Options: Defaults()}}, Layer{LevelFile, file}, Layer{LevelScript, Config{Options: script}},
		Layer{LevelEnv, env}, Layer{LevelFlags, flags})
}

// Merge lays each layer over those before it, option by option, and returns what k6 would warn of. Tags and lists are
// replaced whole. A layer with any of duration, iterations, stages and scenarios replaces the load shape of those below it;
// vus stays. See TestMergeAgainstTwin.
func Merge(layers ...Layer) (Config, []string) {
	var c Config
	var warnings []string
	merged := map[string]string{}
	for _, l := range layers {
		if l.Duration.Set || l.Iterations.Set || l.Stages != nil || l.Scenarios != nil {
			if c.Scenarios != nil {
				warnings = append(warnings, fmt.Sprintf("%q level configuration overrode scenarios configuration entirely", l.Name))
			}
			c.Duration, c.Iterations, c.Stages, c.Scenarios = Opt[time.Duration]{}, Opt[int64]{}, nil, nil
		}
		maps.Copy(merged, l.Tags)
		theirs := l.Config.fields()
		for i, f := range c.fields() {
			f.take(theirs[i])
		}
	}
	if c.Has(MergeRunTags) && c.Tags != nil {
		c.Tags = merged
	}
	dropped := func(s StageConfig) bool { return !s.Duration.Set }
	if slices.ContainsFunc(c.Stages, dropped) {
		warnings = append(warnings, "stages without a duration are ignored")
		c.Stages = slices.DeleteFunc(slices.Clone(c.Stages), dropped)
	}
	return c, warnings
}
