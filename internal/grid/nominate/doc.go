// Package nominate says who votes: one pure choice, at most one change at a time (Choose), and the loop in which the leader makes
// that change (Loop).
//
// In:  the members as raft has them, the nodes of the grid and for how long each was silent, the ideal number of voters.
// Out: a change of the members, or none and why; seats (cluster.Seat), by which a node learns that it is to start, vote or leave.
//
// The number that is wanted is the largest odd one not above the ideal and not above the candidates. A dead voter keeps its seat
// until a volunteer can take it, or it is forgotten: three voters of which one is dead do not shrink to one. A new member begins
// as a learner, which does not count; two that are needed are promoted only when both have started, so that an even number lasts
// for one Pace and no longer.
//
// Invariant: no change leaves fewer live voters than a majority, and none follows another within Pace
// (TestChooseNeverBreaksTheMajority); whatever dies in between, the loop comes to the same end (TestTheLoopIsIdempotent).
// Not here: raft itself (etcdstore), what a node does about its seat (node).
package nominate
