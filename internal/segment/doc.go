// Package segment says which part of a test one instance must run.
//
// In:  a segment, an exact fraction (from, to] of the whole, the sequence of segments it belongs to, and a number of
// indivisible things (VUs, iterations, ticks of a rate).
// Out: how many of these things are ours, and which. A part can be cut again, and again: a Share is the path of such cuts.
//
// The things are dealt out in stripes, so that every instance has its share of any beginning of them, not one block. The
// rule is k6's, so an instance of k6 and one of throng may share a test.
//
// Invariant: over all segments of a sequence every thing is dealt out exactly once (TestSharesTile); to cut
// a share again changes nobody else's things (TestSharesOfSharesTile).
// Not here: who hands the segments out; that is package conductor.
package segment
