// Package k6crypto is the module 'k6/crypto': hashes, HMAC, random bytes.
//
// In:  text or bytes, the name of an algorithm, the name of an output encoding.
// Out: digests as text or as an ArrayBuffer.
//
// Invariant: reading a digest does not disturb the hash, which can go on (TestDigestLeavesTheHashAlone).
// Not here: the Web Cryptography API behind the global crypto (load/k6/global).
package k6crypto
