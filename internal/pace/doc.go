// Package pace turns a rate curve into "how many are due by now" and "when is the n-th one due".
//
// In:  a rate, constant or in stages, and an instant counted from the start of the curve.
// Out: counts and instants; with a Share, of one instance's part of the whole.
//
// The number of things that a curve makes due is the area under it, rounded down. A constant rate makes the first one due
// at once; a ramp makes the n-th one due when the area reaches n. Both are what k6's arrival-rate executors do.
//
// Invariant: Due(t) counts exactly the k for which At(k) <= t (TestDueCountsAt).
// Not here: the clock, and who does what is due; that is package load/executor.
package pace
