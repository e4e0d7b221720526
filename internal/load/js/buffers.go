package js

import (
	"regexp"

	"github.com/grafana/sobek"
)

// defaultMaxBuffer is what one ArrayBuffer may hold at most, in bytes, where CompileOptions.MaxBuffer is 0.
const defaultMaxBuffer = 1 << 32

// bounded are the constructors that reserve memory at once, and how many bytes one element takes. Unchecked, a size beyond
// the machine's memory ends the process without a word, and with it whatever was measured.
func bounded() map[string]float64 {
	return map[string]float64{
		"ArrayBuffer": 1, "Int8Array": 1, "Uint8Array": 1, "Uint8ClampedArray": 1, "Int16Array": 2, "Uint16Array": 2,
		"Int32Array": 4, "Uint32Array": 4, "Float32Array": 4, "Float64Array": 8, "BigInt64Array": 8, "BigUint64Array": 8,
	}
}

// bufferRepair is for programs that make such an object of another size than a small number that is written there.
func bufferRepair(name string, size float64) repair {
	return repair{
		needed: regexp.MustCompile(`\bnew\s+` + name + `\s*\(\s*([A-Za-z_$(]|[0-9_]{9}|[0-9.]+\s*([eE*x]))`),
		define: func(in *Instance) error { return in.bound(name, size) },
	}
}

// bound puts in the place of a constructor one that refuses sizes beyond the limit, with the error that other engines
// throw, and is like it in everything else.
func (in *Instance) bound(name string, size float64) error {
	rt, limit := in.rt, float64(in.program.opts.MaxBuffer)
	if limit == 0 {
		limit = defaultMaxBuffer
	}
	native := rt.Get(name).ToObject(rt)
	construct, ok := sobek.AssertConstructor(native)
	if !ok {
		return nil
	}
	var own *sobek.Object
	own = rt.ToValue(func(call sobek.ConstructorCall) *sobek.Object {
		if n := call.Argument(0); !isObject(n) && n.ToFloat()*size > limit {
			panic(rangeError(rt, "Array buffer allocation failed"))
		}
		target := call.NewTarget
		if target == nil || target == own { // nil: no class is derived from it; or called without new, which is let pass
			target = native
		}
		o, err := construct(target, call.Arguments...)
		if err != nil {
			throw(rt, err)
		}
		return o
	}).ToObject(rt)
	// Its statics are found behind it; what belongs to every constructor is copied.
	prototype := native.Get("prototype")
	if err := own.SetPrototype(native); err != nil {
		return err
	}
	if err := own.DefineDataProperty("prototype", prototype, sobek.FLAG_FALSE, sobek.FLAG_FALSE, sobek.FLAG_FALSE); err != nil {
		return err
	}
	for _, key := range []string{"name", "length"} {
		if err := own.DefineDataProperty(key, native.Get(key), sobek.FLAG_FALSE, sobek.FLAG_TRUE, sobek.FLAG_FALSE); err != nil {
			return err
		}
	}
	if err := prototype.ToObject(rt).DefineDataProperty("constructor", own, sobek.FLAG_TRUE, sobek.FLAG_TRUE, sobek.FLAG_FALSE); err != nil {
		return err
	}
	return rt.GlobalObject().DefineDataProperty(name, own, sobek.FLAG_TRUE, sobek.FLAG_TRUE, sobek.FLAG_FALSE)
}

func isObject(v sobek.Value) bool {
	_, ok := v.(*sobek.Object)
	return ok || sobek.IsBigInt(v)
}

func rangeError(rt *sobek.Runtime, text string) *sobek.Object {
	o, err := rt.New(rt.Get("RangeError"), rt.ToValue(text))
	if err != nil {
		throw(rt, err)
	}
	return o
}
