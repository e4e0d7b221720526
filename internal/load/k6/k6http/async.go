package k6http

import (
	"errors"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
)

// asyncRequest is http.asyncRequest(): a promise of what request() would return, or throw.
func (c *client) asyncRequest(f sobek.FunctionCall) sobek.Value {
	if c.vu.Phase == scope.Init {
		c.throw(errInitRequest)
	}
	rt := c.vu.Runtime
	p, resolve, reject := rt.NewPromise()
	q, r := &call{}, &response{c: c}
	if err := c.parse(q, methodText(f.Argument(0)), f.Argument(1), f.Argument(2), f.Argument(3)); err != nil {
		if c.shared.throw {
			_ = reject(rt.NewGoError(err))
			return rt.ToValue(p)
		}
		c.warn("Request Failed", err)
		r.refuse(err)
		_ = resolve(rt.NewDynamicObject(r))
		return rt.ToValue(p)
	}
	k := c.carrier()
	done := c.vu.Loop.RegisterCallback()
	go func() {
		err := k.run(q, r)
		done(func() error {
			if err != nil && (q.throw || errors.Is(err, errSwitched)) {
				return reject(rt.NewGoError(cause(err)))
			}
			if err != nil {
				c.warn("Request Failed", err)
			}
			return resolve(rt.NewDynamicObject(r))
		})
	}()
	return rt.ToValue(p)
}
