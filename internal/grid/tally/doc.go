// Package tally adds up everyone's snapshots exactly once, and says who is missing.
//
// In:  cumulative snapshots, each with its runner's id and a number that grows; in any order, any number of times.
// Out: one Snapshot of the whole run, and the runners that were expected and have been silent.
//
// Invariant: the total depends only on each runner's newest snapshot, not on the order of arrival or on what was
// repeated (TestTotalIgnoresOrderAndRepeats).
// Not here: carrying snapshots (grid/courier), judging them (threshold).
package tally
