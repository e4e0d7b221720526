// Package scenario holds plays on the real binary: testdata/*.txtar, each a story of commands and what a user then sees.
//
// In:  a throng binary, and targets that behave badly on request.
// Out: a subtest for every play.
//
// Invariant: a play needs no network but the loopback, and no clock but throng's own.
// Not here: what k6 does with the same script (test/compat).
package scenario
