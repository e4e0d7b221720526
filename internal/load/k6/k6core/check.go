package k6core

import (
	"errors"
	"strings"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
	"throng/internal/load/meter"
	"throng/internal/metric"
)

var (
	errCheckInInit  = errors.New("Using check() in the init context is not supported") // scripts see this text
	errNoChecks     = errors.New("no checks provided to `check`")
	errSeparator    = errors.New("group and check names may not contain '::'")
	errAsyncInCheck = errors.New("the built-in check() does not support async functions as arguments: it would count the promise, not its result; await the value first, or use check() of the JavaScript utils library (https://grafana.com/docs/k6/latest/javascript-api/jslib/utils/check/)")
)

// check is called once or more in nearly every iteration: nothing here allocates that the engine does not ask for.
func (m *module) check(call sobek.FunctionCall) sobek.Value {
	vu := m.vu
	if vu.Phase == scope.Init {
		vu.Throw(errCheckInInit)
	}
	if len(call.Arguments) < 2 {
		vu.Throw(errNoChecks)
	}
	tags := vu.Tags
	if len(call.Arguments) > 2 {
		var err error
		if tags, err = vu.WithTags(tags, call.Arguments[2]); err != nil {
			vu.Throw(err)
		}
	}
	sets := call.Arguments[1].ToObject(vu.Runtime)
	all := true
	now := time.Now()
	for _, name := range sets.Keys() {
		series := m.knownCheck(tags, name)
		if series == nil && strings.Contains(name, "::") {
			vu.Throw(errSeparator)
		}
		val := sets.Get(name)
		var thrown error
		if o, ok := val.(*sobek.Object); ok {
			if fn, ok := sobek.AssertFunction(o); ok {
				if m.isAsync(o) {
					vu.Throw(errAsyncInCheck)
				}
				val, thrown = fn(sobek.Undefined(), call.Arguments[0])
			}
		}
		passed, n := thrown == nil && val.ToBoolean(), 0.0
		if passed {
			n = 1
		}
		all = all && passed
		if series == nil {
			series = m.checkSeries(tags, name)
		}
		vu.Test.Meter.Add(vu.Shard, series, n, now, vu.Metadata)
		if thrown != nil {
			scope.Rethrow(thrown)
		}
	}
	return vu.Runtime.ToValue(all)
}

// checkSeries makes and keeps what counts the check called name.
func (m *module) checkSeries(tags *metric.TagSet, name string) *meter.Series {
	vu := m.vu
	named := tags
	if vu.Test.SystemTags.Check {
		named = tags.With("check", name)
	}
	s := vu.Test.Meter.CheckSeries(named, name)
	if len(m.checks) >= maxCached {
		m.checks = nil
	}
	m.checks = append(m.checks, checkEntry{tags, name, s})
	return s
}

// knownCheck finds what checkSeries has kept, or nil. Scripts have a handful of checks: looking through a list is quicker
// than hashing a name, and a tenth of a map's weight.
func (m *module) knownCheck(tags *metric.TagSet, name string) *meter.Series {
	for i := range m.checks {
		if e := &m.checks[i]; e.tags == tags && e.name == name {
			return e.series
		}
	}
	return nil
}

// isAsync is scope.IsAsync, quick for the functions that all have the same prototype.
func (m *module) isAsync(fn *sobek.Object) bool {
	proto := fn.Prototype()
	if proto == m.plain && proto != nil {
		return false
	}
	if scope.IsAsync(fn) {
		return true
	}
	m.plain = proto
	return false
}
