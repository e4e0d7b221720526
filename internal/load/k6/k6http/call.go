package k6http

import (
	"errors"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
	"throng/internal/metric"
)

// requester is the function that sends requests of one method.
func (c *client) requester(method string, body bool) func(sobek.FunctionCall) sobek.Value {
	if body {
		return func(f sobek.FunctionCall) sobek.Value {
			return c.send(method, f.Argument(0), f.Argument(1), f.Argument(2))
		}
	}
	return func(f sobek.FunctionCall) sobek.Value { return c.send(method, f.Argument(0), nil, f.Argument(1)) }
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
	if c.prepare(r, method, target, body, params) {
		k := c.ownCarrier(r.call)
		if err := k.run(r.call, r); err != nil {
			c.settleFailure(r.call, err)
		}
	}
	return c.vu.Runtime.NewDynamicObject(r)
}

// prepare makes r's call, or makes r the response of one that makes no sense.
func (c *client) prepare(r *response, method string, target, body, params sobek.Value) bool {
	if bare(target, body, params) {
		if r.call = c.knownCall(c.slotFor(target.String()), method); r.call != nil {
			return true
		}
	}
	return c.prepareNew(r, method, target, body, params)
}

func (c *client) prepareNew(r *response, method string, target, body, params sobek.Value) bool {
	var err error
	if r.call, err = c.newCall(method, target, body, params); err != nil {
		if c.shared.throw {
			c.throw(err)
		}
		c.warn("Request Failed", err)
		r.refuse(err)
		return false
	}
	return true
}

// bare says that a request is a URL and nothing else.
func bare(target, body, params sobek.Value) bool {
	return nothing(body) && nothing(params) && target != nil && isString(target)
}

// knownCall is the call of a bare request that is like an earlier one, or nil: a call never changes, so responses and
// virtual users may share it.
func (c *client) knownCall(s *slot, method string) *call {
	if q := s.call; q != nil && q.same(method, c.vu.Tags, c.callback) {
		return q
	}
	if q := s.target.known(method, c.vu.Tags, c.callback); q != nil {
		s.call = q
		return q
	}
	return nil
}

// callOf is knownCall, or else a new one.
func (c *client) callOf(method string, target, body, params sobek.Value) (*call, error) {
	if bare(target, body, params) {
		if q := c.knownCall(c.slotFor(target.String()), method); q != nil {
			return q, nil
		}
	}
	return c.newCall(method, target, body, params)
}

func (c *client) newCall(method string, target, body, params sobek.Value) (*call, error) {
	q := &call{}
	if err := c.parse(q, method, target, body, params); err != nil {
		return nil, err
	}
	if s := c.slotOf(q.target); s != nil && bare(target, body, params) && q.wire.Prepare() == nil {
		s.call = q
		if c.callback == c.shared.defaultCallback { // others belong to one virtual user
			s.target.keep(q)
		}
	}
	return q, nil
}

// same reports whether q is a call of method under these tags, judged by callback.
func (q *call) same(method string, tags *metric.TagSet, callback *statuses) bool {
	return q.method == method && q.base == tags && q.callback == callback
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
	r.call, r.error = nil, err.Error()
	if errors.As(err, &f) {
		r.code, r.error = int32(f.code), f.short
	}
}
