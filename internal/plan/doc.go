// Package plan holds what was asked for: options, scenarios, stages; parsed, merged, validated, immutable.
//
// In:  options from the script, a config file, the environment and flags, each with what was not set left unset.
// Out: one consolidated Options value, and the Scenarios derived from it.
//
// Invariant: a value set on a higher layer is never changed by a lower one (TestMergeAgainstTwin).
// Not here: when things are due (pace), who does which part (segment), doing them (load/executor).
package plan
