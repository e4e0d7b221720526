package js

import (
	"errors"
	"fmt"
	"math"
	"math/big"

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

// PlainNumber makes a number of a BigInt, which JSON.stringify refuses and k6 takes; any other value stays.
func PlainNumber(rt *sobek.Runtime, v sobek.Value) sobek.Value {
	n, ok := v.Export().(*big.Int)
	if !ok {
		return v
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	return rt.ToValue(f)
}

// CompleteOptions sets on the exported options what text, a JSON object, holds. An object that refuses stays as it is.
func (in *Instance) CompleteOptions(text []byte) error {
	o, ok := in.Export("options").(*sobek.Object)
	if !ok {
		return nil
	}
	v, err := ParseJSON(in.rt, text)
	if err != nil {
		return err
	}
	from := v.ToObject(in.rt)
	for _, key := range from.Keys() {
		if o.Set(key, from.Get(key)) != nil {
			return nil //nolint:nilerr // as said above
		}
	}
	return nil
}

// OptionsJSON returns the exported value called options as JSON, nil when there is none. What JSON would leave out in
// silence, a function or NaN, is an error: whoever wrote it meant something.
func (in *Instance) OptionsJSON() ([]byte, error) {
	var refused error
	text, err := Stringify(in.rt, in.Export("options"), func(call sobek.FunctionCall) sobek.Value {
		v, name := call.Argument(1), call.Argument(0).String()
		if name == "" {
			name = "options"
		}
		if _, ok := sobek.AssertFunction(v); ok {
			refused = fmt.Errorf("%s is a function, give a value", name)
			return sobek.Undefined()
		}
		if n, ok := v.Export().(float64); ok && (math.IsNaN(n) || math.IsInf(n, 0)) {
			refused = fmt.Errorf("%s is %s, which is no number to work with", name, v)
		}
		return PlainNumber(in.rt, v)
	})
	return text, errors.Join(err, refused)
}
