// Package promout writes metrics to Prometheus, and to what speaks its remote write protocol, as k6's experimental-prometheus-rw
// output does (https://grafana.com/docs/k6, "Prometheus remote write"; the protocol by Prometheus' "Remote-Write 1.0").
//
// In:  an address, settings from the environment, samples.
// Out: requests, every five seconds, with the state of each series that has changed: sums, shares, percentiles, or native histograms.
//
// It adds samples up itself. Snapshots, which are added up already, know metrics and submetrics and not every set of tags; series are
// kept apart by all of theirs.
//
// Invariant: a series' times only grow, so that nothing is refused for its order (TestTimesOfASeriesGrow).
// Not here: queueing, trying again and counting what was lost; that is package push.
package promout
