// Package stream writes samples as lines to a file, compressed if its name says so, or to standard output.
//
// In:  samples, and a function that writes one as a line.
// Out: bytes, flushed at an interval.
//
// Invariant: at most maxPending samples wait; Add writes them itself when there would be more (TestAddIsBounded).
// Not here: what a line looks like (jsonout, csvout).
package stream
