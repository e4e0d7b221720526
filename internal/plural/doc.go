// Package plural words numbers of things.
//
// In:  a number, what one of the things is called, and what several are.
// Out: "1 node", "2 nodes"; with a verb where the sentence needs one: "1 run begins", "2 runs begin".
//
// Invariant: one is never told as several (TestOneIsNotSeveral).
// Not here: the words that k6 shows, which stay as k6's are.
package plural
