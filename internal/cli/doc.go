// Package cli is what a person types: one file per command, the wiring of one process, and the exit code.
//
// In:  arguments, environment, standard streams, signals.
// Out: an exit code; everything that a user sees.
//
// Invariant: only this package and cmd touch os.Exit, os.Args and the standard streams (TestHouse in the module's root).
// Not here: anything that decides; commands only connect.
package cli
