// Package storetest is the suite that every store passes.
//
// In:  a store, and how to compact it.
// Out: failures of the test.
//
// Invariant: what it asks is what the packages above rely on, no more.
// Not here: stores.
package storetest
