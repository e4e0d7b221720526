// Package threshold parses expressions such as `p(95)<200` and judges them against what was measured.
//
// In:  expressions and the keys they stand under (`metric` or `metric{tag:value}`), a metric.Snapshot, how long the run
// has lasted.
// Out: a Set, the selectors that must be folded for it, and Verdicts: what was crossed, and whether the run must stop.
//
// Invariant: a verdict depends on nothing but the expression, the series and the elapsed time; what does not parse is
// refused before a run, never during one (FuzzParse).
// Not here: when to judge, and what to do with the verdict; that is grid/conductor.
package threshold
