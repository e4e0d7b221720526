package k6crypto

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // scripts ask for it
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // scripts ask for it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"

	"github.com/grafana/sobek"
	"golang.org/x/crypto/md4"       //nolint:gosec,staticcheck // scripts ask for it
	"golang.org/x/crypto/ripemd160" //nolint:gosec,staticcheck // scripts ask for it

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
)

// maker returns what makes a hash of that name, or nil.
func maker(name string) func() hash.Hash {
	switch name {
	case "md4":
		return md4.New
	case "md5":
		return md5.New
	case "ripemd160":
		return ripemd160.New
	case "sha1":
		return sha1.New
	case "sha256":
		return sha256.New
	case "sha384":
		return sha512.New384
	case "sha512":
		return sha512.New
	case "sha512_224":
		return sha512.New512_224
	case "sha512_256":
		return sha512.New512_256
	}
	return nil
}

// New makes the module for vu.
func New(vu *scope.VU) (js.Exports, error) {
	m := module{vu}
	return vu.Lazy(names(), m.function), nil
}

// names lists the exports: those without a function of their own are algorithms.
func names() []string {
	return []string{
		"createHMAC", "createHash", "hexEncode", "hmac", "md4", "md5", "randomBytes", "ripemd160",
		"sha1", "sha256", "sha384", "sha512", "sha512_224", "sha512_256",
	}
}

func (m module) function(name string) any {
	switch name {
	case "createHash":
		return m.createHash
	case "createHMAC":
		return m.createHMAC
	case "hexEncode":
		return m.hexEncode
	case "hmac":
		return m.hmac
	case "randomBytes":
		return m.randomBytes
	default:
		return m.hasher(name)
	}
}

type module struct{ vu *scope.VU }

// hasher returns the function that is called like its algorithm.
func (m module) hasher(name string) func(sobek.FunctionCall) sobek.Value {
	return func(call sobek.FunctionCall) sobek.Value {
		data, err := scope.Data(call.Argument(0))
		if err != nil {
			m.vu.Throw(fmt.Errorf("%s failed: %w", name, err))
		}
		h := maker(name)()
		h.Write(data)
		return m.digest(h, call.Argument(1))
	}
}

func (m module) createHash(call sobek.FunctionCall) sobek.Value {
	return m.object(m.maker(call.Argument(0))())
}

func (m module) createHMAC(call sobek.FunctionCall) sobek.Value {
	return m.object(hmac.New(m.maker(call.Argument(0)), m.data(call.Argument(1))))
}

func (m module) hmac(call sobek.FunctionCall) sobek.Value {
	h := hmac.New(m.maker(call.Argument(0)), m.data(call.Argument(1)))
	h.Write(m.data(call.Argument(2)))
	return m.digest(h, call.Argument(3))
}

func (m module) hexEncode(call sobek.FunctionCall) sobek.Value {
	return m.vu.Runtime.ToValue(hex.EncodeToString(m.data(call.Argument(0))))
}

func (m module) randomBytes(call sobek.FunctionCall) sobek.Value {
	n := call.Argument(0).ToInteger()
	if n < 1 || n > 1<<30 {
		m.vu.Throw(errors.New("invalid size"))
	}
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, says its documentation
	return m.vu.Runtime.ToValue(m.vu.Runtime.NewArrayBuffer(b))
}

// object makes what createHash and createHMAC return.
func (m module) object(h hash.Hash) sobek.Value {
	o := m.vu.Runtime.NewObject()
	// A new object refuses nothing.
	_ = o.Set("update", func(call sobek.FunctionCall) sobek.Value {
		h.Write(m.data(call.Argument(0)))
		return sobek.Undefined()
	})
	_ = o.Set("digest", func(call sobek.FunctionCall) sobek.Value { return m.digest(h, call.Argument(0)) })
	return o
}

func (m module) maker(name sobek.Value) func() hash.Hash {
	f := maker(scope.Text(name))
	if f == nil {
		m.vu.Throw(fmt.Errorf("invalid algorithm: %s", scope.Text(name)))
	}
	return f
}

func (m module) data(v sobek.Value) []byte {
	b, err := scope.Data(v)
	if err != nil {
		m.vu.Throw(err)
	}
	return b
}

func (m module) digest(h hash.Hash, encoding sobek.Value) sobek.Value {
	sum, rt := h.Sum(nil), m.vu.Runtime
	switch name := scope.Text(encoding); name {
	case "hex":
		return rt.ToValue(hex.EncodeToString(sum))
	case "base64":
		return rt.ToValue(base64.StdEncoding.EncodeToString(sum))
	case "base64url":
		return rt.ToValue(base64.URLEncoding.EncodeToString(sum))
	case "base64rawurl":
		return rt.ToValue(base64.RawURLEncoding.EncodeToString(sum))
	case "binary":
		return rt.ToValue(rt.NewArrayBuffer(sum))
	default:
		m.vu.Throw(fmt.Errorf("invalid output encoding: %s", name))
		return nil
	}
}
