// Package sketch summarises many numbers in little memory.
//
// In:  values, one at a time or as other sketches.
// Out: exact count, sum, minimum and maximum; quantiles that are exact up to 128 values and within 0.271 % beyond.
//
// A sketch is a base-2 exponential histogram of fixed scale 7, the layout of OpenTelemetry's exponential histogram and of
// Prometheus' native histogram (schema 7), so both can be exported without loss. Because the scale is fixed, merging is
// addition of counts, and its error does not grow however often it is done.
//
// Invariant: what a sketch answers depends on the multiset of values alone, not on their order nor on how they were spread
// over sketches before merging (TestMergeForgetsOrder).
// Not here: locks (a Trend has one writer), names and tags (metric), which quantiles matter (threshold, summary).
package sketch
