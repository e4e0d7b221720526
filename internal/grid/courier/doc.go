// Package courier carries what nodes say to one another and what commands ask of them: JSON calls, beats with snapshots, and blobs.
//
// In:  an address and an http.Client that proves who we are; on the other side, handlers.
// Out: answers, or the error that the other side's handler returned, with its kind and hint; blobs by the SHA-256 of their bytes.
//
// Everything that arrives is bounded in size, everything that is sent may be sent again: calls name what they are about,
// snapshots are cumulative and numbered, blobs are named by what they hold.
//
// Invariant: an error keeps its kind, hint and words on its way (TestAnErrorKeepsItsWords); a blob that is there is whole
// (TestABlobIsWholeOrNotThere).
// Not here: who may call what (grid/trust), what is said (grid/worker, grid/conductor).
package courier
