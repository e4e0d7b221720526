// Package output sends samples elsewhere while a run goes on: the contract of an output, and the table of all kinds.
//
// In:  what --out says (`name` or `name=argument`), the environment, samples as they are drained.
// Out: an Output, or the error that k6 has for a name it does not know.
//
// Invariant: every sample added between Start and Stop has been written when Stop returns without an error.
// Not here: the kinds themselves (packages below this one), draining samples (load/meter), logging errors.
package output
