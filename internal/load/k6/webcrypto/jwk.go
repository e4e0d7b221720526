package webcrypto

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"github.com/grafana/sobek"
)

// jwk is a JSON Web Key (RFC 7517, and RFC 7518 section 6). Of what it says about its use we look at nothing, nor does
// k6: scripts import keys whose alg or key_ops are for something else.
type jwk struct {
	Kty string `json:"kty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	K   string `json:"k,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	D   string `json:"d,omitempty"`
	P   string `json:"p,omitempty"`
	Q   string `json:"q,omitempty"`
	DP  string `json:"dp,omitempty"`
	DQ  string `json:"dq,omitempty"`
	QI  string `json:"qi,omitempty"`
	Alg string `json:"alg,omitempty"`

	Ops []string `json:"key_ops"`
	Ext bool     `json:"ext"`
}

// maxModulus is the longest RSA key, in bits, that is worth the time.
const maxModulus = 16384

func parseJWK(text []byte) (*jwk, error) {
	// Only those members are read that say what the key is; the others may be anything.
	var in struct {
		Kty, Crv, X, Y, K, N, E, D, P, Q, DP, DQ, QI any
		Oth                                          any // more primes than two
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, badData("the JSON Web Key cannot be read: %v", err)
	}
	if in.Oth != nil {
		return nil, badData("keys of more than two primes are not supported")
	}
	j := new(jwk)
	from, into := reflect.ValueOf(in), reflect.ValueOf(j).Elem()
	for i := range from.NumField() - 1 {
		name := from.Type().Field(i).Name
		switch v := from.Field(i).Interface().(type) {
		case nil:
		case string:
			into.FieldByName(name).SetString(v)
		default:
			return nil, badData("the JSON Web Key's member %s must be text", strings.ToLower(name))
		}
	}
	return j, nil
}

// object makes the JavaScript object of j.
func (j *jwk) object(rt *sobek.Runtime) *sobek.Object {
	o := rt.NewObject()
	v := reflect.ValueOf(*j)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		// A new object refuses nothing.
		switch f := v.Field(i).Interface().(type) {
		case string:
			if f != "" {
				_ = o.Set(name, f)
			}
		case []string:
			ops := make([]any, len(f))
			for i, op := range f {
				ops[i] = op
			}
			_ = o.Set(name, rt.NewArray(ops...))
		case bool:
			_ = o.Set(name, f)
		}
	}
	return o
}

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// decode64 decodes a member; no member has padding.
func decode64(s, member string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("the JSON Web Key's member %s: %w", member, err)
	}
	return b, nil
}

func (j *jwk) is(kty string) error {
	if j.Kty != kty {
		return fmt.Errorf("the JSON Web Key's member kty is %q and should be %q", j.Kty, kty)
	}
	return nil
}

func (j *jwk) secret() ([]byte, error) {
	if err := j.is("oct"); err != nil {
		return nil, badData("%v", err)
	}
	b, err := decode64(j.K, "k")
	if err != nil {
		return nil, badData("%v", err)
	}
	return b, nil
}

// numbers decodes members that are whole numbers, big-endian.
func numbers(members ...string) ([]*big.Int, error) {
	out := make([]*big.Int, 0, len(members)/2)
	for i := 0; i < len(members); i += 2 {
		b, err := decode64(members[i+1], members[i])
		if err != nil {
			return nil, err
		}
		if len(b) > maxModulus/8+1 {
			return nil, fmt.Errorf("the JSON Web Key's member %s is too long", members[i])
		}
		out = append(out, new(big.Int).SetBytes(b))
	}
	return out, nil
}

// rsa returns a *rsa.PrivateKey or a *rsa.PublicKey. dp, dq and qi follow from the rest, so they are not looked at.
func (j *jwk) rsa() (any, error) {
	if err := j.is("RSA"); err != nil {
		return nil, err
	}
	v, err := numbers("n", j.N, "e", j.E, "d", j.D, "p", j.P, "q", j.Q)
	if err != nil {
		return nil, err
	}
	n, e, d, p, q := v[0], v[1], v[2], v[3], v[4]
	if n.BitLen() < 512 || n.BitLen() > maxModulus || n.Bit(0) == 0 {
		return nil, errors.New("the modulus is not one of an RSA key")
	}
	if e.BitLen() < 2 || e.BitLen() > 31 || e.Bit(0) == 0 {
		return nil, errors.New("the public exponent is not one of an RSA key")
	}
	pub := rsa.PublicKey{N: n, E: int(e.Int64())}
	if j.D == "" {
		return &pub, nil
	}
	if d.Cmp(n) >= 0 || d.Sign() == 0 {
		return nil, errors.New("the private exponent is not one of an RSA key")
	}
	if j.P == "" && j.Q == "" {
		if p, q, err = factors(n, e, d); err != nil {
			return nil, err
		}
	}
	k := &rsa.PrivateKey{PublicKey: pub, D: d, Primes: []*big.Int{p, q}}
	if err := k.Validate(); err != nil {
		return nil, err
	}
	k.Precompute()
	return k, nil
}

// factors returns the primes of n, which RFC 7518 lets a key leave out (NIST SP 800-56B, appendix C.1).
func factors(n, e, d *big.Int) (p, q *big.Int, err error) {
	one := big.NewInt(1)
	minus := new(big.Int).Sub(n, one)
	m := new(big.Int).Mul(e, d)
	m.Sub(m, one)
	twos := m.TrailingZeroBits()
	odd := new(big.Int).Rsh(m, twos)
	for g := int64(2); g < 50; g++ { // each finds them with a chance of at least one half
		x := new(big.Int).Exp(big.NewInt(g), odd, n)
		for range twos {
			if x.Cmp(one) == 0 || x.Cmp(minus) == 0 {
				break
			}
			y := new(big.Int).Mul(x, x)
			if y.Mod(y, n).Cmp(one) == 0 {
				p = new(big.Int).GCD(nil, nil, x.Sub(x, one), n)
				return p, new(big.Int).Quo(n, p), nil
			}
			x = y
		}
		if x.Cmp(one) != 0 && x.Cmp(minus) != 0 {
			break // the exponents do not belong to n
		}
	}
	return nil, nil, errors.New("the private exponent does not belong to the modulus")
}

// ec returns an *ecdsa.PrivateKey or an *ecdsa.PublicKey.
func (j *jwk) ec() (any, error) {
	if err := j.is("EC"); err != nil {
		return nil, err
	}
	curve := curveOf(j.Crv)
	if curve == nil {
		return nil, fmt.Errorf("the JSON Web Key's member crv is %q: use P-256, P-384 or P-521", j.Crv)
	}
	n := (curve.Params().BitSize + 7) / 8
	point := make([]byte, 1+2*n)
	point[0] = 4 // uncompressed: SEC 1, section 2.3.3
	v, err := numbers("x", j.X, "y", j.Y, "d", j.D)
	if err != nil {
		return nil, err
	}
	for _, x := range v {
		if x.BitLen() > 8*n {
			return nil, fmt.Errorf("the key's numbers are too long for the curve %s", j.Crv)
		}
	}
	v[0].FillBytes(point[1 : 1+n])
	v[1].FillBytes(point[1+n:])
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, err
	}
	if j.D == "" {
		return pub, nil
	}
	k, err := ecdsa.ParseRawPrivateKey(curve, v[2].FillBytes(make([]byte, n)))
	if err != nil {
		return nil, err
	}
	if !k.PublicKey.Equal(pub) {
		return nil, errors.New("the public and the private half of the key do not belong together")
	}
	return k, nil
}

// jwk exports k.
func (k *key) jwk() (*jwk, error) {
	j := &jwk{Ops: slices.Clone(k.usages), Ext: true}
	switch m := k.material.(type) {
	case []byte:
		j.Kty, j.K = "oct", encode64(m)
		if k.alg.name == "HMAC" {
			j.Alg = "HS" + strings.TrimPrefix(k.alg.hash.name, "SHA-")
		} else {
			j.Alg = fmt.Sprintf("A%d%s", k.alg.length, strings.TrimPrefix(k.alg.name, "AES-"))
		}
	case *rsa.PublicKey:
		j.setRSA(k.alg, m)
	case *rsa.PrivateKey:
		j.setRSA(k.alg, &m.PublicKey)
		j.D = encode64(m.D.Bytes())
		if len(m.Primes) != 2 {
			return nil, operation("%s: a key of %d primes cannot be a JSON Web Key here", k.alg.name, len(m.Primes))
		}
		j.P, j.Q = encode64(m.Primes[0].Bytes()), encode64(m.Primes[1].Bytes())
		j.DP, j.DQ, j.QI = encode64(m.Precomputed.Dp.Bytes()), encode64(m.Precomputed.Dq.Bytes()), encode64(m.Precomputed.Qinv.Bytes())
	case *ecdsa.PublicKey:
		return j, j.setEC(k.alg, m)
	case *ecdsa.PrivateKey:
		d, err := m.Bytes()
		if err != nil {
			return nil, operation("%s: %v", k.alg.name, err)
		}
		j.D = encode64(d)
		return j, j.setEC(k.alg, &m.PublicKey)
	}
	return j, nil
}

func (j *jwk) setRSA(alg algorithm, m *rsa.PublicKey) {
	j.Kty, j.N, j.E = "RSA", encode64(m.N.Bytes()), encode64(exponentOf(m))
	bits := strings.TrimPrefix(alg.hash.name, "SHA-")
	switch {
	case alg.name == "RSASSA-PKCS1-v1_5":
		j.Alg = "RS" + bits
	case alg.name == "RSA-PSS":
		j.Alg = "PS" + bits
	case bits == "1":
		j.Alg = "RSA-OAEP"
	default:
		j.Alg = "RSA-OAEP-" + bits
	}
}

func (j *jwk) setEC(alg algorithm, m *ecdsa.PublicKey) error {
	point, err := m.Bytes()
	if err != nil {
		return operation("%s: %v", alg.name, err)
	}
	n := len(point) / 2
	j.Kty, j.Crv, j.X, j.Y = "EC", alg.curve, encode64(point[1:1+n]), encode64(point[1+n:])
	return nil
}
