package webcrypto

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"strings"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
)

// target is a key that is about to be made.
type target struct {
	p           params
	alg         algorithm
	extractable bool
	usages      []string
}

func (t target) key(kind string, material any) *key {
	return &key{kind: kind, extractable: t.extractable, alg: t.alg, usages: t.usages, material: material}
}

// target reads the three arguments that say what key is wanted.
func (a *API) target(alg, extractable, usages sobek.Value) (t target, err error) {
	if t.p, err = a.algorithm(alg, "importKey"); err != nil {
		return t, err
	}
	if t.alg, err = t.p.forKey(); err != nil {
		return t, err
	}
	t.extractable = extractable.ToBoolean()
	t.usages, err = a.usages(usages)
	return t, err
}

func (a *API) importKey(call sobek.FunctionCall) (any, error) {
	format := call.Argument(0).String()
	t, err := a.target(call.Argument(2), call.Argument(3), call.Argument(4))
	if err != nil {
		return nil, err
	}
	if format != "jwk" {
		data, err := bytesOf(call.Argument(1), "keyData")
		if err != nil {
			return nil, err
		}
		return t.take(format, data, nil)
	}
	o, ok := call.Argument(1).(*sobek.Object)
	if !ok {
		return nil, wrongType("keyData must be a JSON Web Key: an object")
	}
	text, err := js.Stringify(a.vu.Runtime, o)
	if err != nil {
		return nil, err
	}
	j, err := parseJWK(text)
	if err != nil {
		return nil, err
	}
	return t.take(format, nil, j)
}

// take makes the key of data in the format, or of j where that is jwk. data is copied.
//
// k6 gives keys that have two halves whatever usages the script asks for, and scripts ask for sign where they mean
// verify. So do we: an operation that the half cannot do is refused when it is tried.
func (t target) take(format string, data []byte, j *jwk) (*key, error) {
	var k *key
	var err error
	switch format {
	case "raw", "jwk", "pkcs8", "spki":
	default:
		return nil, notSupported("there is no key format %q; use raw, pkcs8, spki or jwk", format)
	}
	switch {
	case strings.HasPrefix(t.alg.name, "RSA"):
		k, err = t.takeRSA(format, data, j)
	case t.alg.curve != "":
		k, err = t.takeEC(format, data, j)
	default:
		k, err = t.takeSecret(format, data, j)
	}
	if err != nil {
		return nil, err
	}
	if k.kind != "public" {
		return k, some(t.usages)
	}
	return k, nil
}

func (t target) takeSecret(format string, data []byte, j *jwk) (*key, error) {
	if err := allowed(t.alg.name, t.usages); err != nil {
		return nil, err
	}
	derives := t.alg.name == "PBKDF2" || t.alg.name == "HKDF"
	if format != "raw" && (format != "jwk" || derives) {
		return nil, notSupported("a key for %s cannot be in the format %s", t.alg.name, format)
	}
	if derives && t.extractable {
		return nil, syntax("a key for %s cannot be extractable", t.alg.name)
	}
	if format == "jwk" {
		var err error
		if data, err = j.secret(); err != nil {
			return nil, err
		}
	} else {
		data = bytes.Clone(data)
	}
	bits := 8 * len(data)
	switch {
	case derives:
	case t.alg.name == "HMAC":
		if bits == 0 || t.alg.length >= 0 && (t.alg.length > bits || t.alg.length <= bits-8) {
			return nil, badData("HMAC: %d bytes are no key of that length", len(data))
		}
		if t.alg.length < 0 {
			t.alg.length = bits
		}
	default:
		if !aesLength(bits) {
			return nil, badData("%s: a key has 16, 24 or 32 bytes, not %d", t.alg.name, len(data))
		}
		t.alg.length = bits
	}
	return t.key("secret", data), nil
}

func (t target) takeRSA(format string, data []byte, j *jwk) (*key, error) {
	var m any
	var err error
	switch format {
	case "pkcs8":
		m, err = x509.ParsePKCS8PrivateKey(data)
	case "spki":
		m, err = x509.ParsePKIXPublicKey(data)
	case "jwk":
		m, err = j.rsa()
	default:
		return nil, notSupported("a key for %s cannot be in the format %s", t.alg.name, format)
	}
	if err != nil {
		return nil, badData("%s: %v", t.alg.name, err)
	}
	switch m := m.(type) {
	case *rsa.PrivateKey:
		t.alg.length = m.N.BitLen()
		return t.key("private", m), nil
	case *rsa.PublicKey:
		t.alg.length = m.N.BitLen()
		return t.key("public", m), nil
	}
	return nil, badData("%s: the key is no RSA key", t.alg.name)
}

func (t target) takeEC(format string, data []byte, j *jwk) (*key, error) {
	curve := curveOf(t.alg.curve)
	var m any
	var err error
	switch format {
	case "raw":
		m, err = ecdsa.ParseUncompressedPublicKey(curve, data)
	case "pkcs8":
		m, err = x509.ParsePKCS8PrivateKey(data)
	case "spki":
		m, err = x509.ParsePKIXPublicKey(data)
	case "jwk":
		m, err = j.ec()
	}
	if err != nil {
		return nil, badData("%s: %v", t.alg.name, err)
	}
	switch m := m.(type) {
	case *ecdsa.PrivateKey:
		if m.Curve == curve {
			return t.key("private", m), nil
		}
	case *ecdsa.PublicKey:
		if m.Curve == curve {
			return t.key("public", m), nil
		}
	}
	return nil, badData("%s: the key is not one of the curve %s", t.alg.name, t.alg.curve)
}

func (a *API) exportKey(call sobek.FunctionCall) (any, error) {
	k, err := a.key(call.Argument(1))
	if err != nil {
		return nil, err
	}
	return k.export(call.Argument(0).String())
}

// export returns []byte, or a *jwk in that format.
func (k *key) export(format string) (any, error) {
	if !k.extractable {
		return nil, invalidAccess("the key is not extractable")
	}
	if format == "jwk" {
		return k.jwk()
	}
	_, short := k.material.([]byte)
	public := k.kind == "public"
	var out []byte
	var err error
	switch {
	case format == "raw" && short:
		secret, _ := k.material.([]byte)
		return bytes.Clone(secret), nil
	case format == "raw" && k.alg.curve != "":
		pub, ok := k.material.(*ecdsa.PublicKey)
		if !ok {
			return nil, invalidAccess("raw is a format of public keys, and this one is private")
		}
		out, err = pub.Bytes()
	case format == "spki" && !short:
		if !public {
			return nil, invalidAccess("spki is a format of public keys, and this one is private")
		}
		out, err = x509.MarshalPKIXPublicKey(k.material)
	case format == "pkcs8" && !short:
		if public {
			return nil, invalidAccess("pkcs8 is a format of private keys, and this one is public")
		}
		out, err = x509.MarshalPKCS8PrivateKey(k.material)
	default:
		return nil, notSupported("a key for %s cannot be in the format %q", k.alg.name, format)
	}
	if err != nil {
		return nil, operation("%s: %v", k.alg.name, err)
	}
	return out, nil
}
