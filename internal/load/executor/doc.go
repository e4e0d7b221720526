// Package executor spends virtual users over time: one file for each way of doing so.
//
// In:  a plan.Scenario, the part of the test that is ours (a segment.Tuple), where in its schedule to begin (Start), and VUs
// from an Env.
// Out: iterations, each with its due time and its numbers; progress; and, before anything runs, what a scenario will need.
//
// Every executor is a pure schedule (steps, curves and counts that tests can ask about any instant) and a thin run over it.
// A VU belongs to one goroutine, which the executor starts and waits for; between two iterations it takes no lock, sends on
// no channel and allocates nothing, except where VUs share work that is due at an instant (dispatch.go).
//
// Invariant: over all segments of a test, the iterations, VUs and due times are those of the whole (TestSegmentsAddUp); and over
// all lives of a part no number is begun twice (TestNoNumberIsBegunTwiceWhoeverDies).
// Not here: waiting for a scenario's start time (load/scheduler), what an iteration is (load/vu), counting samples (meter).
package executor
