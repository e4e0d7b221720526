// Package vu is one virtual user: its runtime, its place in a scenario, one iteration at a time.
//
// In:  a compiled program, what the whole test shares, and calls to Activate, Iterate, Deactivate from an executor.
// Out: samples in the meter, messages in the log.
//
// Invariant: a runtime is touched by one goroutine at a time, and by none once Deactivate has returned
// (TestInterruptEndsBeforeDeactivateReturns).
// Not here: when to iterate (load/executor), what scripts may import (load/k6).
package vu
