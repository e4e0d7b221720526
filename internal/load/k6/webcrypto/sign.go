package webcrypto

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"math/big"

	"github.com/grafana/sobek"
)

func (a *API) sign(call sobek.FunctionCall) (any, error) {
	p, k, err := a.keyFor(call, "sign")
	if err != nil {
		return nil, err
	}
	data, err := bytesOf(call.Argument(2), "data")
	if err != nil {
		return nil, err
	}
	switch m := k.material.(type) {
	case []byte:
		return mac(k, m, data), nil
	case *rsa.PrivateKey:
		return signRSA(p, k.alg, m, data)
	case *ecdsa.PrivateKey:
		h, err := p.hash()
		if err != nil {
			return nil, err
		}
		r, s, err := ecdsa.Sign(rand.Reader, m, h.sum(data))
		if err != nil {
			return nil, operation("ECDSA: %v", err)
		}
		n := (m.Params().BitSize + 7) / 8
		out := make([]byte, 2*n)
		r.FillBytes(out[:n])
		s.FillBytes(out[n:])
		return out, nil
	}
	return nil, invalidAccess("a public key cannot sign")
}

func (a *API) verify(call sobek.FunctionCall) (any, error) {
	p, k, err := a.keyFor(call, "verify")
	if err != nil {
		return nil, err
	}
	signature, err := bytesOf(call.Argument(2), "signature")
	if err != nil {
		return nil, err
	}
	data, err := bytesOf(call.Argument(3), "data")
	if err != nil {
		return nil, err
	}
	switch m := k.material.(type) {
	case []byte:
		return hmac.Equal(mac(k, m, data), signature), nil
	case *rsa.PublicKey:
		return verifyRSA(p, k.alg, m, signature, data)
	case *ecdsa.PublicKey:
		h, err := p.hash()
		if err != nil {
			return nil, err
		}
		n := (m.Params().BitSize + 7) / 8
		if len(signature) != 2*n {
			return false, nil
		}
		r, s := new(big.Int).SetBytes(signature[:n]), new(big.Int).SetBytes(signature[n:])
		return ecdsa.Verify(m, h.sum(data), r, s), nil
	}
	return nil, invalidAccess("a private key cannot verify")
}

func mac(k *key, secret, data []byte) []byte {
	h := hmac.New(k.alg.hash.New, secret)
	h.Write(data)
	return h.Sum(nil)
}
