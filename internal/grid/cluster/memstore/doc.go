// Package memstore is the store of a grid of one process: everything in memory.
//
// In:  transactions.
// Out: the same answers as etcd would give (cluster.Store), and for tests the ways in which a network answers: late, never,
// or with an error that leaves open what happened (Link).
//
// Invariant: it passes the suite that etcdstore passes (TestStore).
// Not here: anything that outlives the process.
package memstore
