package k6http

import (
	"github.com/grafana/sobek"
)

// methods are the functions of responses. One function of each serves all responses of a runtime, told apart by this,
// for a function object costs as much as all else of a response. Scripts may also call one without its response, after
// `const { json } = res`: then it is the response it was read from. How that is known: reads are counted against calls,
// and as soon as a function was read that was not called, all later reads of other responses get functions of their own.
// See TestMethodsWorkWithoutTheirResponse.
type methods struct {
	made  [4]sobek.Value
	plain sobek.Value
	owner *response // the last one read from, or the one whose reads outnumber its calls
	loose int       // reads less calls
}

func methodOf(key string) (int, func(*response, sobek.FunctionCall) sobek.Value) {
	switch key {
	case "json":
		return 0, (*response).json
	case "html":
		return 1, (*response).html
	case "submitForm":
		return 2, (*response).submitForm
	default:
		return 3, (*response).clickLink
	}
}

// ownMethods are those of this virtual user.
func (c *client) ownMethods() *methods {
	if c.methods == nil {
		c.methods = &methods{}
	}
	return c.methods
}

func (c *client) method(r *response, key string) sobek.Value {
	m := c.ownMethods()
	i, f := methodOf(key)
	if m.owner != nil && m.owner != r && m.loose > 0 {
		v := c.vu.Runtime.ToValue(func(call sobek.FunctionCall) sobek.Value { return f(r, call) })
		r.made = append(r.made, property{key, v})
		return v
	}
	if m.owner != r {
		m.owner, m.loose = r, 0
	}
	m.loose++
	if m.made[i] == nil {
		m.made[i] = c.vu.Runtime.ToValue(func(call sobek.FunctionCall) sobek.Value {
			return f(m.receiver(c, call.This), call)
		})
	}
	return m.made[i]
}

// receiver is the response that a shared function was called on.
func (m *methods) receiver(c *client, this sobek.Value) *response {
	if o, ok := this.(*sobek.Object); ok {
		if r, ok := o.Export().(*response); ok {
			if r == m.owner {
				if m.loose--; m.loose == 0 {
					m.owner = nil // do not keep it alive
				}
			}
			return r
		}
	}
	if m.owner == nil {
		panic(c.vu.Runtime.NewTypeError("this is a method of a Response and was called without one"))
	}
	return m.owner
}

// plainMethod is the hidden toJSON of responses: their data without their methods. JSON.stringify would leave those out
// anyway, but whoever passes a response on as data (setup, for one) must not trip over functions.
func (c *client) plainMethod() sobek.Value {
	m := c.ownMethods()
	if m.plain == nil {
		m.plain = c.vu.Runtime.ToValue(func(call sobek.FunctionCall) sobek.Value {
			o, ok := call.This.(*sobek.Object)
			if !ok {
				return call.This
			}
			out := c.vu.Runtime.NewObject()
			for _, k := range o.Keys() {
				if k != "json" && k != "html" && k != "submitForm" && k != "clickLink" {
					_ = out.Set(k, o.Get(k))
				}
			}
			return out
		})
	}
	return m.plain
}
