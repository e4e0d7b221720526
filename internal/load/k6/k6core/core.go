package k6core

import (
	"errors"
	"math"
	"math/rand"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
	"throng/internal/load/meter"
	"throng/internal/metric"
)

// module is the state that 'k6' keeps for one virtual user.
type module struct {
	vu    *scope.VU
	plain *sobek.Object // the prototype of functions known to be ordinary ones

	checks []checkEntry
	groups map[groupKey]*groupEntry
}

type checkEntry struct {
	tags   *metric.TagSet
	name   string
	series *meter.Series
}

// maxCached bounds each cache of a virtual user: beyond it the cache starts afresh, so a script that makes up names
// without end costs time and not memory.
const maxCached = 64

// New makes the module for vu.
func New(vu *scope.VU) (js.Exports, error) {
	m := &module{vu: vu}
	return vu.Lazy(names(), m.function), nil
}

func names() []string { return []string{"check", "fail", "group", "randomSeed", "sleep"} }

func (m *module) function(name string) any {
	switch name {
	case "check":
		return m.checkFunction()
	case "fail":
		return m.fail
	case "group":
		return m.groupFunction()
	case "randomSeed":
		return m.randomSeed
	default:
		return m.sleep
	}
}

func (m *module) fail(call sobek.FunctionCall) sobek.Value {
	panic(m.vu.Runtime.NewGoError(errors.New(scope.Text(call.Argument(0)))))
}

// randomSeed makes Math.random repeat the sequence that k6 gives for this seed: that of math/rand.
func (m *module) randomSeed(call sobek.FunctionCall) sobek.Value {
	source := rand.New(rand.NewSource(call.Argument(0).ToInteger())) //nolint:gosec // repeatable is the point
	m.vu.Runtime.SetRandSource(source.Float64)
	return sobek.Undefined()
}

// sleep waits for so many seconds, or until the virtual user must stop. What is no number, or too large to be a
// duration, does not wait, as in k6.
func (m *module) sleep(call sobek.FunctionCall) sobek.Value {
	seconds := call.Argument(0).ToFloat()
	if !(seconds > 0) || seconds >= math.MaxInt64/float64(time.Second) {
		return sobek.Undefined()
	}
	d := time.Duration(seconds * float64(time.Second))
	if !m.vu.Sleep(d) {
		// The runtime is interrupted by the watcher of Context as well, but perhaps only after the script has run on
		// for a while: nothing that follows the sleep may happen.
		m.vu.Runtime.Interrupt(m.vu.Context.Err())
	}
	return sobek.Undefined()
}
