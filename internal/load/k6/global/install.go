package global

import (
	"github.com/grafana/sobek"

	"throng/internal/load/k6/k6timers"
	"throng/internal/load/k6/scope"
)

// Install gives the runtime of vu its global names.
//
// They hang behind the global object, as its prototype, and each becomes a property of its own when it is first read:
// a native function weighs half a kilobyte, and most scripts use one or two of a dozen.
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
		return func(vu *scope.VU) any { return newCrypto(vu) }
	case "__ENV":
		return func(vu *scope.VU) any { return vu.EnvObject() }
	case "global":
		return func(vu *scope.VU) any { return vu.Runtime.GlobalObject() }
	}
	return nil
}

// Get makes the value of a name and leaves it with the global object.
func (l *lazy) Get(name string) sobek.Value {
	if name == "__ITER" { // another one in every iteration, so it never becomes a property
		if l.vu.Phase != scope.Iteration {
			return nil
		}
		return l.vu.Runtime.ToValue(l.vu.Iteration)
	}
	f := makers(name)
	if f == nil || l.busy {
		return nil
	}
	l.busy = true
	defer func() { l.busy = false }()
	v := l.vu.Runtime.ToValue(f(l.vu))
	if err := l.global.DefineDataProperty(name, v, sobek.FLAG_TRUE, sobek.FLAG_TRUE, sobek.FLAG_TRUE); err != nil {
		return nil
	}
	return v
}

// Has reports whether name is one of ours. It makes it, so that a script can assign to it: strict code may assign only
// to what the global object itself has.
func (l *lazy) Has(name string) bool { return l.Get(name) != nil }

// Set is never asked to keep anything: what is assigned goes to the global object.
func (l *lazy) Set(string, sobek.Value) bool { return false }

// Delete has nothing to delete.
func (l *lazy) Delete(string) bool { return true }

// Keys are none: the names are not listed until they are used.
func (l *lazy) Keys() []string { return nil }
