package k6core

import (
	_ "embed" // for check.js
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

//go:embed check.js
var checkSource string

// checkFunction makes check().
func (m *module) checkFunction() sobek.Value {
	d := &desk{m: m}
	d.object = m.vu.Runtime.NewDynamicObject(d)
	return m.vu.Build("throng:check.js", checkSource, d.object)
}

// desk is what check.js sees of a virtual user. It is an object rather than some functions because those weigh half a
// kilobyte each. Nothing here allocates that the engine does not ask for: there is a check in nearly every iteration.
type desk struct {
	m      *module
	object *sobek.Object
	tags   *metric.TagSet // of the check that is about to begin
	sheets []sheet        // checks that have begun, the innermost last
	number int64          // the iteration in which they did
}

// sheet is one call of check().
type sheet struct {
	sets   *sobek.Object
	names  []string // that are left
	tags   *metric.TagSet
	at     time.Time
	name   string        // of the check that waits for its answer, where open
	series *meter.Series // nil: not known yet
	open   bool
}

// Set implements sobek.DynamicObject.
func (d *desk) Set(key string, v sobek.Value) bool {
	switch key {
	case "tags":
		d.begin(v)
	case "sets":
		d.lay(v)
	case "answer":
		d.count(v.ToBoolean())
	}
	return true
}

// Get implements sobek.DynamicObject.
func (d *desk) Get(key string) sobek.Value {
	switch key {
	case "next":
		return d.next()
	case "end":
		return d.object
	case "done":
		d.done()
	}
	return sobek.Undefined()
}

// Has implements sobek.DynamicObject.
func (d *desk) Has(string) bool { return true }

// Delete implements sobek.DynamicObject.
func (d *desk) Delete(string) bool { return false }

// Keys implements sobek.DynamicObject.
func (d *desk) Keys() []string { return nil }

// begin reads the tags of a call.
func (d *desk) begin(tags sobek.Value) {
	vu := d.m.vu
	if vu.Phase == scope.Init {
		vu.Throw(errCheckInInit)
	}
	var err error
	if d.tags, err = vu.WithTags(vu.Tags, tags); err != nil {
		vu.Throw(err)
	}
}

// lay puts the checks of a call on the desk.
func (d *desk) lay(sets sobek.Value) {
	if sobek.IsUndefined(sets) {
		d.m.vu.Throw(errNoChecks)
	}
	o := sets.ToObject(d.m.vu.Runtime)
	d.put(o, o.Keys()) // which goes deep
}

func (d *desk) put(sets *sobek.Object, names []string) {
	s := d.fresh()
	s.sets, s.names, s.tags, s.at = sets, names, d.tags, time.Now()
}

// fresh puts an empty sheet on top.
//
//go:noinline
func (d *desk) fresh() *sheet {
	if n := d.m.vu.Iteration; d.number != n {
		d.number = n
		clear(d.sheets) // of an iteration that was cut off
		d.sheets = d.sheets[:0]
	}
	d.sheets = append(d.sheets, sheet{})
	return &d.sheets[len(d.sheets)-1]
}

// next is what the next check holds: the answer, or the function to ask.
func (d *desk) next() sobek.Value {
	vu, s := d.m.vu, &d.sheets[len(d.sheets)-1]
	if len(s.names) == 0 {
		return d.object
	}
	s.name, s.names = s.names[0], s.names[1:]
	if s.series = d.m.knownCheck(s.tags, s.name); s.series == nil && strings.Contains(s.name, "::") {
		vu.Throw(errSeparator)
	}
	val := s.sets.Get(s.name)
	if o, ok := val.(*sobek.Object); ok && d.m.isAsync(o) {
		if _, ok := sobek.AssertFunction(o); ok {
			vu.Throw(errAsyncInCheck)
		}
	}
	s.open = true
	return val
}

// count folds the answer of the check that waits for one.
func (d *desk) count(passed bool) {
	vu, s := d.m.vu, &d.sheets[len(d.sheets)-1]
	s.open = false
	if s.series == nil {
		s.series = d.m.checkSeries(s.tags, s.name)
	}
	n := 0.0
	if passed {
		n = 1
	}
	vu.Test.Meter.Add(vu.Shard, s.series, n, s.at, vu.Metadata)
}

// done ends a call. A check that still waits for its answer has thrown, which counts as failed.
func (d *desk) done() {
	if s := &d.sheets[len(d.sheets)-1]; s.open {
		d.count(false)
	}
	d.sheets[len(d.sheets)-1] = sheet{}
	d.sheets = d.sheets[:len(d.sheets)-1]
}

// checkSeries finds or makes what counts the check called name, and keeps it.
func (m *module) checkSeries(tags *metric.TagSet, name string) *meter.Series {
	s := m.vu.Test.Meter.KnownCheck(tags, name)
	if s == nil {
		m.vu.Apart(func() { s = m.newSeries(tags, name) })
	}
	if len(m.checks) >= maxCached {
		m.checks = nil
	}
	m.checks = append(m.checks, checkEntry{tags, name, s})
	return s
}

func (m *module) newSeries(tags *metric.TagSet, name string) *meter.Series {
	vu, named := m.vu, tags
	if vu.Test.SystemTags.Check {
		named = tags.With("check", name)
	}
	s := vu.Test.Meter.CheckSeries(named, name)
	vu.Test.Meter.KeepCheck(tags, name, s)
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
