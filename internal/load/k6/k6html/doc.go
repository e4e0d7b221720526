// Package k6html is the module 'k6/html': documents, selections of their elements, and what a browser would make of them.
//
// In:  HTML text, and the address it came from.
// Out: Selection and Element objects for scripts, and forms and links for Response.submitForm and clickLink.
//
// Invariant: no method changes a document (TestWalkingChangesNothing).
// Not here: getting documents (k6http).
package k6html
