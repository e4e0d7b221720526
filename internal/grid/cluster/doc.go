// Package cluster holds what nodes agree on: who there is, who leads in which term, which runs there are; and the small Store
// through which they agree.
//
// In:  records of nodes and runs, each versioned JSON.
// Out: the same records for every node; writes that a leader who was deposed can no longer make (Fenced).
//
// Every key begins with Prefix. The table:
//
//	/throng/id                  the grid's id, written once at its founding
//	/throng/ideal               the ideal number of voters, a decimal
//	/throng/leader              Leader: who leads since which term; its modification revision is the fence
//	/throng/nodes/<name>        Node: one for every node that joined and was not forgotten
//	/throng/seats/<name>        Seat: the leader's word to one node about its vote
//	/throng/tokens/<id>         Token: a hash, a role, an end; never the secret
//	/throng/runs/<id>           Run: what was asked, where it is, what it came to
//	/throng/shared/<run>/...    what scripts share: module throng/grid
//
// Nothing here is written per sample, and no value is above MaxValue.
//
// Invariant: both stores behave alike (package storetest).
// Not here: the stores (memstore, etcdstore), who should vote (nominate), leading a run (conductor).
package cluster
