package global

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/grafana/sobek"
)

// writeTop writes an argument of a console function as k6 does: text as it is, everything else spelled out.
func writeTop(b *strings.Builder, rt *sobek.Runtime, v sobek.Value) {
	switch o := v.(type) {
	case nil:
		b.WriteString("undefined")
	case *sobek.Object:
		(&printer{b: b, rt: rt}).object(o)
	default:
		b.WriteString(v.String())
	}
}

// printer spells out one argument. within are the objects around the present one, to notice cycles.
type printer struct {
	b      *strings.Builder
	rt     *sobek.Runtime
	within []*sobek.Object
}

// value writes what is inside an object or array, where text is quoted (and not escaped) and undefined is null.
func (p *printer) value(v sobek.Value) {
	switch x := v.(type) {
	case nil:
		p.b.WriteString("null")
		return
	case *sobek.Object:
		p.object(x)
		return
	case *sobek.Symbol:
		p.quote(x.String())
		return
	}
	switch {
	case sobek.IsUndefined(v):
		p.b.WriteString("null")
	case sobek.IsString(v):
		p.quote(v.String())
	default:
		p.b.WriteString(v.String())
	}
}

func (p *printer) quote(s string) {
	p.b.WriteByte('"')
	p.b.WriteString(s)
	p.b.WriteByte('"')
}

func (p *printer) object(o *sobek.Object) {
	if slices.Contains(p.within, o) {
		p.b.WriteString("[Circular]")
		return
	}
	if _, ok := sobek.AssertFunction(o); ok {
		p.b.WriteString("[object Function]")
		return
	}
	switch o.ClassName() {
	case "Error":
		p.b.WriteString(o.String())
		return
	case "Date":
		p.date(o)
		return
	}
	if o.ExportType() == reflect.TypeFor[sobek.ArrayBuffer]() {
		if buf, ok := o.Export().(sobek.ArrayBuffer); ok {
			fmt.Fprintf(p.b, "ArrayBuffer { [Uint8Contents]: <% x>, byteLength: %d }", buf.Bytes(), len(buf.Bytes()))
			return
		}
	}
	if name := typedName(o); name != "" {
		p.typed(name, o)
		return
	}
	p.within = append(p.within, o)
	if o.ClassName() == "Array" {
		p.array(o)
	} else {
		p.properties(o)
	}
	p.within = p.within[:len(p.within)-1]
}

// date writes what JSON makes of a date; an invalid one has nothing to show.
func (p *printer) date(o *sobek.Object) {
	text, err := o.MarshalJSON()
	if err != nil || string(text) == "null" {
		text = []byte("{}")
	}
	p.b.Write(text)
}

// typedName returns the name of o's class if it is a typed array, else "". Clamped bytes are bytes.
func typedName(o *sobek.Object) string {
	t := o.ExportType()
	if t == nil || t.Kind() != reflect.Slice || o.ClassName() == "Array" {
		return ""
	}
	switch t.Elem().Kind() {
	case reflect.Uint8:
		return "Uint8Array"
	case reflect.Int8:
		return "Int8Array"
	case reflect.Uint16:
		return "Uint16Array"
	case reflect.Int16:
		return "Int16Array"
	case reflect.Uint32:
		return "Uint32Array"
	case reflect.Int32:
		return "Int32Array"
	case reflect.Float32:
		return "Float32Array"
	case reflect.Float64:
		return "Float64Array"
	case reflect.Int64:
		return "BigInt64Array"
	case reflect.Uint64:
		return "BigUint64Array"
	}
	return ""
}

func (p *printer) typed(name string, o *sobek.Object) {
	items := reflect.ValueOf(o.Export())
	fmt.Fprintf(p.b, "%s(%d) ", name, items.Len())
	p.list(items.Len(), func(i int) { p.b.WriteString(p.rt.ToValue(items.Index(i).Interface()).String()) })
}

func (p *printer) array(o *sobek.Object) {
	p.list(int(o.Get("length").ToInteger()), func(i int) { p.value(o.Get(fmt.Sprint(i))) })
}

func (p *printer) list(n int, item func(int)) {
	if n == 0 {
		p.b.WriteString("[]")
		return
	}
	p.b.WriteString("[ ")
	for i := range n {
		if i > 0 {
			p.b.WriteString(", ")
		}
		item(i)
	}
	p.b.WriteString(" ]")
}

func (p *printer) properties(o *sobek.Object) {
	keys := o.Keys()
	if len(keys) == 0 {
		p.b.WriteString("{}")
		return
	}
	p.b.WriteString("{ ")
	for i, k := range keys {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.b.WriteString(k)
		p.b.WriteString(": ")
		p.value(o.Get(k))
	}
	p.b.WriteString(" }")
}
