package k6execution

import (
	"errors"
	"slices"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
)

// New makes the module for vu.
func New(vu *scope.VU) (js.Exports, error) {
	m := &module{vu: vu}
	return vu.Lazy([]string{"instance", "scenario", "test", "vu"}, func(name string) any {
		switch name {
		case "instance":
			return m.object(instance)
		case "scenario":
			return m.object(scenario)
		case "test":
			return m.object(test)
		default:
			return m.object(virtualUser)
		}
	}), nil
}

type module struct {
	vu      *scope.VU
	tags    sobek.Value
	meta    sobek.Value
	metrics sobek.Value
	abort   sobek.Value
	fail    sobek.Value
	options sobek.Value
}

func (m *module) object(k kind) *sobek.Object {
	return m.vu.Runtime.NewDynamicObject(&view{m, k})
}

// kind is one of the objects that the module shows.
type kind uint8

const (
	instance kind = iota
	scenario
	test
	virtualUser
	metrics
)

func (k kind) names() []string {
	switch k {
	case instance:
		return []string{"currentTestRunDuration", "iterationsCompleted", "iterationsInterrupted", "vusActive", "vusInitialized"}
	case scenario:
		return []string{"name", "executor", "startTime", "progress", "iterationInInstance", "iterationInTest"}
	case test:
		return []string{"abort", "fail", "options"}
	case virtualUser:
		return []string{"idInInstance", "idInTest", "iterationInInstance", "iterationInScenario", "tags", "metrics"}
	default:
		return []string{"tags", "metadata"}
	}
}

var (
	errInstance = errors.New("getting instance information in the init context is not supported")
	errVU       = errors.New("getting VU information in the init context is not supported")
	errOptions  = errors.New("getting test options in the init context is not supported")
	errFail     = errors.New("execution.test.fail() called outside of VU context")
	errScenario = errors.New("getting scenario information outside of the VU context is not supported")
)

// guard throws where the object means nothing.
func (m *module) guard(k kind) {
	init := m.vu.Phase == scope.Init
	switch {
	case k == instance && (init || m.vu.Test.Counts == nil):
		m.vu.Throw(errInstance)
	case (k == virtualUser || k == metrics) && init:
		m.vu.Throw(errVU)
	case k == scenario && (m.vu.Phase != scope.Iteration || m.vu.Scenario == nil):
		m.vu.Throw(errScenario)
	}
}

// view is one object: its properties are those of kind, read when asked for.
type view struct {
	m *module
	k kind
}

// Get returns the present value of a property.
func (v *view) Get(name string) sobek.Value {
	v.m.guard(v.k)
	if !slices.Contains(v.k.names(), name) {
		return nil
	}
	var x any
	switch v.k {
	case instance:
		x = v.m.instance(name)
	case scenario:
		x = v.m.scenario(name)
	case test:
		return v.m.test(name)
	case virtualUser:
		x = v.m.virtualUser(name)
	default:
		if name == "tags" {
			return v.m.tagsObject()
		}
		return v.m.metadataObject()
	}
	return v.m.vu.Runtime.ToValue(x)
}

func (m *module) instance(name string) any {
	load := m.vu.Test.Counts()
	switch name {
	case "currentTestRunDuration":
		if m.vu.Test.Start.IsZero() {
			return 0
		}
		return float64(time.Since(m.vu.Test.Start)) / float64(time.Millisecond)
	case "iterationsCompleted":
		return load.Iterations
	case "iterationsInterrupted":
		return load.Interrupted
	case "vusActive":
		return load.VUs
	default:
		return load.VUsMax
	}
}

func (m *module) scenario(name string) any {
	s := m.vu.Scenario
	switch name {
	case "name":
		return s.Name
	case "executor":
		return s.Executor
	case "startTime":
		return s.Started().UnixMilli()
	case "progress":
		return s.Progress()
	case "iterationInInstance":
		return m.vu.IterationInInstance
	default:
		return m.vu.IterationInTest
	}
}

func (m *module) virtualUser(name string) any {
	switch name {
	case "idInInstance":
		return m.vu.ID
	case "idInTest":
		return m.vu.IDInTest
	case "iterationInInstance":
		return m.vu.Iteration
	case "iterationInScenario":
		return m.vu.IterationInScenario
	case "tags":
		return m.tagsObject()
	default:
		if m.metrics == nil {
			m.metrics = m.object(metrics)
		}
		return m.metrics
	}
}

// Has reports whether the object has a property.
func (v *view) Has(name string) bool { return slices.Contains(v.k.names(), name) }

// Set throws for the object's own properties, and forgets what is set under another name, as k6 does. The objects
// behind vu.tags and vu.metrics cannot be replaced; trying to is no error.
func (v *view) Set(name string, _ sobek.Value) bool {
	if v.Has(name) && !(v.k == virtualUser && (name == "tags" || name == "metrics")) {
		panic(v.m.vu.Runtime.NewTypeError("Cannot assign to read only property '%s'", name))
	}
	return true
}

// Delete throws for the object's own properties.
func (v *view) Delete(name string) bool {
	if v.Has(name) {
		panic(v.m.vu.Runtime.NewTypeError("Cannot delete property '%s' of [object Object]", name))
	}
	return true
}

// Keys returns the names of the properties.
func (v *view) Keys() []string {
	v.m.guard(v.k)
	return v.k.names()
}
