package thronggrid

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
	"throng/internal/plan"
	"throng/internal/run"
)

const (
	// again is how long the module waits before it repeats a request of which nobody knows whether it was carried out.
	again = 250 * time.Millisecond
	// patience is for how long it does so: a grid has a new leader within seconds.
	patience = 30 * time.Second
	// farewell is how long one that is cut off may take to give up what it holds.
	farewell = 500 * time.Millisecond
)

// New makes the module for vu.
func New(vu *scope.VU) (js.Exports, error) {
	m := &module{vu: vu}
	return vu.Lazy([]string{"barrier", "counter", "once", "queue"}, func(name string) any {
		switch name {
		case "barrier":
			return m.barrier
		case "counter":
			return m.counter
		case "once":
			return m.once
		default:
			return m.queue
		}
	}), nil
}

type module struct {
	vu     *scope.VU
	caller uint64
	calls  uint64
	making map[string]bool // what once is at work on here
}

// once runs a function that no other virtual user runs under this name, or waits for the one that does, and returns its result.
func (m *module) once(call sobek.FunctionCall) sobek.Value {
	key := m.name(call, "once")
	fn, ok := sobek.AssertFunction(call.Argument(1))
	switch {
	case !ok:
		m.fail("once() wants a function as its second argument")
	case scope.IsAsync(call.Argument(1).(*sobek.Object)):
		m.fail("once() does not support async functions: what follows an await would count as done")
	case m.making[key]:
		m.fail("once(%q) is called by the function that it runs: it would wait for itself", key)
	}
	answer, ok := m.ask(run.Ask{Op: run.Claim, Key: key})
	if !ok {
		m.leave(run.Release, key)
		return sobek.Undefined()
	}
	if answer.Mine {
		answer.Value = m.make(key, fn)
	}
	return m.parse(answer.Value)
}

// make runs fn and tells everybody its result; if there is none, whoever asks next runs his.
func (m *module) make(key string, fn sobek.Callable) json.RawMessage {
	if m.making == nil {
		m.making = map[string]bool{}
	}
	m.making[key] = true
	made := false
	defer func() {
		delete(m.making, key)
		if !made {
			m.leave(run.Release, key)
		}
	}()
	v, err := fn(sobek.Undefined())
	if err != nil {
		scope.Rethrow(err)
	}
	value := m.encode("once()", v)
	_, made = m.ask(run.Ask{Op: run.Settle, Key: key, Values: []json.RawMessage{value}})
	return value
}

// barrier waits until as many virtual users wait under a name as it is for.
func (m *module) barrier(call sobek.FunctionCall) sobek.Value {
	key, n := m.name(call, "barrier"), int64(0)
	if v := call.Argument(1); !sobek.IsUndefined(v) {
		n = m.integer("barrier()", v)
	} else if n = fixedVUs(m.vu.Scenario); n == 0 {
		m.fail("barrier(name, n) wants n, for how many it is: only scenarios with a fixed number of VUs tell")
	}
	if _, ok := m.ask(run.Ask{Op: run.Arrive, Key: key, N: n}); !ok {
		m.leave(run.Leave, key)
	}
	return sobek.Undefined()
}

// fixedVUs is how many virtual users a scenario has in the whole test, or 0 where that changes.
func fixedVUs(s *scope.Scenario) int64 {
	if s == nil {
		return 0
	}
	switch s.Executor {
	case plan.ConstantVUs, plan.SharedIterations, plan.PerVUIterations:
		return s.VUs
	}
	return 0
}

// counter is a number that all virtual users add to.
func (m *module) counter(call sobek.FunctionCall) sobek.Value {
	key := m.name(call, "counter")
	add := func(n int64) sobek.Value {
		answer, _ := m.ask(run.Ask{Op: run.Add, Key: key, N: n})
		return m.vu.Runtime.ToValue(answer.N)
	}
	return m.object(map[string]func(sobek.FunctionCall) sobek.Value{
		"add": func(call sobek.FunctionCall) sobek.Value {
			if v := call.Argument(0); !sobek.IsUndefined(v) {
				return add(m.integer("add()", v))
			}
			return add(1)
		},
		"value": func(sobek.FunctionCall) sobek.Value { return add(0) },
	})
}

// queue is a line of values of which each goes to one virtual user.
func (m *module) queue(call sobek.FunctionCall) sobek.Value {
	key := m.name(call, "queue")
	return m.object(map[string]func(sobek.FunctionCall) sobek.Value{
		"push": func(call sobek.FunctionCall) sobek.Value {
			q := run.Ask{Op: run.Push, Key: key}
			for _, v := range call.Arguments {
				q.Values = append(q.Values, m.encode("push()", v))
			}
			answer, _ := m.ask(q)
			return m.vu.Runtime.ToValue(answer.N)
		},
		"pop": func(sobek.FunctionCall) sobek.Value {
			if answer, _ := m.ask(run.Ask{Op: run.Pop, Key: key}); answer.Value != nil {
				return m.parse(answer.Value)
			}
			return sobek.Null()
		},
	})
}

// ask gets the answer to q. False when the virtual user was cut off before: then nothing of the script runs any more.
func (m *module) ask(q run.Ask) (run.Answer, bool) {
	vu := m.vu
	if vu.Phase == scope.Init || vu.Test.Shared == nil {
		m.fail("nothing is shared in the init context: call it in setup() or in an iteration")
	}
	if m.caller == 0 {
		m.caller = vu.Test.Callers.Add(1)
	}
	m.calls++
	q.Caller, q.Call = m.caller, m.calls
	if err := q.Check(); err != nil {
		m.fail("%w", err)
	}
	since := time.Now()
	for vu.Context.Err() == nil {
		answer, err := vu.Test.Shared.Do(vu.Context, q)
		switch {
		case err == nil && answer.Refused != "":
			m.fail("%s", answer.Refused)
		case err == nil && !answer.Later:
			return answer, true
		case err == nil:
			since = time.Now()
		case vu.Context.Err() != nil:
		case time.Since(since) > patience:
			m.fail("no answer: %w", err)
		default:
			vu.Sleep(again)
		}
	}
	vu.Runtime.Interrupt(context.Cause(vu.Context))
	return run.Answer{}, false
}

// leave gives up what a virtual user that goes may hold.
func (m *module) leave(op run.Op, key string) {
	m.calls++
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.vu.Context), farewell)
	defer cancel()
	// If nobody hears it, whoever keeps what is shared finds that this runner is no more.
	_, _ = m.vu.Test.Shared.Do(ctx, run.Ask{Op: op, Key: key, Caller: m.caller, Call: m.calls})
}

func (m *module) name(call sobek.FunctionCall, function string) string {
	v := call.Argument(0)
	if !sobek.IsString(v) {
		m.fail("%s() wants a name, a string, as its first argument", function)
	}
	return v.String()
}

// integer reads a number without a fraction that JavaScript holds exactly.
func (m *module) integer(function string, v sobek.Value) int64 {
	f := v.ToFloat()
	if !sobek.IsNumber(v) || f != math.Trunc(f) || math.Abs(f) > 1<<53-1 {
		m.fail("%s wants a whole number, not %s", function, v)
	}
	return int64(f)
}

// encode writes a value as JSON; what JSON has no word for is null, as inside any array.
func (m *module) encode(function string, v sobek.Value) json.RawMessage {
	if o, ok := v.(*sobek.Object); ok {
		if _, promised := o.Export().(*sobek.Promise); promised {
			m.fail("%s cannot share a promise", function)
		}
	}
	text, err := js.Stringify(m.vu.Runtime, v)
	if err != nil {
		scope.Rethrow(err)
	}
	if text == nil {
		return json.RawMessage("null")
	}
	return text
}

func (m *module) parse(text json.RawMessage) sobek.Value {
	v, err := js.ParseJSON(m.vu.Runtime, text)
	if err != nil {
		m.fail("%w", err)
	}
	return v
}

func (m *module) object(methods map[string]func(sobek.FunctionCall) sobek.Value) *sobek.Object {
	o := m.vu.Runtime.NewObject()
	for name, f := range methods {
		_ = o.Set(name, f) // a plain object refuses nothing
	}
	return o
}

func (m *module) fail(format string, args ...any) {
	m.vu.Throw(fmt.Errorf("throng/grid: "+format, args...))
}
