// Package etcdstore is the only door to etcd: the store of a grid, and the life of the member that a node may embed.
//
// In:  where the store is reached (Store.Use); with which members a server starts (Bootstrap, Join, Restart).
// Out: a cluster.Store that stays the same while what is behind it changes; a Server that says when it is ready, who leads,
// and why it ended.
//
// Invariant: it passes the suite that memstore passes (TestStore); whatever etcd does, the process goes on and is told
// (TestAFatalLogEntryEndsTheServerNotTheProcess); fifty lives fit in one process (TestFiftyLives).
// Not here: who should be a member (nominate), what is kept in the store (cluster).
package etcdstore
