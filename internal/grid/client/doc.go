// Package client is a command's way to a grid: through any node, and through another one when that dies.
//
// In:  addresses of nodes, a token.
// Out: calls that are answered by whichever node can; a run's events, each once, whoever leads meanwhile.
//
// Invariant: as long as one known node answers, a call is answered (TestAnyNodeWillDo).
// Not here: what is asked (cli), what is answered (grid/desk, node).
package client
