// Package summary writes the end-of-test report: text for people, JSON for files and for handleSummary.
//
// In:  one Report: the run's Snapshot, its thresholds' verdicts, how long it lasted, and how numbers shall look.
// Out: Text (compact or full), Data (what handleSummary is given), Export (--summary-export) and Machine
// (--new-machine-readable-summary), in k6's layouts (https://grafana.com/docs/k6, "End of test").
//
// Invariant: the same Report gives the same bytes; a Report without a single sample is written like any other
// (TestAnEmptyRunHasAReport).
// Not here: measuring, judging, and where the bytes go.
package summary
