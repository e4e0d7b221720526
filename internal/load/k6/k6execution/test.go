package k6execution

import (
	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
)

// test returns exec.test.abort, .fail or .options; the functions and the options are made once for each runtime.
func (m *module) test(name string) sobek.Value {
	rt := m.vu.Runtime
	switch name {
	case "abort":
		if m.abort == nil {
			m.abort = rt.ToValue(m.abortTest)
		}
		return m.abort
	case "fail":
		if m.fail == nil {
			m.fail = rt.ToValue(m.failTest)
		}
		return m.fail
	default:
		if m.vu.Phase == scope.Init || m.vu.Test.OptionsJSON == nil {
			m.vu.Throw(errOptions)
		}
		if m.options == nil {
			m.options = m.readOptions()
		}
		return m.options
	}
}

// abortTest ends the whole test. The interruption takes hold at the next instruction, so nothing of the script runs any
// more, not even a catch.
func (m *module) abortTest(call sobek.FunctionCall) sobek.Value {
	message := "test aborted"
	if reason := scope.Text(call.Argument(0)); reason != "" {
		message += ": " + reason
	}
	if place := js.Where(m.vu.Runtime); place != "" {
		message += " at " + place
	}
	if m.vu.Test.Abort != nil {
		m.vu.Test.Abort(message)
	}
	m.vu.Runtime.Interrupt(scope.ErrAborted)
	return sobek.Undefined()
}

// failTest lets the test go on and marks it as failed.
func (m *module) failTest(call sobek.FunctionCall) sobek.Value {
	if m.vu.Phase == scope.Init {
		m.vu.Throw(errFail)
	}
	if m.vu.Test.Fail != nil {
		m.vu.Test.Fail(scope.Text(call.Argument(0)))
	}
	return sobek.Undefined()
}

func (m *module) readOptions() sobek.Value {
	v, err := js.ParseJSON(m.vu.Runtime, m.vu.Test.OptionsJSON())
	if err != nil {
		scope.Rethrow(err)
	}
	if err := m.vu.Freeze(v); err != nil {
		scope.Rethrow(err)
	}
	return v
}
