// Package node wires one node of a grid: its address, its member of the store, its beats, its runners, and what it does while it leads.
//
// In:  Options.
// Out: a node that runs until its context ends; then it gives its work and its leadership away, and remains a member.
//
// One address serves everything but peers: throng's own calls are answered here, everything else is etcd's and is passed on, to the
// member of this node or, where it has none, to one that votes.
//
//	commands, nodes ──► listener ──► who is it? (trust) ──► may it? ──► join, view, grid, runs, parts, beat, blobs
//	etcdctl, nodes  ───────────────────────────────────────────────────► etcd's private socket
//
// Invariant: a node that has been part of a grid never founds another one (TestANodeRemembersItsGrid).
// Not here: each of the parts; who should vote (grid/nominate).
package node
