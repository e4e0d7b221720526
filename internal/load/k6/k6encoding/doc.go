// Package k6encoding is the module 'k6/encoding': Base64 in four alphabets.
//
// In:  text or bytes.
// Out: text or bytes.
//
// Invariant: decoding what was encoded with the same alphabet gives the same bytes (TestRoundTrip).
// Not here: TextEncoder and TextDecoder (load/k6/global).
package k6encoding
