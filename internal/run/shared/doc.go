// Package shared is what the scripts of a run share, in the memory of one process: a Board with values that are made once, barriers,
// counters and queues.
//
// In:  each an Ask, any number of times.
// Out: its Answer; who waits gets it as soon as there is one.
//
// Invariant: an Ask that is repeated under the same Call is carried out once (TestARepeatedAskCountsOnce); what the Board holds
// is bounded (TestTheBoardIsBounded).
// Not here: what scripts see of it (load/k6/thronggrid), and the way of an Ask to another process (run/pipe).
package shared
