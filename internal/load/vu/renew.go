package vu

import (
	"context"
	"errors"
	"fmt"

	"github.com/grafana/sobek"
)

// shaken reports whether err unwound the engine in a way that it does not always recover from: what was cut off within
// an async function or a generator stays on its stack, and it takes every later call for one from within. Nothing that
// waits for a promise would ever go on, so each iteration would end at its first await. See TestTheEngineIsFitAgainAfterACut.
func shaken(err error) bool {
	if err == nil {
		return false // before what follows is allocated
	}
	var cut *sobek.InterruptedError
	var deep *sobek.StackOverflowError
	return errors.As(err, &cut) || errors.As(err, &deep)
}

// fit reports whether rt still runs what promises have left to do.
func fit(rt *sobek.Runtime) bool {
	ran := false
	p, resolve, _ := rt.NewPromise()
	if resolve(nil) != nil {
		return false
	}
	o := rt.ToValue(p).ToObject(rt)
	then, ok := sobek.AssertFunction(o.Get("then"))
	if !ok {
		return false
	}
	_, err := then(o, rt.ToValue(func(sobek.FunctionCall) sobek.Value { ran = true; return sobek.Undefined() }))
	return err == nil && ran
}

// renew gives the virtual user a new runtime where the last iteration has left the old one unfit. Its numbers go on; what
// the script kept in the old runtime is lost, which is less than all that it would not do there.
func (v *VU) renew(ctx context.Context) error {
	if !v.shaken {
		return nil
	}
	v.shaken = false
	if fit(v.scope.Runtime) {
		return nil
	}
	fresh, err := v.factory.New(ctx, v.scope.ID, v.scope.IDInTest)
	if err != nil {
		return fmt.Errorf("make virtual user %d anew: %w", v.scope.ID, err)
	}
	v.Close()
	old, scenario := v.scope, v.scenario
	v.scope, v.instance, v.fn = fresh.scope, fresh.instance, nil
	v.setupRead, v.setupValue, v.args[0] = false, nil, nil
	v.scope.Iteration = old.Iteration
	if scenario != nil {
		v.enter(scenario)
		v.scope.IterationInScenario = old.IterationInScenario
	}
	return nil
}

// again renews a virtual user in the midst of an activation.
func (v *VU) again() error {
	ctx, s := v.ctx, v.scenario
	v.Deactivate()
	return v.Activate(ctx, s)
}
