// Package metric holds the words for what is measured: metrics, tags, samples, snapshots.
//
// In:  definitions (built-in ones and the script's), tag sets, values.
// Out: a Registry of definitions, interned TagSets that compare by pointer, and the
// Snapshot that travels upward from every runner.
//
// Invariant: two TagSets from one Tags table hold the same tags exactly if they are the same pointer
// (TestTagSetsWithTheSameTagsAreOnePointer), as long as the table is below its bound.
// Not here: folding samples (load/meter), adding snapshots up (grid/tally).
package metric
