// Package k6execution is the module 'k6/execution': what a script can know of its run, and the ways to end it.
//
// In:  the virtual user's present state.
// Out: objects whose properties are read at the moment they are asked for; tags and metadata of the samples to come.
//
// Invariant: nothing but tags and metadata can be changed (TestPropertiesAreReadOnly).
// Not here: keeping the state (load/vu), ending the run (load/scheduler).
package k6execution
