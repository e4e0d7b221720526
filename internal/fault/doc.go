// Package fault classes an error by what can be done about it.
//
// In:  any error, and at the place where the cause is known, its Kind and a hint.
// Out: the Kind of the outermost classed error in a chain, its hint, and the exit
// code that k6 uses for that Kind (https://grafana.com/docs/k6, exit codes).
//
// Invariant: wrapping with fmt.Errorf("...: %w", err) never changes the Kind.
// Not here: printing and os.Exit; that is package cli.
package fault
