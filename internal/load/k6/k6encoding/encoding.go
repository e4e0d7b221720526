package k6encoding

import (
	"encoding/base64"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
)

// New makes the module for vu.
func New(vu *scope.VU) (js.Exports, error) {
	m := module{vu}
	return vu.Lazy([]string{"b64decode", "b64encode"}, func(name string) any {
		if name == "b64encode" {
			return m.encode
		}
		return m.decode
	}), nil
}

type module struct{ vu *scope.VU }

func (m module) encode(call sobek.FunctionCall) sobek.Value {
	data, err := scope.Data(call.Argument(0))
	if err != nil {
		m.vu.Throw(err)
	}
	return m.vu.Runtime.ToValue(alphabet(call.Argument(1)).EncodeToString(data))
}

// decode returns an ArrayBuffer, or text if the third argument is "s".
func (m module) decode(call sobek.FunctionCall) sobek.Value {
	data, err := alphabet(call.Argument(1)).DecodeString(scope.Text(call.Argument(0)))
	if err != nil {
		m.vu.Throw(err)
	}
	if scope.Text(call.Argument(2)) == "s" {
		return m.vu.Runtime.ToValue(string(data))
	}
	return m.vu.Runtime.ToValue(m.vu.Runtime.NewArrayBuffer(data))
}

// alphabet returns the encoding called v; the standard one for any other name, as in k6.
func alphabet(v sobek.Value) *base64.Encoding {
	switch scope.Text(v) {
	case "rawstd":
		return base64.RawStdEncoding
	case "url":
		return base64.URLEncoding
	case "rawurl":
		return base64.RawURLEncoding
	}
	return base64.StdEncoding
}
