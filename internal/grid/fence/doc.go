// Package fence says how long a node may run virtual users without hearing from the others, and when the others may give its
// share away: never both.
//
// In:  who votes; when a node sent a beat that a voter acknowledged (Holder); when a voter heard a beat (Witness).
// Out: the instant at which a node must stop; whether a node is gone.
//
// A node holds its lease while a majority of the voters has acknowledged a beat that it sent within the last Lease. It is gone once
// a majority has not heard it for Lease and Margin. Two majorities share a voter, and that voter heard the beat after it was
// sent, so a node that is gone has stopped, whoever leads and whether or not anybody does:
//
//	node    sent ├────────── Lease ──────────┤ stops
//	voter      heard ├────────── Lease ──────────┼ Margin ┤ gone
//
// Voters change one at a time and not faster than once in a Lease (package nominate), so the majority that a node counts and the
// one that gives its share away still share a voter, unless the node hears of a change only after the next one. A new voter has heard
// nobody until it votes, and says nothing against anybody for Lease and Margin; until it has acknowledged something, the
// lease that the others gave goes on. A voter whose host refuses connections counts as one that acknowledged: its
// process is dead, and when it starts again it has heard everybody at its start.
//
// Clocks need not agree: both sides measure lengths of time on their own.
//
// Invariant: no node holds its lease once it is gone (TestGoneMeansStopped).
// Not here: sending beats (grid/courier, grid/worker), starting the share elsewhere (grid/conductor).
package fence
