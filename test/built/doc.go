// Package built hands the real binary to the tests that play on it.
//
// In:  the environment variable THRONG_BIN, or the module's source.
// Out: the path of a throng binary.
//
// Invariant: one test process builds at most one binary, and removes it.
// Not here: what is done with it (test/compat, test/nginx, test/scenario, examples).
package built
