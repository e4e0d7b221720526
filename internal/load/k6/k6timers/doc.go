// Package k6timers is the module 'k6/timers', which the global setTimeout and its kin are too.
//
// In:  callbacks and delays in milliseconds.
// Out: calls on the runtime's own goroutine, through its event loop.
//
// Invariant: callbacks run in the order of their due times, then of their age, and jobs that promises have left run
// between any two (TestTimersRunInOrderOfDueTime).
// Not here: when an iteration has ended (load/js, the event loop).
package k6timers
