package vu

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
	"throng/internal/load/meter"
)

// Lifecycle calls setup, teardown or handleSummary in phase, within ctx, and returns what it returned.
func (v *VU) Lifecycle(ctx context.Context, phase scope.Phase, name, group string, args ...sobek.Value) (sobek.Value, error) {
	fn, ok := sobek.AssertFunction(v.instance.Export(name))
	if !ok {
		return nil, fmt.Errorf("exported identifier %s must be a function", name)
	}
	sc := v.scope
	sc.Phase, sc.Context, v.ctx, sc.Iteration = phase, ctx, ctx, 0
	sc.Group = group
	if group != "" {
		if sc.Test.SystemTags.Group {
			sc.Tags = sc.Tags.With("group", group)
		}
	}
	for _, f := range sc.OnActivate {
		f()
	}
	for _, f := range sc.OnIterationStart {
		f()
	}
	v.watchOver(ctx)
	defer v.Deactivate()
	val, err := sc.Loop.CallForResult(fn, args...)
	if group != "" {
		e := meter.IterationEnd{At: time.Now()}
		if sc.Traffic != nil {
			e.Sent, e.Received = sc.Traffic()
		}
		sc.Test.Meter.AddIteration(sc.Shard, sc.Test.Meter.IterationSeries(sc.Tags), &e, nil)
	}
	return val, err
}

// ParseJSON makes a value of this virtual user's runtime.
func (v *VU) ParseJSON(data []byte) (sobek.Value, error) { return js.ParseJSON(v.scope.Runtime, data) }

// SetupResult is what setup() returned, as the JSON that travels to the virtual users: nil for undefined. As in k6, an
// undefined property becomes null and a function is an error.
func (v *VU) SetupResult(val sobek.Value) ([]byte, error) {
	var refused error
	data, err := js.Stringify(v.scope.Runtime, val, func(call sobek.FunctionCall) sobek.Value {
		at := call.Argument(1)
		if sobek.IsUndefined(at) {
			return sobek.Null()
		}
		// A response's own functions are no data; one that the script wrote is a mistake worth telling.
		if _, ok := sobek.AssertFunction(at); ok && !strings.Contains(at.String(), "[native code]") {
			refused = fmt.Errorf("setup() returned a function (%q), which cannot be given to the virtual users", call.Argument(0).String())
		}
		return js.PlainNumber(v.scope.Runtime, at)
	})
	return data, errors.Join(err, refused)
}

// Files reads what handleSummary returned: names of files (or stdout, stderr) and what to write there, strings or bytes.
// nil means that it returned nothing, and leaves the report to others.
func (v *VU) Files(val sobek.Value) (map[string][]byte, error) {
	if val == nil || !val.ToBoolean() {
		return nil, nil
	}
	o, ok := val.(*sobek.Object)
	if !ok || o.ExportType() != reflect.TypeFor[map[string]any]() {
		return nil, errors.New("handleSummary() should return a map with string keys: the names of files, or stdout, and what to write there")
	}
	into := map[string][]byte{}
	for _, name := range o.Keys() {
		switch c := o.Get(name).Export().(type) {
		case string:
			into[name] = []byte(c)
		case sobek.ArrayBuffer:
			into[name] = c.Bytes()
		case []byte:
			into[name] = c
		default:
			return nil, fmt.Errorf("error handling summary object %s: invalid type %T, it needs to be a string or ArrayBuffer", name, c)
		}
	}
	return into, nil
}
