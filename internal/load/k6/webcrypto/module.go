package webcrypto

import (
	"crypto/rand"
	"fmt"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
)

// API is the Web Cryptography API of one virtual user.
type API struct {
	vu     *scope.VU
	crypto *sobek.Object
	class  *sobek.Object // CryptoKey; nil until it or a key is made
}

// Of returns the API of vu, making it when it is first asked for.
func Of(vu *scope.VU) *API {
	if a, ok := vu.WebCrypto.(*API); ok {
		return a
	}
	a := &API{vu: vu}
	vu.WebCrypto = a
	return a
}

// Crypto is the global object of that name.
func (a *API) Crypto() *sobek.Object {
	if a.crypto == nil {
		a.crypto, _ = a.vu.Lazy([]string{"getRandomValues", "randomUUID", "subtle", "CryptoKey"}, a.property).Default.(*sobek.Object)
	}
	return a.crypto
}

func (a *API) property(name string) any {
	switch name {
	case "CryptoKey":
		return a.CryptoKey()
	case "getRandomValues":
		return a.getRandomValues
	case "randomUUID":
		return a.randomUUID
	default:
		return a.vu.Lazy(operations(), a.operation).Default
	}
}

func (a *API) getRandomValues(call sobek.FunctionCall) sobek.Value {
	into, ok := call.Argument(0).(*sobek.Object)
	if !ok || !holdsIntegers(into) {
		panic(errorValue(a.vu, fail("TypeMismatchError", "getRandomValues: an array of integers such as Uint8Array is expected")))
	}
	b, ok := scope.Bytes(into)
	if !ok {
		panic(errorValue(a.vu, fail("TypeMismatchError", "getRandomValues: the array has lost its bytes")))
	}
	if len(b) > 65536 {
		panic(errorValue(a.vu, fail("QuotaExceededError", "getRandomValues: %d bytes are more than the 65536 that one call gives", len(b))))
	}
	_, _ = rand.Read(b) // never fails, says its documentation
	return into
}

// holdsIntegers reports whether o is a typed array other than those of floating point numbers.
func holdsIntegers(o *sobek.Object) bool {
	tag := o.GetSymbol(sobek.SymToStringTag)
	if tag == nil {
		return false
	}
	switch tag.String() {
	case "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array",
		"BigInt64Array", "BigUint64Array":
		return true
	}
	return false
}

func (a *API) randomUUID(sobek.FunctionCall) sobek.Value {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // RFC 9562: version 4, variant 10
	return a.vu.Runtime.ToValue(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
