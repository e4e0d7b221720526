package k6http

import (
	"github.com/grafana/sobek"
)

// record is a small object with its properties in order; types that scripts hand back to us embed it, so that they are
// known again by their Go type.
type record struct {
	fields []property
}

// Get implements sobek.DynamicObject.
func (r *record) Get(key string) sobek.Value {
	for i := range r.fields {
		if r.fields[i].name == key {
			return r.fields[i].value
		}
	}
	return nil
}

// Set implements sobek.DynamicObject.
func (r *record) Set(key string, v sobek.Value) bool {
	for i := range r.fields {
		if r.fields[i].name == key {
			r.fields[i].value = v
			return true
		}
	}
	r.fields = append(r.fields, property{key, v})
	return true
}

// Has implements sobek.DynamicObject.
func (r *record) Has(key string) bool { return r.Get(key) != nil }

// Delete implements sobek.DynamicObject.
func (r *record) Delete(key string) bool {
	for i := range r.fields {
		if r.fields[i].name == key {
			r.fields = append(r.fields[:i], r.fields[i+1:]...)
			break
		}
	}
	return true
}

// Keys implements sobek.DynamicObject.
func (r *record) Keys() []string {
	keys := make([]string, len(r.fields))
	for i := range r.fields {
		keys[i] = r.fields[i].name
	}
	return keys
}

// nothing reports whether v is missing, undefined or null.
func nothing(v sobek.Value) bool { return v == nil || sobek.IsUndefined(v) || sobek.IsNull(v) }

func length(o *sobek.Object) int { return int(o.Get("length").ToInteger()) }
