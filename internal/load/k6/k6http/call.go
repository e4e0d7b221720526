package k6http

import (
	"errors"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
)

func (c *client) bodyless(method string, f sobek.FunctionCall) sobek.Value {
	return c.send(method, f.Argument(0), nil, f.Argument(1))
}

func (c *client) bodied(method string, f sobek.FunctionCall) sobek.Value {
	return c.send(method, f.Argument(0), f.Argument(1), f.Argument(2))
}

func (c *client) request(f sobek.FunctionCall) sobek.Value {
	return c.send(methodText(f.Argument(0)), f.Argument(1), f.Argument(2), f.Argument(3))
}

func methodText(v sobek.Value) string {
	if nothing(v) {
		return ""
	}
	return v.String()
}

// send is a synchronous request. A failure is an error in the response, unless the script wants exceptions.
func (c *client) send(method string, target, body, params sobek.Value) sobek.Value {
	if c.vu.Phase == scope.Init {
		c.throw(errInitRequest)
	}
	r := &response{c: c}
	q, err := c.prepare(method, target, body, params)
	if err != nil {
		if c.shared.throw {
			c.throw(err)
		}
		c.warn("Request Failed", err)
		r.refuse(err)
		return c.vu.Runtime.NewDynamicObject(r)
	}
	k := c.carrier()
	k.slot = c.slotOf(q.target)
	if err := k.run(q, r); err != nil {
		c.settleFailure(q, err)
	}
	return c.vu.Runtime.NewDynamicObject(r)
}

// prepare is parse, which it need not repeat for a bare request that is like the last one to that URL: a call never
// changes, so responses may share it.
func (c *client) prepare(method string, target, body, params sobek.Value) (*call, error) {
	bare := nothing(body) && nothing(params) && target != nil && isString(target)
	if bare {
		s := c.slotFor(target.String())
		if q := s.call; q != nil && q.method == method && q.base == c.vu.Tags && q.callback == c.callback && q.jar == c.currentJar() {
			return q, nil
		}
	}
	q := &call{}
	if err := c.parse(q, method, target, body, params); err != nil {
		return nil, err
	}
	if s := c.slotOf(q.target); bare && s != nil && q.wire.Prepare() == nil {
		s.call = q
	}
	return q, nil
}

// settleFailure throws what the script wants thrown, and tells the log of the rest.
func (c *client) settleFailure(q *call, err error) {
	if q.throw || errors.Is(err, errSwitched) {
		c.throw(cause(err))
	}
	c.warn("Request Failed", err)
}

// cause is the long text of a failure, without our wrapping.
func cause(err error) error {
	var f *failure
	if errors.As(err, &f) {
		return f.long
	}
	return err
}

func (c *client) warn(message string, err error) {
	if ctx := c.vu.Context; ctx != nil && ctx.Err() != nil {
		return // the virtual user was stopped: that is no news
	}
	c.vu.Test.Log.Warn(message, "error", err.Error())
}

// refuse fills the response of a request that was never sent.
func (r *response) refuse(err error) {
	var f *failure
	r.error = err.Error()
	if errors.As(err, &f) {
		r.code, r.error = f.code, f.short
	}
}
