// Package desk is where the grid's runs are kept: it takes them in, and while its node leads it has them conducted, one after another.
//
// In:  what submitters ask, the view of the grid, the store, what beats tell.
// Out: a record in the store for every run, its result as a blob on every voter, and a feed for those who follow it.
//
// A desk that begins to lead finds the run that was going on in the store, asks every voter what it has heard of it, and goes on
// where the former leader left off. Nothing that it has in memory alone is needed for that.
//
// Invariant: a run's record is written by the leader alone (its Fence), and a run that has ended stays as it ended
// (TestARunThatEndedStaysAsItEnded).
// Not here: the story of one run (grid/conductor), what a summary looks like (view/summary).
package desk
