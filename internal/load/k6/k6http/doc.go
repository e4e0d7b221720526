// Package k6http is the module 'k6/http': requests, batches, cookies, and the Response that scripts see.
//
// In:  a virtual user (scope.VU), and what its script asks for.
// Out: responses, and one set of samples for every exchange on the wire: each redirect and each round of an
// authentication counts.
//
// Invariant: nothing of a response is turned into a JavaScript value before the script touches it
// (TestGetWithoutParamsAllocatesLittle).
// Not here: one exchange on a connection (load/httpc), HTML documents (k6html), folding samples (load/meter).
package k6http
