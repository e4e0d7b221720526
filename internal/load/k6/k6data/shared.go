package k6data

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
)

var (
	errLate     = errors.New("new SharedArray must be called in the init context")
	errNoName   = errors.New("empty name provided to SharedArray's constructor")
	errNoFunc   = errors.New("a function is expected as the second argument of SharedArray's constructor")
	errAsync    = errors.New("SharedArray constructor does not support async functions as second argument")
	errNotArray = errors.New("only arrays can be made into SharedArray")
)

// New makes the module for vu.
func New(vu *scope.VU) (js.Exports, error) {
	m := &module{vu: vu}
	return vu.Lazy([]string{"SharedArray"}, func(string) any { return m.construct }), nil
}

type module struct{ vu *scope.VU }

// onceKey keeps the names of shared arrays apart from what else Test.Once holds.
type onceKey struct{ name string }

// list is the elements of one shared array: their JSON, one behind the other. It never changes.
type list struct {
	text []byte
	ends []int
}

func (m *module) construct(call sobek.ConstructorCall) *sobek.Object {
	vu := m.vu
	if vu.Phase != scope.Init {
		vu.Throw(errLate)
	}
	name := scope.Text(call.Argument(0))
	fn, isFunc := sobek.AssertFunction(call.Argument(1))
	switch {
	case !isFunc:
		vu.Throw(errNoFunc)
	case name == "":
		vu.Throw(errNoName)
	case scope.IsAsync(call.Argument(1).(*sobek.Object)):
		vu.Throw(errAsync)
	}
	l, ok := vu.Test.Once.Load(onceKey{name})
	if !ok {
		// No lock is held while the script's function runs. The first init is alone, so it runs once; should two
		// virtual users ever get here together, one result counts for both.
		l, _ = vu.Test.Once.LoadOrStore(onceKey{name}, m.build(fn))
	}
	return vu.Runtime.NewDynamicArray(&array{m, l.(*list)})
}

func (m *module) build(fn sobek.Callable) *list {
	v, err := fn(sobek.Undefined())
	if err != nil {
		scope.Rethrow(err)
	}
	o, ok := v.(*sobek.Object)
	if !ok || o.ClassName() != "Array" {
		m.vu.Throw(errNotArray)
	}
	n := int(o.Get("length").ToInteger())
	l := &list{ends: make([]int, n)}
	var b bytes.Buffer
	for i := range n {
		text, err := js.Stringify(m.vu.Runtime, o.Get(fmt.Sprint(i)))
		if err != nil {
			scope.Rethrow(err)
		}
		if text == nil {
			text = []byte("null") // what JSON has no word for, as inside any array
		}
		b.Write(text)
		l.ends[i] = b.Len()
	}
	l.text = bytes.Clone(b.Bytes()) // without the room to grow
	return l
}

func (l *list) element(i int) []byte {
	from := 0
	if i > 0 {
		from = l.ends[i-1]
	}
	return l.text[from:l.ends[i]]
}

// array is a shared array in one runtime.
type array struct {
	m *module
	l *list
}

// Len is the number of elements.
func (a *array) Len() int { return len(a.l.ends) }

// Get makes the value of an element, frozen through and through.
func (a *array) Get(i int) sobek.Value {
	if i < 0 || i >= len(a.l.ends) {
		return nil
	}
	v, err := js.ParseJSON(a.m.vu.Runtime, a.l.element(i))
	if err != nil {
		scope.Rethrow(err)
	}
	if err := a.m.vu.Freeze(v); err != nil {
		scope.Rethrow(err)
	}
	return v
}

// Set always throws.
func (a *array) Set(int, sobek.Value) bool { panic(a.immutable()) }

// SetLen always throws.
func (a *array) SetLen(int) bool { panic(a.immutable()) }

func (a *array) immutable() *sobek.Object {
	return a.m.vu.Runtime.NewTypeError("SharedArray is immutable")
}
