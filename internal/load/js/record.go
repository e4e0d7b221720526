package js

import (
	"errors"
	"slices"
	"sync/atomic"

	"github.com/grafana/sobek"
	"github.com/grafana/sobek/ast"
)

// foreignNames are the names of a foreign module, one without import and export declarations: CommonJS, or written in
// Go. To an ES module it shows the same face: every name can be imported from it; what it does not have is undefined.
//
// The engine asks for the names without naming a runtime, and before the module has run. So they are those of the first
// run, and whoever asked before is told after it; that is always the runtime of the first init, alone in the program.
type foreignNames struct {
	names  atomic.Pointer[[]string]
	asking []func([]string)
}

// GetExportedNames implements sobek.ModuleRecord.
func (f *foreignNames) GetExportedNames(callback func([]string), _ ...sobek.ModuleRecord) bool {
	if names := f.names.Load(); names != nil {
		callback(*names)
	} else {
		f.asking = append(f.asking, callback)
	}
	return true
}

func (f *foreignNames) learn(names []string) {
	if !f.names.CompareAndSwap(nil, &names) {
		return
	}
	for _, callback := range f.asking {
		callback(names)
	}
	f.asking = nil
}

func (f *foreignNames) resolve(m sobek.ModuleRecord, name string, path []sobek.ResolveSetElement) (*sobek.ResolvedBinding, bool) {
	// A request that came through another module may be one of several candidates of `export *`, so claiming a name that
	// is not there would hide the right one.
	if names := f.names.Load(); len(path) > 0 && names != nil && !slices.Contains(*names, name) {
		return nil, false
	}
	return &sobek.ResolvedBinding{Module: m, BindingName: name}, false
}

// commonJSRecord is a CommonJS file.
type commonJSRecord struct {
	foreignNames
	program *Program
	code    *sobek.Program
}

func newCommonJS(p *Program, tree *ast.Program) (*commonJSRecord, error) {
	code, err := sobek.CompileAST(tree, true)
	if err != nil {
		return nil, err
	}
	return &commonJSRecord{program: p, code: code}, nil
}

// The methods of sobek.CyclicModuleRecord. It is cyclic in name only: its imports are calls of require.

func (r *commonJSRecord) ResolveExport(name string, path ...sobek.ResolveSetElement) (*sobek.ResolvedBinding, bool) {
	return r.resolve(r, name, path)
}
func (r *commonJSRecord) Link() error                  { return nil }
func (r *commonJSRecord) RequestedModules() []string   { return nil }
func (r *commonJSRecord) InitializeEnvironment() error { return nil }
func (r *commonJSRecord) Evaluate(rt *sobek.Runtime) *sobek.Promise {
	return rt.CyclicModuleRecordEvaluate(r, r.program.resolved)
}

// Instantiate implements sobek.CyclicModuleRecord.
func (r *commonJSRecord) Instantiate(rt *sobek.Runtime) (sobek.CyclicModuleInstance, error) {
	in := r.program.instanceIn(rt)
	if in == nil {
		return nil, errNotInit
	}
	return in.commonJS(r), nil
}

// nativeRecord is a module written in Go.
type nativeRecord struct {
	foreignNames
	program *Program
	name    string
}

func (r *nativeRecord) ResolveExport(name string, path ...sobek.ResolveSetElement) (*sobek.ResolvedBinding, bool) {
	return r.resolve(r, name, path)
}
func (r *nativeRecord) Link() error                  { return nil }
func (r *nativeRecord) RequestedModules() []string   { return nil }
func (r *nativeRecord) InitializeEnvironment() error { return nil }
func (r *nativeRecord) Evaluate(rt *sobek.Runtime) *sobek.Promise {
	return rt.CyclicModuleRecordEvaluate(r, r.program.resolved)
}

// Instantiate implements sobek.CyclicModuleRecord.
func (r *nativeRecord) Instantiate(rt *sobek.Runtime) (sobek.CyclicModuleInstance, error) {
	in := r.program.instanceIn(rt)
	if in == nil {
		return nil, errNotInit
	}
	return in.native(r)
}

var errNotInit = errors.New("modules can only be loaded in the init stage")

// foreign is a foreign module in one runtime.
type foreign struct {
	rt    *sobek.Runtime
	value sobek.Value // of a native module
	named map[string]any

	in     *Instance // of a CommonJS file
	record *commonJSRecord
	module *sobek.Object // its `module`
	state  evaluation
	err    error
}

type evaluation uint8

const (
	fresh evaluation = iota
	begun
	ended
)

// HasTLA implements sobek.CyclicModuleInstance.
func (f *foreign) HasTLA() bool { return false }

// ExecuteModule implements sobek.CyclicModuleInstance.
func (f *foreign) ExecuteModule(*sobek.Runtime, func(any) error, func(any) error) (sobek.CyclicModuleInstance, error) {
	if err := f.run(); err != nil {
		return nil, err
	}
	return f, nil
}

// run executes a CommonJS file once; a second call while it runs, in a cycle, sees what there is so far.
func (f *foreign) run() error {
	if f.record == nil || f.state != fresh {
		return f.err
	}
	f.state = begun
	f.err = f.execute()
	f.state = ended
	return f.err
}

func (f *foreign) execute() error {
	wrapper, err := f.rt.RunProgram(f.record.code)
	if err != nil {
		return err
	}
	call, ok := sobek.AssertFunction(wrapper)
	if !ok {
		return errors.New("a CommonJS file did not compile to a function")
	}
	exports := f.module.Get("exports")
	if _, err := call(exports, f.module, exports); err != nil {
		return err
	}
	if o, ok := f.exports().(*sobek.Object); ok {
		f.record.learn(o.Keys())
	} else if v := f.exports(); sobek.IsNull(v) || sobek.IsUndefined(v) {
		return errors.New("CommonJS's exports must not be null")
	}
	return nil
}

// exports is what require returns.
func (f *foreign) exports() sobek.Value {
	if f.module != nil {
		if v := f.module.Get("exports"); v != nil {
			return v
		}
		return sobek.Undefined()
	}
	return f.value
}

// GetBindingValue implements sobek.ModuleInstance: the default is the property of that name if there is one, or else the
// whole; everything else is a property. Properties are read when they are used, so importers see them change.
func (f *foreign) GetBindingValue(name string) sobek.Value {
	if v, ok := f.named[name]; ok && name != "default" {
		return f.rt.ToValue(v)
	}
	whole := f.exports()
	o, ok := whole.(*sobek.Object)
	if !ok {
		if name == "default" {
			return whole
		}
		return sobek.Undefined()
	}
	if v := o.Get(name); v != nil {
		return v
	}
	if name == "default" {
		return whole
	}
	return sobek.Undefined()
}
