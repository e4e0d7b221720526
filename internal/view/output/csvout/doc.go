// Package csvout writes samples as comma-separated values, as k6's csv output does
// (https://grafana.com/docs/k6, "CSV output"; quoting by RFC 4180).
//
// In:  a file name or settings from --out, settings from the environment, samples.
// Out: a header and a line for every sample: name, time, value, one column a system tag, the other tags, metadata.
//
// Invariant: every line has as many fields as the header (TestRowsFitTheHeader).
// Not here: files and flushing; that is package stream.
package csvout
