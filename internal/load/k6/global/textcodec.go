package global

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
)

// newTextEncoder makes the class TextEncoder (https://encoding.spec.whatwg.org).
func newTextEncoder(vu *scope.VU) sobek.Value {
	rt := vu.Runtime
	class := rt.ToValue(func(call sobek.ConstructorCall) *sobek.Object {
		fixed(rt, call.This, "encoding", "utf-8")
		return nil
	}).(*sobek.Object)
	proto := class.Get("prototype").(*sobek.Object)
	method(rt, proto, "encode", func(call sobek.FunctionCall) sobek.Value {
		text := ""
		if v := call.Argument(0); !sobek.IsUndefined(v) {
			text = v.String()
		}
		o, err := vu.Uint8Array([]byte(text))
		if err != nil {
			scope.Rethrow(err)
		}
		return o
	})
	method(rt, proto, "encodeInto", func(call sobek.FunctionCall) sobek.Value {
		into, ok := scope.Bytes(call.Argument(1))
		if !ok {
			panic(rt.NewTypeError("encodeInto: a Uint8Array is expected as the second argument"))
		}
		read, written := 0, 0
		for _, r := range call.Argument(0).String() {
			if written+utf8.RuneLen(r) > len(into) {
				break
			}
			written += utf8.EncodeRune(into[written:], r)
			read += utf16.RuneLen(r)
		}
		o := rt.NewObject()
		_ = o.Set("read", read)
		_ = o.Set("written", written)
		return o
	})
	return class
}

// newTextDecoder makes the class TextDecoder for UTF-8 and UTF-16.
func newTextDecoder(vu *scope.VU) sobek.Value {
	rt := vu.Runtime
	return rt.ToValue(func(call sobek.ConstructorCall) *sobek.Object {
		label := "utf-8"
		if v := call.Argument(0); !sobek.IsUndefined(v) {
			label = v.String()
		}
		d := &decoder{vu: vu, encoding: encodingOf(label)}
		if d.encoding == "" {
			panic(vu.Error("RangeError", "unsupported encoding: "+label))
		}
		if v := call.Argument(1); !sobek.IsUndefined(v) && !sobek.IsNull(v) {
			o := v.ToObject(rt)
			d.fatal, d.ignoreBOM = truthy(o.Get("fatal")), truthy(o.Get("ignoreBOM"))
		}
		fixed(rt, call.This, "encoding", d.encoding)
		fixed(rt, call.This, "fatal", d.fatal)
		fixed(rt, call.This, "ignoreBOM", d.ignoreBOM)
		method(rt, call.This, "decode", d.decode)
		return nil
	})
}

func fixed(rt *sobek.Runtime, o *sobek.Object, name string, v any) {
	// The object is new, so nothing stands in the way.
	_ = o.DefineDataProperty(name, rt.ToValue(v), sobek.FLAG_FALSE, sobek.FLAG_FALSE, sobek.FLAG_TRUE)
}

func method(rt *sobek.Runtime, o *sobek.Object, name string, f func(sobek.FunctionCall) sobek.Value) {
	_ = o.DefineDataProperty(name, rt.ToValue(f), sobek.FLAG_TRUE, sobek.FLAG_TRUE, sobek.FLAG_FALSE)
}

func truthy(v sobek.Value) bool { return v != nil && v.ToBoolean() }

// encodingOf returns the name of the encoding that label stands for, "" when it is not one of ours.
func encodingOf(label string) string {
	switch strings.ToLower(strings.Trim(label, "\t\n\f\r ")) {
	case "utf-8", "utf8", "unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "x-unicode20utf8":
		return "utf-8"
	case "utf-16le", "utf-16", "csunicode", "iso-10646-ucs-2", "ucs-2", "unicode", "unicodefeff":
		return "utf-16le"
	case "utf-16be", "unicodefffe":
		return "utf-16be"
	}
	return ""
}

// decoder is one TextDecoder, and between the parts of a stream what is left of the last.
type decoder struct {
	vu               *scope.VU
	encoding         string
	fatal, ignoreBOM bool

	rest  []byte
	begun bool // the place for a byte order mark has passed
}

func (d *decoder) decode(call sobek.FunctionCall) sobek.Value {
	rt := d.vu.Runtime
	var in []byte
	if v := call.Argument(0); !sobek.IsUndefined(v) {
		var ok bool
		if in, ok = scope.Bytes(v); !ok {
			panic(rt.NewTypeError("decode: an ArrayBuffer or a view of one is expected"))
		}
	}
	stream := false
	if v := call.Argument(1); !sobek.IsUndefined(v) && !sobek.IsNull(v) {
		stream = truthy(v.ToObject(rt).Get("stream"))
	}
	if len(d.rest) > 0 {
		in = append(d.rest, in...)
		d.rest = nil
	}
	var text []uint16
	var rest []byte
	var valid bool
	if d.encoding == "utf-8" {
		text, rest, valid = decodeUTF8(in, !stream)
	} else {
		text, rest, valid = decodeUTF16(in, d.encoding == "utf-16be", !stream)
	}
	if !valid && d.fatal {
		d.begun = false
		panic(rt.NewTypeError("decode: the bytes are not valid %s", d.encoding))
	}
	if len(text) > 0 && !d.begun {
		if text[0] == 0xFEFF && !d.ignoreBOM {
			text = text[1:]
		}
		d.begun = true
	}
	if stream {
		d.rest = append([]byte(nil), rest...)
	} else {
		d.begun = false
	}
	return sobek.StringFromUTF16(text)
}

// decodeUTF8 decodes b. What is no UTF-8 becomes U+FFFD, one for each longest start of a character, as browsers do.
// Unless end is set, an unfinished character at the end is returned as rest.
func decodeUTF8(b []byte, end bool) (text []uint16, rest []byte, valid bool) {
	text, valid = make([]uint16, 0, len(b)), true
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r != utf8.RuneError || n > 1 {
			text = utf16.AppendRune(text, r)
			b = b[n:]
			continue
		}
		n = startOf(b)
		if n == len(b) && !utf8.FullRune(b) && !end {
			return text, b, valid
		}
		text, valid = append(text, utf8.RuneError), false
		b = b[n:]
	}
	return text, nil, valid
}

// startOf returns how many bytes of b, at least one, begin a character and are not the whole of it.
func startOf(b []byte) int {
	n := 1
	for n < min(len(b), utf8.UTFMax) && !utf8.FullRune(b[:n]) {
		n++
	}
	if n > 1 && utf8.FullRune(b[:n]) {
		n-- // the last byte is what broke it
	}
	return n
}

// decodeUTF16 is decodeUTF8 for UTF-16; a surrogate without its other half becomes U+FFFD.
func decodeUTF16(b []byte, big, end bool) (text []uint16, rest []byte, valid bool) {
	order := binary.ByteOrder(binary.LittleEndian)
	if big {
		order = binary.BigEndian
	}
	text, valid = make([]uint16, 0, len(b)/2), true
	for len(b) >= 2 {
		u := order.Uint16(b)
		switch {
		case u < 0xD800 || u > 0xDFFF:
			text = append(text, u)
		case u < 0xDC00 && len(b) >= 4 && order.Uint16(b[2:])&0xFC00 == 0xDC00:
			text = append(text, u, order.Uint16(b[2:]))
			b = b[2:]
		case u < 0xDC00 && len(b) < 4 && !end:
			return text, b, valid
		default:
			text, valid = append(text, utf8.RuneError), false
		}
		b = b[2:]
	}
	if len(b) == 0 || !end {
		return text, b, valid
	}
	return append(text, utf8.RuneError), nil, false
}
