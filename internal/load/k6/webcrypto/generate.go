package webcrypto

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"

	"github.com/grafana/sobek"
)

func (a *API) generateKey(call sobek.FunctionCall) (any, error) {
	p, err := a.algorithm(call.Argument(0), "generateKey")
	if err != nil {
		return nil, err
	}
	usages, err := a.usages(call.Argument(2))
	if err != nil {
		return nil, err
	}
	alg, err := p.forKey()
	if err != nil {
		return nil, err
	}
	t := target{alg: alg, extractable: call.Argument(1).ToBoolean(), usages: usages}
	switch {
	case alg.hash.name != "" && alg.name != "HMAC":
		return t.generateRSA(p)
	case alg.curve != "":
		return t.generateEC()
	}
	return t.generateSecret(p)
}

func (t target) generateSecret(p params) (any, error) {
	if t.alg.name == "HMAC" {
		if t.alg.length < 0 {
			t.alg.length = 8 * t.alg.hash.New().BlockSize()
		}
		if t.alg.length == 0 || t.alg.length > 1<<20 {
			return nil, operation("HMAC: a key cannot be %d bits long", t.alg.length)
		}
	} else {
		var err error
		if t.alg.length, err = p.number("length"); err != nil {
			return nil, err
		}
		if !aesLength(t.alg.length) {
			return nil, operation("%s: length must be 128, 192 or 256 bits", t.alg.name)
		}
	}
	if err := allowed(t.alg.name, t.usages); err != nil {
		return nil, err
	}
	secret := make([]byte, (t.alg.length+7)/8)
	_, _ = rand.Read(secret) // never fails, says its documentation
	return t.key("secret", secret), nil
}

func aesLength(bits int) bool { return bits == 128 || bits == 192 || bits == 256 }

// generateRSA takes a tenth of a second and more.
func (t target) generateRSA(p params) (any, error) {
	bits, err := p.number("modulusLength")
	if err != nil {
		return nil, err
	}
	e, err := p.bytes("publicExponent")
	if err != nil {
		return nil, err
	}
	if err := allowed(t.alg.name, t.usages); err != nil {
		return nil, err
	}
	if bits < 1024 || bits > 16384 {
		return nil, operation("%s: modulusLength must be from 1024 to 16384 bits", t.alg.name)
	}
	if new(big.Int).SetBytes(e).Cmp(big.NewInt(65537)) != 0 {
		return nil, operation("%s: publicExponent must be 65537, which is new Uint8Array([1, 0, 1])", t.alg.name)
	}
	t.alg.length = bits
	return later(func() (any, error) {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			return nil, operation("%s: %v", t.alg.name, err)
		}
		return t.pair(k, &k.PublicKey), nil
	}), nil
}

func (t target) generateEC() (any, error) {
	if err := allowed(t.alg.name, t.usages); err != nil {
		return nil, err
	}
	k, err := ecdsa.GenerateKey(curveOf(t.alg.curve), rand.Reader)
	if err != nil {
		return nil, operation("%s: %v", t.alg.name, err)
	}
	return t.pair(k, &k.PublicKey), nil
}

// pair splits the usages between the halves. The public one can always be exported.
func (t target) pair(private, public any) pair {
	pub := t
	pub.extractable = true
	pub.usages = restricted(t.usages, "encrypt", "verify", "wrapKey")
	t.usages = restricted(t.usages, "decrypt", "sign", "unwrapKey", "deriveKey", "deriveBits")
	return pair{pub.key("public", public), t.key("private", private)}
}

// curveOf returns the curve of that name, nil if there is none.
func curveOf(name string) elliptic.Curve {
	switch name {
	case "P-256":
		return elliptic.P256()
	case "P-384":
		return elliptic.P384()
	case "P-521":
		return elliptic.P521()
	}
	return nil
}
