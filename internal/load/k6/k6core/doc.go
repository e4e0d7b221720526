// Package k6core is the module 'k6': check, fail, group, randomSeed, sleep.
//
// In:  calls from a script.
// Out: samples of checks and group_duration, exceptions, time spent.
//
// Invariant: however a group is left, the virtual user's group is what it was before (TestGroupIsLeftHoweverItEnds).
// Not here: how the samples add up (load/meter), what a run makes of an exception (load/vu).
package k6core
