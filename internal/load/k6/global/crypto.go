package global

import (
	"crypto/rand"
	"fmt"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
)

// newCrypto makes the part of the global crypto that needs no keys.
func newCrypto(vu *scope.VU) *sobek.Object {
	o := vu.Runtime.NewObject()
	// A new object refuses nothing.
	_ = o.Set("getRandomValues", func(call sobek.FunctionCall) sobek.Value {
		into, ok := call.Argument(0).(*sobek.Object)
		name := ""
		if ok {
			name = typedName(into)
		}
		if name == "" || name == "Float32Array" || name == "Float64Array" {
			panic(vu.Runtime.NewTypeError("getRandomValues: an array of integers is expected"))
		}
		b, _ := scope.Bytes(into)
		if len(b) > 65536 {
			panic(vu.Error("RangeError", fmt.Sprintf("getRandomValues: %d bytes are more than the 65536 that one call gives", len(b))))
		}
		_, _ = rand.Read(b) // never fails, says its documentation
		return into
	})
	_ = o.Set("randomUUID", func(sobek.FunctionCall) sobek.Value {
		var b [16]byte
		_, _ = rand.Read(b[:])
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // RFC 9562: version 4, variant 10
		return vu.Runtime.ToValue(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
	})
	return o
}
