// Package meter folds this process's samples into sketches without making virtual users wait.
//
// In:  values, each with a Series that was resolved when its tag set was first seen.
// Out: Snapshots; and the raw samples, only if an output has asked for them.
//
// Invariant: whatever is added is in the next Snapshot exactly once (TestNothingIsLostBetweenShards).
// Not here: merging snapshots of several processes (grid/tally), judging them (threshold).
package meter
