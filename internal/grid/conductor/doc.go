// Package conductor is the leader's run-book: raise the barrier, watch, merge, judge, finish.
//
// In:  the runners of a run, its thresholds, and what to tell while it goes on.
// Out: an Outcome: the merged measurements, the verdicts, and why the run ended if it ended early.
//
// Invariant: of itself a run calls setup, teardown and handleSummary each at most once, however many runners
// there are (TestLifecycleOnce); thresholds are judged on what all runners measured together.
// Not here: a runner's inside (load/scheduler), adding snapshots up (grid/tally), showing things (view).
package conductor
