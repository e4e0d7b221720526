// Package worker is a node's part in the runs: it carries out what conductors order, keeps the runners that do the work, reports how
// they are, and stops them when the node's lease ends.
//
// In:  orders (package order) over the courier; the lease of the node's beats.
// Out: runners in processes of their own, started and stopped; reports for the beats.
//
// Invariant: no virtual user works after the lease has ended (TestTheFenceStopsEverything); an order that is given twice is carried
// out once (TestAnOrderGivenTwiceIsCarriedOutOnce).
// Not here: what to order (grid/conductor), being a runner (load/scheduler), starting its process (grid/runner).
package worker
