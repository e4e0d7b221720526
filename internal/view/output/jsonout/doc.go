// Package jsonout writes samples as newline-delimited JSON, as k6's json output does
// (https://grafana.com/docs/k6, "JSON output").
//
// In:  a path ("" or "-" is standard output, .gz is compressed), definitions, samples.
// Out: a line of type Point for every sample, and before a metric's first Point a line of type Metric.
//
// Invariant: every line is one valid JSON object (TestEveryLineIsJSON).
// Not here: files and flushing; that is package stream.
package jsonout
