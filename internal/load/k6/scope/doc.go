// Package scope is what a module may touch of the virtual user whose runtime it serves, and of the test around it.
//
// In:  nothing; load/vu fills it.
// Out: VU and Test, handed to every module's maker.
//
// Invariant: a VU is touched only by the goroutine that owns its runtime; Test is safe to share.
// Not here: the modules (load/k6/...), the life of a virtual user (load/vu).
package scope
