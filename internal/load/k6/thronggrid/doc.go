// Package thronggrid is the module 'throng/grid': what virtual users share, on whichever node of the grid they are.
//
// In:  names, JSON values, a function to run once; a run.Shared that does the sharing.
// Out: once, barrier, counter and queue, whose calls hold the virtual user up until they are answered, as http.get does.
//
// Invariant: a virtual user that is cut off while it waits leaves no claim and no arrival behind
// (TestWhoIsCutOffLeavesNothingBehind).
// Not here: keeping what is shared (run/shared), the way to another node (run/pipe).
package thronggrid
