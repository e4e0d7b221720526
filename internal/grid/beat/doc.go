// Package beat is what a node says once a second to those who vote: that it lives, how its parts of the runs are, and what they
// have measured.
//
// In:  reports of parts, snapshots included (Sender); beats of other nodes (Receiver).
// Out: a lease while a majority of the voters acknowledges (package fence); on the voters' side who was heard when, and the newest
// report and snapshot of every part.
//
// Every voter hears that a node lives. Snapshots go to two of them, the leader and a standby on another host, so that the death
// of any one host loses none that was sent. Everything may arrive twice or be lost: reports are states, not changes, snapshots are
// cumulative, log lines carry numbers.
//
// Invariant: an older report never replaces a newer one (TestOldNewsIsNoNews).
// Not here: what the reports mean (grid/conductor, grid/worker).
package beat
