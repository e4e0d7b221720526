// Package js runs ECMAScript and TypeScript: the only door to the engine and the transpiler. It has never heard of load.
//
// In:  sources (through a Loader) and native modules (as values).
// Out: a compiled Program shared by many runtimes, an Instance of it in each, and the event Loop that each needs.
//
// Invariant: one runtime is touched by one goroutine at a time; everything shared between runtimes is immutable.
// Not here: where files come from (load/script), what scripts may import (load/k6).
package js
