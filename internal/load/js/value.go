package js

import (
	"errors"

	"github.com/grafana/sobek"
)

// ParseJSON is JSON.parse in rt.
func ParseJSON(rt *sobek.Runtime, data []byte) (_ sobek.Value, err error) {
	defer guard(&err)
	parse, ok := sobek.AssertFunction(rt.GlobalObject().Get("JSON").ToObject(rt).Get("parse"))
	if !ok {
		return nil, errors.New("JSON.parse is not a function any more")
	}
	return parse(sobek.Undefined(), rt.ToValue(string(data)))
}

// Stringify is JSON.stringify in rt; nil for what it makes undefined of, such as a function. Keys keep their order.
//
// replacer, where given, is JSON.stringify's second argument.
func Stringify(rt *sobek.Runtime, v sobek.Value, replacer ...func(sobek.FunctionCall) sobek.Value) (_ []byte, err error) {
	defer guard(&err)
	if v == nil || sobek.IsUndefined(v) {
		return nil, nil
	}
	stringify, ok := sobek.AssertFunction(rt.GlobalObject().Get("JSON").ToObject(rt).Get("stringify"))
	if !ok {
		return nil, errors.New("JSON.stringify is not a function any more")
	}
	args := []sobek.Value{v}
	for _, r := range replacer {
		args = append(args, rt.ToValue(r))
	}
	out, err := stringify(sobek.Undefined(), args...)
	if err != nil || sobek.IsUndefined(out) {
		return nil, err
	}
	return []byte(out.String()), nil
}

// OptionsJSON returns the exported value called options as JSON, nil when there is none.
func (in *Instance) OptionsJSON() ([]byte, error) { return Stringify(in.rt, in.Export("options")) }
