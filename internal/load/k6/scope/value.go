package scope

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/grafana/sobek"

	"throng/internal/metric"
)

// Throw ends the calling native function with a JavaScript exception that carries err.
func (vu *VU) Throw(err error) { panic(vu.Runtime.NewGoError(err)) }

// Rethrow ends the calling native function with what a callback ended with: its exception, or the interruption of the
// runtime, which nothing in the script can catch.
func Rethrow(err error) {
	var ex *sobek.Exception
	if errors.As(err, &ex) {
		panic(ex)
	}
	panic(err)
}

// Scalar returns v as text if v is a string, a boolean or a number: the only values that tags and metadata may have.
func Scalar(v sobek.Value) (string, bool) {
	if v == nil || sobek.IsUndefined(v) || sobek.IsNull(v) {
		return "", false
	}
	switch v.ExportType().Kind() {
	case reflect.String, reflect.Bool, reflect.Int64, reflect.Float64:
		return v.String(), true
	}
	return "", false
}

// TagError says that name has a value that no tag can have.
func TagError(name string) error {
	return fmt.Errorf("invalid value for metric tag '%s': only String, Boolean and Number types are accepted as a metric tag values", name)
}

// WithTags returns base and the own enumerable properties of v as tags. undefined and null add nothing.
func (vu *VU) WithTags(base *metric.TagSet, v sobek.Value) (*metric.TagSet, error) {
	if v == nil || sobek.IsUndefined(v) || sobek.IsNull(v) {
		return base, nil
	}
	o := v.ToObject(vu.Runtime)
	for _, k := range o.Keys() {
		s, ok := Scalar(o.Get(k))
		if !ok {
			return base, TagError(k)
		}
		base = base.With(k, s)
	}
	return base, nil
}

// IsAsync reports whether fn is an async function, which those that call a function and use its result at once refuse.
func IsAsync(fn *sobek.Object) bool {
	tag := fn.GetSymbol(sobek.SymToStringTag)
	return tag != nil && tag.String() == "AsyncFunction"
}

// Bytes returns the bytes behind an ArrayBuffer, a typed array or a DataView, not copied; false for anything else.
func Bytes(v sobek.Value) ([]byte, bool) {
	o, ok := v.(*sobek.Object)
	if !ok {
		return nil, false
	}
	switch b := o.Export().(type) {
	case sobek.ArrayBuffer:
		return b.Bytes(), true
	case []byte:
		return b, true
	case []int8, []int16, []uint16, []int32, []uint32, []float32, []float64, []int64, []uint64:
	default:
		if tag := o.GetSymbol(sobek.SymToStringTag); tag == nil || tag.String() != "DataView" {
			return nil, false
		}
	}
	return viewed(o)
}

// viewed returns the part of its buffer that a view shows.
func viewed(o *sobek.Object) ([]byte, bool) {
	buffer := o.Get("buffer")
	if buffer == nil {
		return nil, false
	}
	b, ok := buffer.Export().(sobek.ArrayBuffer)
	if !ok {
		return nil, false
	}
	from, n := o.Get("byteOffset").ToInteger(), o.Get("byteLength").ToInteger()
	whole := b.Bytes()
	if from < 0 || n < 0 || from+n > int64(len(whole)) {
		return nil, false
	}
	return whole[from : from+n], true
}

// Uint8Array makes a Uint8Array of b, which belongs to it from then on.
func (vu *VU) Uint8Array(b []byte) (*sobek.Object, error) {
	rt := vu.Runtime
	return rt.New(rt.Get("Uint8Array"), rt.ToValue(rt.NewArrayBuffer(b)))
}

// Error makes an error of the built-in class called name, such as RangeError.
func (vu *VU) Error(name, message string) *sobek.Object {
	o, err := vu.Runtime.New(vu.Runtime.Get(name), vu.Runtime.ToValue(message))
	if err != nil {
		return vu.Runtime.NewTypeError("%s", message)
	}
	return o
}

// Data returns what hashes and encodings work on: the UTF-8 of a string, or what Bytes returns.
func Data(v sobek.Value) ([]byte, error) {
	if v != nil && sobek.IsString(v) {
		return []byte(v.String()), nil
	}
	if b, ok := Bytes(v); ok {
		return b, nil
	}
	var kind reflect.Type
	if v != nil {
		kind = v.ExportType()
	}
	return nil, fmt.Errorf("invalid type %v, expected string, []byte or ArrayBuffer", kind)
}

// Text returns v as text, and "" for what a script has left out: undefined and null.
func Text(v sobek.Value) string {
	if v == nil || sobek.IsUndefined(v) || sobek.IsNull(v) {
		return ""
	}
	return v.String()
}

// Freeze freezes v, which JSON.parse has made, through and through.
func (vu *VU) Freeze(v sobek.Value) error {
	o, ok := v.(*sobek.Object)
	if !ok {
		return nil
	}
	if vu.freeze == nil {
		f, ok := sobek.AssertFunction(vu.Runtime.Get("Object").ToObject(vu.Runtime).Get("freeze"))
		if !ok {
			return errors.New("Object.freeze is no function any more")
		}
		vu.freeze = f
	}
	for _, k := range o.Keys() {
		if err := vu.Freeze(o.Get(k)); err != nil {
			return err
		}
	}
	_, err := vu.freeze(sobek.Undefined(), o)
	return err
}
