package k6execution

import (
	"fmt"
	"maps"
	"slices"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
)

func (m *module) tagsObject() sobek.Value {
	if m.tags == nil {
		m.tags = m.vu.Runtime.NewDynamicObject(&tags{m})
	}
	return m.tags
}

func (m *module) metadataObject() sobek.Value {
	if m.meta == nil {
		m.meta = m.vu.Runtime.NewDynamicObject(&metadata{m})
	}
	return m.meta
}

// tags are the tags of the samples to come, as an object.
type tags struct{ m *module }

// Get returns a tag.
func (t *tags) Get(name string) sobek.Value {
	if v, ok := t.m.vu.Tags.Get(name); ok {
		return t.m.vu.Runtime.ToValue(v)
	}
	return nil
}

// Has reports whether there is such a tag.
func (t *tags) Has(name string) bool {
	_, ok := t.m.vu.Tags.Get(name)
	return ok
}

// Set sets a tag, or throws if v cannot be the value of one.
func (t *tags) Set(name string, v sobek.Value) bool {
	text, ok := scope.Scalar(v)
	if !ok {
		panic(t.m.vu.Runtime.NewTypeError("%s", scope.TagError(name).Error()))
	}
	t.m.vu.Tags = t.m.vu.Tags.With(name, text)
	return true
}

// Delete removes a tag.
func (t *tags) Delete(name string) bool {
	t.m.vu.Tags = t.m.vu.Tags.Without(name)
	return true
}

// Keys returns the names of the tags, sorted.
func (t *tags) Keys() []string {
	var keys []string
	for _, tag := range t.m.vu.Tags.All() {
		keys = append(keys, tag.Key)
	}
	return keys
}

// metadata is what goes with the samples to come and is no tag, as an object. Samples share the map, so it is replaced
// on every change.
type metadata struct{ m *module }

// Get returns one value.
func (d *metadata) Get(name string) sobek.Value {
	if v, ok := d.m.vu.Metadata[name]; ok {
		return d.m.vu.Runtime.ToValue(v)
	}
	return nil
}

// Has reports whether name is there.
func (d *metadata) Has(name string) bool {
	_, ok := d.m.vu.Metadata[name]
	return ok
}

// Set sets one value, or throws if v is no text, number or boolean.
func (d *metadata) Set(name string, v sobek.Value) bool {
	text, ok := scope.Scalar(v)
	if !ok {
		panic(d.m.vu.Runtime.NewTypeError("%s", fmt.Sprintf("invalid value for metric metadata '%s': only String, Boolean and Number types are accepted as a metric metadata value", name)))
	}
	next := maps.Clone(d.m.vu.Metadata)
	if next == nil {
		next = map[string]string{}
	}
	next[name] = text
	d.m.vu.Metadata = next
	return true
}

// Delete removes one value.
func (d *metadata) Delete(name string) bool {
	if !d.Has(name) {
		return true
	}
	next := maps.Clone(d.m.vu.Metadata)
	delete(next, name)
	if len(next) == 0 {
		next = nil
	}
	d.m.vu.Metadata = next
	return true
}

// Keys returns the names, sorted.
func (d *metadata) Keys() []string { return slices.Sorted(maps.Keys(d.m.vu.Metadata)) }
