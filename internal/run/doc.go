// Package run is the contract between a run's two halves: what a conductor tells a runner and what a runner answers.
//
// In:  what to run, and which part of it, when a Runner is made; when and where to begin (Begin).
// Out: a Runner, driven through Init, Setup, Run, Teardown and Summary in this order, each at most once; and Shared, what
// the scripts of all runners share.
//
// Invariant: after Yield or the end of ctx, Run returns within the graceful times of the plan; Snapshot may be called at
// any time and never waits for a virtual user. No two lives of a share begin an iteration under the same number
// (TestNoIterationIsBegunTwice in load/scheduler, TestNoNumberIsBegunTwiceWhoeverDies in load/executor).
// Not here: doing it (load/scheduler), deciding it (grid/conductor).
package run
