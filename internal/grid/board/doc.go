// Package board answers what the scripts of a run share: one Board on the leader, and a copy of it on every other voter, and on whoever
// is to vote soon.
//
// In:  Asks of runners, which their nodes pass on to the leader.
// Out: Answers. An Ask is answered once every voter that can be reached holds it, in one order; so whoever leads next knows of
// everything that was answered. Copies follow on one another as entries of raft do: who is not where the leader was before, because
// it has come to vote or started again, is sent the whole. A new leader takes over from whoever knows most.
//
//	runner ──► node (Shared) ──► leader (Boards): put in order ──► other voters' copies
//	                                              └─► own Board ──► Answer
//
// Invariant: what was answered stays so under the next leader (TestTheNextLeaderKnowsWhatWasAnswered,
// TestWhoComesToVoteLacksNothing).
// Not here: what the operations do (run/shared), what scripts see (load/k6/thronggrid).
package board
