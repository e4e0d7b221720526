// Package scopetest builds a virtual user by hand, for the tests of modules.
//
// In:  modules and JavaScript.
// Out: what the script returned, and what the test measured and logged meanwhile.
//
// Invariant: nothing outlives the test.
// Not here: real virtual users (load/vu).
package scopetest
