package scope

import "github.com/grafana/sobek"

// Build makes a value of source, which is an expression in JavaScript: a function that is called with args and returns
// the value. It is compiled once for all virtual users. What is wrong with a source of ours is a fault of ours.
func (vu *VU) Build(name, source string, args ...sobek.Value) sobek.Value {
	code, ok := vu.Test.Once.Load(name)
	if !ok {
		code, _ = vu.Test.Once.LoadOrStore(name, sobek.MustCompile(name, source, true))
	}
	v, err := vu.Runtime.RunProgram(code.(*sobek.Program))
	if err == nil {
		make, _ := sobek.AssertFunction(v)
		v, err = make(sobek.Undefined(), args...)
	}
	if err != nil {
		Rethrow(err)
	}
	return v
}
