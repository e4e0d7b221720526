package webcrypto

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/pbkdf2"

	"github.com/grafana/sobek"
)

// quickIterations is how many hashes PBKDF2 may compute before another goroutine does it: about a millisecond's.
const quickIterations = 2000

func (a *API) deriveBits(call sobek.FunctionCall) (any, error) {
	p, k, err := a.keyFor(call, "deriveBits")
	if err != nil {
		return nil, err
	}
	bits := -1
	if v := call.Argument(2); !sobek.IsUndefined(v) && !sobek.IsNull(v) {
		if bits, err = whole(v, "length"); err != nil {
			return nil, err
		}
	}
	return derive(p, k, bits)
}

// derive returns bits of what k leads to; all of it if bits is -1 and there is an end to it.
func derive(p params, k *key, bits int) (any, error) {
	if bits == 0 || bits > 0 && bits%8 != 0 {
		return nil, operation("%s: length must be a multiple of 8 bits, and not 0", p.name)
	}
	if p.name == "ECDH" {
		return agree(p, k, bits)
	}
	if bits < 0 {
		return nil, operation("%s: length is missing", p.name)
	}
	h, err := p.hash()
	if err != nil {
		return nil, err
	}
	salt, err := p.bytes("salt")
	if err != nil {
		return nil, err
	}
	salt = bytes.Clone(salt)
	secret, _ := k.material.([]byte)
	if p.name == "HKDF" {
		info, err := p.bytes("info")
		if err != nil {
			return nil, err
		}
		out, err := hkdf.Key(h.New, secret, salt, string(info), bits/8)
		if err != nil {
			return nil, operation("HKDF: %v", err)
		}
		return out, nil
	}
	iterations, err := p.number("iterations")
	if err != nil {
		return nil, err
	}
	if iterations < 0 {
		return nil, wrongType("PBKDF2: the algorithm must have iterations")
	}
	if iterations == 0 {
		return nil, operation("PBKDF2: iterations must not be 0")
	}
	slow := later(func() (any, error) {
		out, err := pbkdf2.Key(h.New, string(secret), salt, iterations, bits/8)
		if err != nil {
			return nil, operation("PBKDF2: %v", err)
		}
		return out, nil
	})
	if rounds := (bits/8 + h.Size() - 1) / h.Size(); iterations <= quickIterations/rounds {
		return slow()
	}
	return slow, nil
}

// agree is ECDH: the x coordinate of the shared point.
func agree(p params, k *key, bits int) (any, error) {
	public, err := p.a.key(p.get("public"))
	if err != nil {
		return nil, wrongType("ECDH: the algorithm must have the other side's CryptoKey as its member public")
	}
	theirs, ok := public.material.(*ecdsa.PublicKey)
	if !ok || public.alg.name != "ECDH" {
		return nil, invalidAccess("ECDH: the member public is no public key for ECDH")
	}
	mine, ok := k.material.(*ecdsa.PrivateKey)
	if !ok {
		return nil, invalidAccess("ECDH: the base key is no private key")
	}
	if public.alg.curve != k.alg.curve {
		return nil, invalidAccess("ECDH: the keys are of different curves, %s and %s", k.alg.curve, public.alg.curve)
	}
	d, err := mine.ECDH()
	if err != nil {
		return nil, operation("ECDH: %v", err)
	}
	q, err := theirs.ECDH()
	if err != nil {
		return nil, operation("ECDH: %v", err)
	}
	secret, err := d.ECDH(q)
	if err != nil {
		return nil, operation("ECDH: %v", err)
	}
	if bits < 0 {
		return secret, nil
	}
	if bits/8 > len(secret) {
		return nil, operation("ECDH: %d bits are more than the %d of the curve", bits, 8*len(secret))
	}
	return secret[:bits/8], nil
}

func (a *API) deriveKey(call sobek.FunctionCall) (any, error) {
	p, k, err := a.keyFor(call, "deriveKey")
	if err != nil {
		return nil, err
	}
	t, err := a.target(call.Argument(2), call.Argument(3), call.Argument(4))
	if err != nil {
		return nil, err
	}
	bits, err := t.bits(t.p)
	if err != nil {
		return nil, err
	}
	r, err := derive(p, k, bits)
	if err != nil {
		return nil, err
	}
	return then(r, func(r any) (any, error) {
		raw, _ := r.([]byte)
		return t.take("raw", raw, nil)
	})
}

// bits returns how long a derived key for t must be; -1 for as long as possible.
func (t target) bits(p params) (int, error) {
	switch t.alg.name {
	case "AES-CBC", "AES-CTR", "AES-GCM", "AES-KW":
		n, err := p.number("length")
		if err != nil {
			return 0, err
		}
		if n%8 != 0 || n < 0 { // the name of the error is k6's
			return 0, invalidAccess("%s: length must be 128, 192 or 256 bits", t.alg.name)
		}
		if !aesLength(n) {
			return 0, badData("%s: length must be 128, 192 or 256 bits, not %d", t.alg.name, n)
		}
		return n, nil
	case "HMAC":
		if t.alg.length < 0 {
			return 8 * t.alg.hash.New().BlockSize(), nil
		}
		return t.alg.length, nil
	case "PBKDF2", "HKDF":
		return -1, nil
	}
	return 0, notSupported("deriveKey: a key for %s cannot be derived", t.alg.name)
}
