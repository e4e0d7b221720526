package k6metrics

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
	"throng/internal/load/meter"
	"throng/internal/metric"
)

var (
	errLate      = errors.New("metrics must be declared in the init context")
	errAddInInit = errors.New("Adding to metrics in the init context is not supported") // scripts see this text
)

// New makes the module for vu.
func New(vu *scope.VU) (js.Exports, error) {
	return vu.Lazy([]string{"Counter", "Gauge", "Rate", "Trend"}, func(name string) any {
		switch name {
		case "Counter":
			return construct(vu, metric.Counter)
		case "Gauge":
			return construct(vu, metric.Gauge)
		case "Rate":
			return construct(vu, metric.Rate)
		default:
			return construct(vu, metric.Trend)
		}
	}), nil
}

func construct(vu *scope.VU, kind metric.Kind) func(sobek.ConstructorCall) *sobek.Object {
	return func(call sobek.ConstructorCall) *sobek.Object {
		if vu.Phase != scope.Init {
			vu.Throw(errLate)
		}
		name, contains := scope.Text(call.Argument(0)), metric.Default
		if call.Argument(1).ToBoolean() {
			contains = metric.Time
		}
		m, err := vu.Test.Registry.Define(name, kind, contains)
		if err != nil {
			vu.Throw(err)
		}
		h := &handle{vu: vu, metric: m}
		o := vu.Runtime.NewObject()
		// Neither step can go wrong on an object that is new.
		_ = o.SetPrototype(call.This.Prototype())
		_ = o.DefineDataProperty("name", vu.Runtime.ToValue(name), sobek.FLAG_FALSE, sobek.FLAG_FALSE, sobek.FLAG_TRUE)
		_ = o.Set("add", h.add)
		return o
	}
}

// handle is one metric in the hands of one virtual user, and the series it last added to without tags of its own.
type handle struct {
	vu     *scope.VU
	metric *metric.Metric
	tags   *metric.TagSet
	series *meter.Series
}

func (h *handle) add(call sobek.FunctionCall) sobek.Value {
	vu := h.vu
	if vu.Phase == scope.Init {
		vu.Throw(errAddInInit)
	}
	value, ok := h.value(call)
	if !ok {
		return vu.Runtime.ToValue(false)
	}
	s := h.series
	if len(call.Arguments) > 1 {
		tags, err := vu.WithTags(vu.Tags, call.Arguments[1])
		if err != nil {
			vu.Throw(fmt.Errorf("cannot add tags for the '%s' custom metric: %w", h.metric.Name, err))
		}
		s = vu.Test.Meter.Series(h.metric, tags)
	} else if s == nil || h.tags != vu.Tags {
		s = vu.Test.Meter.Series(h.metric, vu.Tags)
		h.series, h.tags = s, vu.Tags
	}
	vu.Test.Meter.Add(vu.Shard, s, value, time.Now(), vu.Metadata)
	return vu.Runtime.ToValue(true)
}

// value returns the number to add. One that is none is refused with a warning, or with an exception if the script asked
// for failed requests to throw: options.throw.
func (h *handle) value(call sobek.FunctionCall) (float64, bool) {
	if len(call.Arguments) == 0 {
		h.refuse(fmt.Errorf("no value was provided for metric '%s', a number or a boolean value is expected", h.metric.Name))
		return 0, false
	}
	v := call.Arguments[0]
	if sobek.IsNull(v) {
		h.refuseValue(v)
		return 0, false
	}
	f := v.ToFloat()
	if sobek.IsBigInt(v) {
		panic(h.vu.Runtime.NewTypeError("Cannot convert a BigInt value to a number"))
	}
	if math.IsNaN(f) {
		h.refuseValue(v)
		return 0, false
	}
	return f, true
}

func (h *handle) refuseValue(v sobek.Value) {
	h.refuse(fmt.Errorf("'%s' is an invalid value for metric '%s', a number or a boolean value is expected", v, h.metric.Name))
}

func (h *handle) refuse(err error) {
	if t := h.vu.Test; t.Options != nil && t.Options.Throw.Or(false) {
		h.vu.Throw(err)
	}
	h.vu.Test.Log.Warn(err.Error())
}
