package webcrypto

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"math/big"
)

// signRSA makes an RSASSA-PKCS1-v1_5 or RSA-PSS signature (RFC 8017).
func signRSA(p params, alg algorithm, k *rsa.PrivateKey, data []byte) (any, error) {
	digest := alg.hash.sum(data)
	var out []byte
	var err error
	if alg.name == "RSA-PSS" {
		var salt int
		if salt, err = p.saltLength(); err != nil {
			return nil, err
		}
		if salt == 0 { // the standard library takes that for "as long as possible"
			out, err = signUnsalted(k, alg.hash, digest)
		} else {
			out, err = rsa.SignPSS(rand.Reader, k, alg.hash.Hash, digest, &rsa.PSSOptions{SaltLength: salt})
		}
	} else {
		out, err = rsa.SignPKCS1v15(nil, k, alg.hash.Hash, digest)
	}
	if err != nil {
		return nil, operation("%s: %v", alg.name, err)
	}
	return out, nil
}

func verifyRSA(p params, alg algorithm, k *rsa.PublicKey, signature, data []byte) (any, error) {
	digest := alg.hash.sum(data)
	if alg.name != "RSA-PSS" {
		return rsa.VerifyPKCS1v15(k, alg.hash.Hash, digest, signature) == nil, nil
	}
	salt, err := p.saltLength()
	if err != nil {
		return nil, err
	}
	if salt == 0 {
		return verifyUnsalted(k, alg.hash, digest, signature), nil
	}
	return rsa.VerifyPSS(k, alg.hash.Hash, digest, signature, &rsa.PSSOptions{SaltLength: salt}) == nil, nil
}

func (p params) saltLength() (int, error) {
	n, err := p.number("saltLength")
	if err == nil && n < 0 {
		err = syntax("RSA-PSS: the algorithm must have a saltLength") // k6's name for what is missing
	}
	return n, err
}

// unsalted is EMSA-PSS with a salt of no bytes (RFC 8017 section 9.1.1), nil if the key is too short for the hash.
func unsalted(bits int, h digester, digest []byte) []byte {
	n := (bits - 1 + 7) / 8
	if n < h.Size()+2 {
		return nil
	}
	sum := h.sum(append(make([]byte, 8), digest...))
	em := make([]byte, n)
	db := em[:n-h.Size()-1]
	db[len(db)-1] = 1
	for i, at := 0, db; len(at) > 0; i++ { // MGF1
		mask := h.sum(append(append([]byte(nil), sum...), byte(i>>24), byte(i>>16), byte(i>>8), byte(i)))
		at = at[subtle.XORBytes(at, at, mask):]
	}
	db[0] &= 0xff >> (8*n - (bits - 1))
	copy(em[len(db):], sum)
	em[n-1] = 0xbc
	return em
}

// signUnsalted computes on big.Int, whose time depends on the key: an attacker who could measure it would have to
// share the machine with the load test.
func signUnsalted(k *rsa.PrivateKey, h digester, digest []byte) ([]byte, error) {
	em := unsalted(k.N.BitLen(), h, digest)
	if em == nil {
		return nil, rsa.ErrMessageTooLong
	}
	s := new(big.Int).Exp(new(big.Int).SetBytes(em), k.D, k.N)
	return s.FillBytes(make([]byte, k.Size())), nil
}

func verifyUnsalted(k *rsa.PublicKey, h digester, digest, signature []byte) bool {
	em := unsalted(k.N.BitLen(), h, digest)
	s := new(big.Int).SetBytes(signature)
	if em == nil || len(signature) != k.Size() || s.Cmp(k.N) >= 0 {
		return false
	}
	return new(big.Int).Exp(s, big.NewInt(int64(k.E)), k.N).Cmp(new(big.Int).SetBytes(em)) == 0
}

// cryptOAEP is RSA-OAEP in either direction.
func cryptOAEP(p params, k *key, data []byte, open bool) (any, error) {
	label, err := p.optional("label")
	if err != nil {
		return nil, err
	}
	h := k.alg.hash.New()
	var out []byte
	switch m := k.material.(type) {
	case *rsa.PublicKey:
		if open {
			return nil, invalidAccess("a public key cannot decrypt")
		}
		out, err = rsa.EncryptOAEP(h, rand.Reader, m, data, label)
	case *rsa.PrivateKey:
		if !open {
			return nil, invalidAccess("a private key cannot encrypt")
		}
		out, err = rsa.DecryptOAEP(h, nil, m, data, label)
	}
	if err != nil {
		return nil, operation("RSA-OAEP: %v", err)
	}
	return out, nil
}

// exponentOf returns the public exponent of an RSA key, nil of another.
func exponentOf(material any) []byte {
	switch m := material.(type) {
	case *rsa.PublicKey:
		return big.NewInt(int64(m.E)).Bytes()
	case *rsa.PrivateKey:
		return big.NewInt(int64(m.E)).Bytes()
	}
	return nil
}
