// Package k6metrics is the module 'k6/metrics': Counter, Gauge, Rate, Trend.
//
// In:  names, kinds and values from a script.
// Out: definitions in the test's registry, samples in its meter.
//
// Invariant: what is refused is not counted, and the script is told so by false or an exception (TestOddValues).
// Not here: how samples add up (load/meter), which names exist (metric).
package k6metrics
