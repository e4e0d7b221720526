// Package scheduler is the runner's story of one run: init, setup, executors, teardown.
//
// In:  a compiled program, how to consolidate its options, which segment of the test is ours.
// Out: a run.Runner.
//
// Invariant: a virtual user is in the pool or with one executor, never both (TestEveryVUIsReturned).
// Not here: who decides when to start and stop (grid/conductor), when an iteration is due (load/executor).
package scheduler
