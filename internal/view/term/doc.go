// Package term is what a person sees while a run goes on: the header, the progress, the log.
//
// In:  what is to be run, in words; how far it is, asked ten times a second; log records.
// Out: text on the writers it is given: redrawn in place on a terminal, a few lines a second elsewhere.
//
// Invariant: a log line is never torn by the progress nor overwrites it (TestLogsStandAboveTheBars), and no line of the
// progress is wider than the terminal (TestNoLineIsWiderThanTheTerminal).
// Not here: knowing whether there is a terminal and how wide it is (package cli tells), the end-of-test report
// (view/summary).
package term
