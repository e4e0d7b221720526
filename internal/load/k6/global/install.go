package global

import (
	"github.com/grafana/sobek"

	"throng/internal/load/k6/k6timers"
	"throng/internal/load/k6/scope"
	"throng/internal/load/k6/webcrypto"
)

// Install gives the runtime of vu its global names.
//
// They hang behind the global object, as its prototype, and each is made when it is first read: a native function weighs
// half a kilobyte, and most scripts use one or two of a dozen. None becomes a property of the global object unless the
// script asks for that: the first such property costs a kilobyte, because the engine then lists all names.
func Install(vu *scope.VU) error {
	l := &lazy{vu: vu, global: vu.Runtime.GlobalObject()}
	o := vu.Runtime.NewDynamicObject(l)
	if err := o.SetPrototype(l.global.Prototype()); err != nil {
		return err
	}
	return l.global.SetPrototype(o)
}

type lazy struct {
	vu     *scope.VU
	global *sobek.Object
	busy   bool // while a name is made: its making must not find it
	made   []named
}

type named struct {
	name  string
	value sobek.Value
}

// makers lists the names, and what makes the value of each.
func makers(name string) func(*scope.VU) any {
	switch name {
	case "console":
		return func(vu *scope.VU) any { return newConsole(vu) }
	case "setTimeout":
		return func(vu *scope.VU) any { return k6timers.Of(vu).SetTimeout }
	case "setInterval":
		return func(vu *scope.VU) any { return k6timers.Of(vu).SetInterval }
	case "clearTimeout", "clearInterval":
		return func(vu *scope.VU) any { return k6timers.Of(vu).Clear }
	case "TextEncoder":
		return func(vu *scope.VU) any { return newTextEncoder(vu) }
	case "TextDecoder":
		return func(vu *scope.VU) any { return newTextDecoder(vu) }
	case "crypto":
		return func(vu *scope.VU) any { return webcrypto.Of(vu).Crypto() }
	case "CryptoKey":
		return func(vu *scope.VU) any { return webcrypto.Of(vu).CryptoKey() }
	case "open":
		return func(vu *scope.VU) any { return vu.OpenFile }
	}
	return nil
}

// Get returns the value of a name.
func (l *lazy) Get(name string) sobek.Value {
	switch name {
	case "__ITER": // another one in every iteration
		if l.vu.Phase != scope.Iteration {
			return nil
		}
		return l.vu.Runtime.ToValue(l.vu.Iteration)
	case "__VU":
		return l.vu.Runtime.ToValue(l.vu.ID)
	case "__ENV": // another one in every scenario
		return l.vu.EnvObject()
	}
	for i := range l.made {
		if l.made[i].name == name {
			return l.made[i].value
		}
	}
	f := makers(name)
	if f == nil || l.busy {
		return nil
	}
	return l.make(name, f)
}

func (l *lazy) make(name string, f func(*scope.VU) any) (v sobek.Value) {
	l.busy = true
	defer func() { l.busy = false }()
	l.vu.Apart(func() { v = l.vu.Runtime.ToValue(f(l.vu)) })
	l.made = append(l.made, named{name, v})
	return v
}

// Has reports whether name is one of ours. It makes it a property of the global object, so that a script can assign to
// it: strict code may assign only to what the global object itself has.
func (l *lazy) Has(name string) bool {
	v := l.Get(name)
	if v == nil {
		return false
	}
	if makers(name) != nil {
		_ = l.global.DefineDataProperty(name, v, sobek.FLAG_TRUE, sobek.FLAG_TRUE, sobek.FLAG_TRUE) // on a global that can be extended
	}
	return true
}

// Set is never asked to keep anything: what is assigned goes to the global object.
func (l *lazy) Set(string, sobek.Value) bool { return false }

// Delete has nothing to delete.
func (l *lazy) Delete(string) bool { return true }

// Keys are none: the names are not listed until they are used.
func (l *lazy) Keys() []string { return nil }
