// Package webcrypto is the Web Cryptography API behind the global names crypto and CryptoKey (https://www.w3.org/TR/webcrypto-2/).
//
// In:  algorithms, keys and bytes as a script gives them; keys in the formats raw, pkcs8, spki and jwk.
// Out: promises of bytes, verdicts and keys; bad input rejects them with an Error whose name the standard prescribes.
//
// Invariant: nothing that a script passes ends the virtual user; it is an exception or a rejection (TestBadInputNeverPanics).
// Not here: the module 'k6/crypto' (load/k6/k6crypto).
package webcrypto
