package scope

import (
	"maps"
	"slices"

	"github.com/grafana/sobek"
)

// Env is what __ENV begins as: made once, shared by all virtual users, never changed.
type Env struct {
	names  []string // sorted
	values map[string]sobek.Value
}

// NewEnv returns the environment with these variables.
func NewEnv(vars map[string]string) *Env {
	rt := sobek.New() // strings belong to no runtime
	e := &Env{names: slices.Sorted(maps.Keys(vars)), values: make(map[string]sobek.Value, len(vars))}
	for k, v := range vars {
		val := rt.ToValue(v)
		// The engine reads a long string when it is first needed and notes what it found in it; here, before many share it.
		if str, ok := val.(sobek.String); ok {
			str.Length()
		}
		e.values[k] = val
	}
	return e
}

// With returns the environment with vars laid over it.
func (e *Env) With(vars map[string]string) *Env {
	if len(vars) == 0 {
		return e
	}
	o := NewEnv(vars)
	for k, v := range e.values {
		if _, ok := o.values[k]; !ok {
			o.values[k] = v
		}
	}
	o.names = slices.Sorted(maps.Keys(o.values))
	return o
}

// EnvObject is __ENV: an object that weighs next to nothing until the script writes to it.
func (vu *VU) EnvObject() *sobek.Object {
	if vu.env == nil {
		vu.env = &envObject{vu: vu}
		vu.env.object = vu.Runtime.NewDynamicObject(vu.env)
	}
	return vu.env.object
}

// SetEnv gives __ENV, which stays the same object, another content.
func (vu *VU) SetEnv(env *Env) {
	vu.Env = env
	if vu.env != nil {
		vu.env.own = nil
	}
}

type envObject struct {
	vu     *VU
	object *sobek.Object
	own    *sobek.Object // what the script wrote, over a copy of the environment; nil until it does
}

func (e *envObject) Get(key string) sobek.Value {
	if e.own != nil {
		return e.own.Get(key)
	}
	if e.vu.Env == nil {
		return nil
	}
	return e.vu.Env.values[key]
}

// Set keeps v as text: as in k6, and in every process, an environment holds nothing else.
func (e *envObject) Set(key string, v sobek.Value) bool {
	if text, ok := v.(sobek.String); ok {
		return e.copied().Set(key, text) == nil
	}
	return e.copied().Set(key, Text(v)) == nil
}

func (e *envObject) Delete(key string) bool { return e.copied().Delete(key) == nil }

func (e *envObject) Has(key string) bool { return e.Get(key) != nil }

func (e *envObject) Keys() []string {
	if e.own != nil {
		return e.own.Keys()
	}
	if e.vu.Env == nil {
		return nil
	}
	return e.vu.Env.names
}

func (e *envObject) copied() *sobek.Object {
	if e.own == nil {
		e.own = e.vu.Runtime.NewObject()
		if e.vu.Env != nil {
			for _, k := range e.vu.Env.names {
				_ = e.own.Set(k, e.vu.Env.values[k]) // a plain object refuses nothing
			}
		}
	}
	return e.own
}
