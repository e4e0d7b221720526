package webcrypto

import (
	"bytes"
	"encoding/json"

	"github.com/grafana/sobek"
)

// wrapKey is exportKey and encrypt in one. k6 does not have it.
func (a *API) wrapKey(call sobek.FunctionCall) (any, error) {
	format := call.Argument(0).String()
	k, err := a.key(call.Argument(1))
	if err != nil {
		return nil, err
	}
	p, with, err := a.keyFor(sobek.FunctionCall{Arguments: []sobek.Value{call.Argument(3), call.Argument(2)}}, "wrapKey")
	if err != nil {
		return nil, err
	}
	r, err := k.export(format)
	if err != nil {
		return nil, err
	}
	raw, ok := r.([]byte)
	if !ok {
		if raw, err = json.Marshal(r); err != nil {
			return nil, operation("wrapKey: %v", err)
		}
		if p.name == "AES-KW" { // which wants a multiple of 8, and JSON may end in spaces
			raw = append(raw, bytes.Repeat([]byte{' '}, (8-len(raw)%8)%8)...)
		}
	}
	return crypt(p, with, raw, false)
}

// unwrapKey is decrypt and importKey in one. k6 does not have it.
func (a *API) unwrapKey(call sobek.FunctionCall) (any, error) {
	format := call.Argument(0).String()
	wrapped, err := bytesOf(call.Argument(1), "wrappedKey")
	if err != nil {
		return nil, err
	}
	p, with, err := a.keyFor(sobek.FunctionCall{Arguments: []sobek.Value{call.Argument(3), call.Argument(2)}}, "unwrapKey")
	if err != nil {
		return nil, err
	}
	t, err := a.target(call.Argument(4), call.Argument(5), call.Argument(6))
	if err != nil {
		return nil, err
	}
	r, err := crypt(p, with, wrapped, true)
	if err != nil {
		return nil, err
	}
	raw, _ := r.([]byte)
	if format != "jwk" {
		return t.take(format, raw, nil)
	}
	j, err := parseJWK(raw)
	if err != nil {
		return nil, err
	}
	return t.take(format, nil, j)
}
