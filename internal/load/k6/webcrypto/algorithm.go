package webcrypto

import (
	"slices"
	"strings"

	"github.com/grafana/sobek"
)

// algorithm is what a key was made for.
type algorithm struct {
	name   string
	hash   digester // HMAC, RSA
	length int      // bits: of a secret; of an RSA key's modulus
	curve  string   // ECDSA, ECDH
}

// knownUsages lists all that a key can be used for.
func knownUsages() []string {
	return []string{"encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"}
}

// abilities says what each algorithm can do, and what keys for it can be used for. Keys of an algorithm without
// "generateKey" are only imported. It is the table of section 18.2.2 of the standard, less what k6 does not have.
func abilities(name string) (operations, usages []string) {
	keys := []string{"generateKey", "importKey", "exportKey"}
	switch name {
	case "RSASSA-PKCS1-v1_5", "RSA-PSS", "ECDSA", "HMAC":
		return append(keys, "sign", "verify"), []string{"sign", "verify"}
	case "RSA-OAEP", "AES-CBC", "AES-CTR", "AES-GCM":
		return append(keys, "encrypt", "decrypt", "wrapKey", "unwrapKey"), []string{"encrypt", "decrypt", "wrapKey", "unwrapKey"}
	case "AES-KW":
		return append(keys, "wrapKey", "unwrapKey"), []string{"wrapKey", "unwrapKey"}
	case "ECDH":
		return append(keys, "deriveBits", "deriveKey"), []string{"deriveBits", "deriveKey"}
	case "PBKDF2", "HKDF":
		return []string{"importKey", "deriveBits", "deriveKey"}, []string{"deriveBits", "deriveKey"}
	}
	return nil, nil
}

// canonical returns name as the standard spells it.
func canonical(name string) string {
	upper := strings.ToUpper(name)
	if upper == "RSASSA-PKCS1-V1_5" {
		return "RSASSA-PKCS1-v1_5"
	}
	return upper
}

// params is what a script passes as an algorithm: a name, or an object with a name and more.
type params struct {
	a    *API
	name string
	o    *sobek.Object // nil for a mere name
}

func (a *API) params(v sobek.Value) (params, error) {
	if sobek.IsString(v) {
		return params{a, v.String(), nil}, nil
	}
	o, ok := v.(*sobek.Object)
	if !ok {
		return params{}, wrongType("an algorithm must be a name or an object with a name, not %s", v)
	}
	p := params{a: a, o: o}
	if name := p.get("name"); name != nil {
		p.name = name.String()
		return p, nil
	}
	// An error of this name, and not a TypeError, is what k6 answers.
	return params{}, notSupported("an algorithm must have a name")
}

// algorithm is params for an algorithm that can do op. Its name comes back as the standard spells it.
func (a *API) algorithm(v sobek.Value, op string) (params, error) {
	p, err := a.params(v)
	if err != nil {
		return p, err
	}
	p.name = canonical(p.name)
	if can, _ := abilities(p.name); !slices.Contains(can, op) {
		return p, notSupported("%s: the algorithm %q cannot do that here", op, p.name)
	}
	return p, nil
}

// get returns a member, nil if it is absent.
func (p params) get(member string) sobek.Value {
	if p.o == nil {
		return nil
	}
	if v := p.o.Get(member); v != nil && !sobek.IsUndefined(v) {
		return v
	}
	return nil
}

// bytes returns the member, which must be there.
func (p params) bytes(member string) ([]byte, error) {
	return bytesOf(p.get(member), p.name+": "+member)
}

// optional is bytes of a member that may be left out.
func (p params) optional(member string) ([]byte, error) {
	if p.get(member) == nil {
		return nil, nil
	}
	return p.bytes(member)
}

// number returns the member, -1 if it is absent, as a whole number below 1<<31.
func (p params) number(member string) (int, error) {
	v := p.get(member)
	if v == nil {
		return -1, nil
	}
	return whole(v, p.name+": "+member)
}

func whole(v sobek.Value, what string) (int, error) {
	f := v.ToFloat()
	if !(f >= 0 && f < 1<<31) {
		return 0, wrongType("%s must be a whole number from 0 to 2147483647, not %s", what, v)
	}
	return int(f), nil
}

// hash returns the member hash. That a SyntaxError says that it is missing is k6's way.
func (p params) hash() (digester, error) {
	v := p.get("hash")
	if v == nil {
		return digester{}, syntax("%s: the algorithm must have a hash", p.name)
	}
	h, err := p.a.params(v)
	if err != nil {
		return digester{}, err
	}
	return hashOf(h.name, p.name)
}

// curve returns the member namedCurve.
func (p params) curve() (string, error) {
	v := p.get("namedCurve")
	if v == nil {
		return "", wrongType("%s: the algorithm must have a namedCurve", p.name)
	}
	name := v.String()
	if curveOf(name) == nil {
		return "", notSupported("%s: there is no curve %q; use P-256, P-384 or P-521", p.name, name)
	}
	return name, nil
}

// forKey reads what a key of the algorithm will carry. Lengths are -1 where they are absent.
func (p params) forKey() (algorithm, error) {
	alg := algorithm{name: p.name, length: -1}
	var err error
	switch {
	case p.name == "HMAC":
		if alg.hash, err = p.hash(); err != nil {
			return alg, err
		}
		alg.length, err = p.number("length")
	case strings.HasPrefix(p.name, "RSA"):
		alg.hash, err = p.hash()
	case strings.HasPrefix(p.name, "EC"):
		alg.curve, err = p.curve()
	}
	return alg, err
}
