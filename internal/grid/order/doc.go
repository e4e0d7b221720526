// Package order is what a conductor asks of a worker on another node: the words, and the Remote that stands for a runner there.
//
// In:  a node's address, a Job, what the node's beats say of it.
// Out: a run.Runner whose calls are carried out on the node; run.ErrLost once the node is gone.
//
// Every order may be given twice, by one conductor whose connection broke or by the next one that took over: it names what it is
// about, and a worker that has done it, or is doing it, answers with what came of it. An order of an older term is refused.
//
// Invariant: a call ends with an answer, with the end of its context, or with run.ErrLost; never because a connection broke
// (TestABrokenConnectionIsNoLoss).
// Not here: doing it (grid/worker), deciding it (grid/conductor, grid/desk).
package order
