// Package k6data is the module 'k6/data': SharedArray.
//
// In:  a name and a function that makes an array; called once for all virtual users of the process.
// Out: an array that all of them read: each element is kept once, as JSON, and becomes a value when it is read.
//
// Invariant: nothing that one virtual user does to an element can be seen by another, or at the next access
// (TestElementsAreFreshAndFrozen).
// Not here: reading files (load/script).
package k6data
