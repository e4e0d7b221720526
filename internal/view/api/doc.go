// Package api is k6's REST API: it shows a run to those outside, and lets them pause, stop and scale it.
//
// In:  a Run and a Setup to ask, a function that says what was measured, requests.
// Out: JSON:API documents in the shapes of k6 v2, whose clients (k6-operator, k6 status, scripts with curl) stay unchanged.
//
// Invariant: no request keeps more than a bounded body and answer time, and none makes a virtual user wait
// (TestNoBodyIsReadWithoutEnd).
// Not here: what stopping or pausing means (grid/conductor, load/scheduler), when to serve (cli).
package api
