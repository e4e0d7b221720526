package scope

import (
	"slices"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
)

// Lazy returns exports whose values are made when a script first asks for them: a native function weighs half a
// kilobyte, thousands of virtual users hold them, and most scripts use one or two of a module's. build is called with
// one of names, at most once for each.
func (vu *VU) Lazy(names []string, build func(name string) any) js.Exports {
	return js.Exports{Default: vu.Runtime.NewDynamicObject(&lazy{vu: vu, names: names, build: build})}
}

type lazy struct {
	vu    *VU
	names []string // sorted; shared by all virtual users
	build func(string) any
	have  []property // what was asked for or set by the script, in that order
}

type property struct {
	name  string
	value sobek.Value // nil: deleted
}

func (l *lazy) find(name string) *property {
	for i := range l.have {
		if l.have[i].name == name {
			return &l.have[i]
		}
	}
	return nil
}

// Get returns the value of a name, making it if it is ours and new.
func (l *lazy) Get(name string) sobek.Value {
	if p := l.find(name); p != nil {
		return p.value
	}
	if !slices.Contains(l.names, name) {
		return nil
	}
	return l.make(name)
}

func (l *lazy) make(name string) (v sobek.Value) {
	l.vu.Apart(func() { v = l.vu.Runtime.ToValue(l.build(name)) })
	l.have = append(l.have, property{name, v})
	return v
}

// Has reports whether name is there.
func (l *lazy) Has(name string) bool {
	if p := l.find(name); p != nil {
		return p.value != nil
	}
	return slices.Contains(l.names, name)
}

// Set puts v in the place of a value, as scripts do that wrap a function of ours.
func (l *lazy) Set(name string, v sobek.Value) bool {
	if p := l.find(name); p != nil {
		p.value = v
	} else {
		l.have = append(l.have, property{name, v})
	}
	return true
}

// Delete removes a name.
func (l *lazy) Delete(name string) bool { return l.Set(name, nil) }

// Keys returns our names, and behind them those that the script has added.
func (l *lazy) Keys() []string {
	var keys []string
	for _, n := range l.names {
		if l.Has(n) {
			keys = append(keys, n)
		}
	}
	for _, p := range l.have {
		if p.value != nil && !slices.Contains(l.names, p.name) {
			keys = append(keys, p.name)
		}
	}
	return keys
}
