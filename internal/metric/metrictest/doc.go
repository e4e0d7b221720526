// Package metrictest makes the snapshots that benchmarks are measured with, so that all of them mean the same by a typical one.
//
// In:  how many samples every series is to have.
// Out: the snapshots of a test of a web shop: 50 series, 20 of them trends.
//
// Invariant: the same seed and the same calls give the same numbers, but for the instant of the gauges (TestShopsAreReproducible).
// Not here: what the numbers become (metric, grid/tally, grid/beat).
package metrictest
