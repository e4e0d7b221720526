package k6http

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/sobek"
)

// urlValue is what http.url makes: a URL and the name under which its requests are counted.
type urlValue struct {
	record
	name, url string
}

// urlTag is the template tag http.url.
func (c *client) urlTag(f sobek.FunctionCall) sobek.Value {
	rt := c.vu.Runtime
	var parts []string
	if v := f.Argument(0); !nothing(v) {
		o, ok := v.(*sobek.Object)
		if !ok {
			panic(rt.NewTypeError("could not convert function call parameter 0: could not convert %s to []string", v.String()))
		}
		for i := range length(o) {
			parts = append(parts, o.Get(strconv.Itoa(i)).String())
		}
	}
	var name, text strings.Builder
	for i, p := range parts {
		name.WriteString(p)
		text.WriteString(p)
		if i+1 < len(parts) && i+1 < len(f.Arguments) {
			name.WriteString("${}")
			text.WriteString(f.Argument(i + 1).String())
		}
	}
	u := &urlValue{name: name.String(), url: text.String()}
	clean := u.url
	if u.url != "" {
		t := c.shared.target(u.url)
		if t.err != nil {
			c.throw(t.err)
		}
		clean = t.clean
	}
	u.fields = []property{{"name", rt.ToValue(u.name)}, {"url", rt.ToValue(u.url)}, {"clean_url", rt.ToValue(clean)}}
	return rt.NewDynamicObject(u)
}

// fileValue is what http.file makes: a part of a multipart body.
type fileValue struct {
	record
}

// file is http.file(data, name, type).
func (c *client) file(f sobek.FunctionCall) sobek.Value {
	rt := c.vu.Runtime
	data := f.Argument(0)
	if _, ok := fileData(data); !ok {
		c.throw(fmt.Errorf("invalid type %s, expected string or ArrayBuffer", goType(data)))
	}
	name, kind := f.Argument(1), f.Argument(2)
	if nothing(name) || name.String() == "" {
		name = rt.ToValue(strconv.FormatInt(time.Now().UnixNano(), 10))
	}
	if nothing(kind) || kind.String() == "" {
		kind = rt.ToValue("application/octet-stream")
	}
	v := &fileValue{}
	v.fields = []property{{"data", data}, {"filename", rt.ToValue(name.String())}, {"content_type", rt.ToValue(kind.String())}}
	return rt.NewDynamicObject(v)
}

func fileData(v sobek.Value) ([]byte, bool) {
	if nothing(v) {
		return nil, false
	}
	switch x := v.Export().(type) {
	case string:
		return []byte(x), true
	case sobek.ArrayBuffer:
		return x.Bytes(), true
	case []byte:
		return x, true // k6 refuses views of a buffer; nothing is gained by that
	}
	return nil, false
}

// goType names the Go type of an exported value, which is how k6 speaks of a script's values in its messages.
func goType(v sobek.Value) string {
	if nothing(v) {
		return "<nil>"
	}
	return fmt.Sprintf("%T", v.Export())
}

// statuses says which statuses are expected; the zero value expects none.
type statuses struct {
	exact  []int
	ranges [][2]int
}

func (s *statuses) expects(status int) bool {
	for _, r := range s.ranges {
		if status >= r[0] && status <= r[1] {
			return true
		}
	}
	for _, e := range s.exact {
		if status == e {
			return true
		}
	}
	return false
}

// statusesValue is what http.expectedStatuses makes.
type statusesValue struct {
	record
	statuses
}

func (c *client) expectedStatuses(f sobek.FunctionCall) sobek.Value {
	if len(f.Arguments) == 0 {
		c.throw(fmt.Errorf("no arguments"))
	}
	out := &statusesValue{}
	for i, arg := range f.Arguments {
		if n, ok := integer(arg); ok {
			out.exact = append(out.exact, n)
			continue
		}
		if nothing(arg) {
			panic(c.vu.Runtime.NewTypeError("Cannot convert undefined or null to object"))
		}
		o, _ := arg.(*sobek.Object)
		var low, high sobek.Value
		if o != nil {
			low, high = o.Get("min"), o.Get("max")
		}
		if low == nil || high == nil {
			c.throw(fmt.Errorf("argument number %d to expectedStatuses was neither an integer nor an object like {min:100, max:329}", i+1))
		}
		from, ok1 := integer(low)
		to, ok2 := integer(high)
		if !ok1 || !ok2 {
			c.throw(fmt.Errorf("both min and max need to be integers for argument number %d", i+1))
		}
		out.ranges = append(out.ranges, [2]int{from, to})
	}
	return c.vu.Runtime.NewDynamicObject(out)
}

func integer(v sobek.Value) (int, bool) {
	if nothing(v) {
		return 0, false
	}
	n, ok := v.Export().(int64)
	return int(n), ok
}

// callbackOf reads a response callback: nil switches the judgement of responses off.
func callbackOf(v sobek.Value) (*statuses, bool) {
	if nothing(v) {
		return nil, true
	}
	if o, ok := v.(*sobek.Object); ok {
		if s, ok := o.Export().(*statusesValue); ok {
			return &s.statuses, true
		}
	}
	return nil, false
}

func (c *client) setResponseCallback(f sobek.FunctionCall) sobek.Value {
	if len(f.Arguments) == 0 {
		return sobek.Undefined()
	}
	if v := f.Argument(0); !sobek.IsNull(v) {
		s, ok := callbackOf(v)
		if !ok || s == nil {
			c.throw(fmt.Errorf("unsupported argument, expected http.expectedStatuses"))
		}
		c.callback = s
		return sobek.Undefined()
	}
	c.callback = nil
	return sobek.Undefined()
}
