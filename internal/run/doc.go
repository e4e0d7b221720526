// Package run is the contract between a run's two halves: what a conductor tells a runner and what a runner answers.
//
// In:  a Job (what to run, which part of it).
// Out: a Runner, driven through Init, Setup, Run, Teardown and Summary in this order, each at most once; and Shared, what
// the scripts of all runners share.
//
// Invariant: after Yield or the end of ctx, Run returns within the graceful times of the plan; Snapshot may be called at
// any time and never waits for a virtual user.
// Not here: doing it (load/scheduler), deciding it (grid/conductor).
package run
