// Package global is what scripts find without an import: console, the timers, TextEncoder and TextDecoder, crypto, global.
//
// In:  a virtual user whose runtime is new.
// Out: global names that cost memory only once a script has used them.
//
// Invariant: a runtime whose script uses none of them pays for one small object (TestUnusedGlobalsAreCheap).
// Not here: open, require, __VU, __ITER and __ENV, which belong to the virtual user (load/vu, load/js); what crypto does (load/k6/webcrypto).
package global
