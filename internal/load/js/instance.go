package js

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/grafana/sobek"

	"throng/internal/fault"
)

// Host is what the surroundings give to one runtime.
type Host struct {
	// Native makes a module written in Go for this runtime; an error if there is none of that name.
	Native func(name string) (Exports, error)
	// IsNative says whether a specifier names a module written in Go.
	IsNative func(name string) bool
	// Started, if set, is called with the instance before any of its code runs.
	Started func(*Instance)
}

// Instance is a program in one runtime, after its top-level code ran.
type Instance struct {
	program *Program
	rt      *sobek.Runtime
	host    Host
	init    bool // top-level code is running

	repaired uint32 // see repair

	foreign map[sobek.ModuleRecord]*foreign
	main    *foreign      // the main script if it is CommonJS
	exports []sobek.Value // of a light main script, in the order of its names
}

// Instantiate runs the program's top-level code in rt, and the loop until it has settled. When ctx ends, the code is
// interrupted.
func (p *Program) Instantiate(ctx context.Context, rt *sobek.Runtime, loop *Loop, host Host) (_ *Instance, err error) {
	defer guard(&err)
	in := &Instance{program: p, rt: rt, host: host, init: true, foreign: map[sobek.ModuleRecord]*foreign{}}
	defer func() {
		in.init = false
		in.foreign = nil
	}()
	if host.Started != nil {
		host.Started(in)
	}
	rt.SetGetImportMetaProperties(in.importMeta)
	p.mu.Lock()
	p.running[rt] = in
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.running, rt)
		p.mu.Unlock()
	}()
	stop := context.AfterFunc(ctx, func() { rt.Interrupt(context.Cause(ctx)) })
	defer stop()

	// The first init is alone: it loads and links, and finds out what the foreign modules export.
	p.first.Lock()
	if p.settled {
		p.first.Unlock()
	} else {
		defer func() {
			p.settled = p.settled || err == nil
			p.first.Unlock()
		}()
	}
	if err := p.prepare(p.entry, host.IsNative); err != nil {
		return nil, err
	}
	if err := in.repair(); err != nil {
		return nil, err
	}
	switch {
	case p.light != nil:
		err = loop.Start(func() (err error) {
			in.exports, err = p.light.evaluate(in)
			return err
		})
	case p.entry.cjs != nil:
		in.main = in.commonJS(p.entry.cjs)
		err = loop.Start(in.main.run)
	default:
		err = in.run(loop, p.entry.esm)
	}
	if err != nil {
		return nil, scriptError(err)
	}
	if _, err := rt.RunProgram(p.nothing); err != nil { // the engine holds on to the last program's result: a function of 700 bytes
		return nil, scriptError(err)
	}
	return in, nil
}

// run evaluates m and waits for it.
func (in *Instance) run(loop *Loop, m sobek.ModuleRecord) error {
	var promise *sobek.Promise
	err := loop.Start(func() error {
		promise = m.Evaluate(in.rt)
		if promise.State() == sobek.PromiseStateRejected {
			return in.reason(promise) // the engine counts it as unhandled, but here it is handled
		}
		// Someone listens from now on.
		return in.listen(promise)
	})
	if err != nil {
		return err
	}
	switch promise.State() {
	case sobek.PromiseStateRejected:
		return in.reason(promise)
	case sobek.PromiseStatePending:
		return fault.New(fault.ScriptException,
			errors.New("the script awaits a promise at its top level that nothing can settle any more"))
	default:
		return nil
	}
}

// listen marks promise as handled, so that a late rejection is not reported as one that nobody handles.
func (in *Instance) listen(promise *sobek.Promise) error {
	if promise.State() != sobek.PromiseStatePending {
		return nil
	}
	o := in.rt.ToValue(promise).(*sobek.Object)
	then, ok := sobek.AssertFunction(o.Get("then"))
	if !ok {
		return nil
	}
	nothing := in.rt.ToValue(func(sobek.FunctionCall) sobek.Value { return sobek.Undefined() })
	_, err := then(o, nothing, nothing)
	return err
}

// reason returns why promise was rejected, as an error with a stack.
func (in *Instance) reason(promise *sobek.Promise) error {
	v := promise.Result()
	if err, ok := v.Export().(error); ok {
		return err
	}
	if ex := in.rt.Try(func() { panic(v) }); ex != nil {
		return ex
	}
	return errors.New(v.String())
}

// scriptError gives what a script threw the kind that says so, unless it carries one.
func scriptError(err error) error {
	if fault.KindOf(err) == fault.Other && IsException(err) {
		return fault.New(fault.ScriptException, err)
	}
	return err
}

// Export returns what the main script exports as name, or nil.
func (in *Instance) Export(name string) sobek.Value {
	if in.exports != nil {
		if i := slices.Index(in.program.light.names, name); i >= 0 {
			return in.exports[i]
		}
		return nil
	}
	if in.main != nil {
		o, ok := in.main.exports().(*sobek.Object)
		if !ok {
			return nil
		}
		return o.Get(name)
	}
	r := in.program.entry
	binding, ambiguous := r.esm.ResolveExport(name)
	if binding == nil || ambiguous {
		return nil
	}
	if binding.BindingName == "*namespace*" {
		return in.rt.NamespaceObjectFor(binding.Module)
	}
	m := in.rt.GetModuleInstance(binding.Module)
	if m == nil {
		return nil
	}
	return m.GetBindingValue(binding.BindingName)
}

// Forget gives up what the main script exports as name, where nothing else holds it: thousands of runtimes need not keep
// what only the first is asked for. Export returns nil from then on.
func (in *Instance) Forget(name string) {
	if in.exports == nil {
		return
	}
	if i := slices.Index(in.program.light.names, name); i >= 0 {
		in.exports[i] = nil
	}
}

// Exports returns the names that the main script exports, in the order of the source.
func (in *Instance) Exports() (names []string) {
	if in.main != nil {
		if o, ok := in.main.exports().(*sobek.Object); ok {
			return o.Keys()
		}
		return nil
	}
	in.program.entry.esm.GetExportedNames(func(n []string) { names = n })
	return names
}

// CallerURL returns the URL of the file whose code is running: that of the innermost frame that belongs to a file of the
// program. Outside of any such code it is the main script's.
func (in *Instance) CallerURL() *url.URL {
	for _, depth := range []int{8, 0} { // most callers are near, and endless stacks are costly
		for _, frame := range in.rt.CaptureCallStack(depth, nil) {
			in.program.mu.RLock()
			r := in.program.records[frame.SrcName()]
			in.program.mu.RUnlock()
			if r != nil {
				return r.url
			}
		}
	}
	return in.program.entry.url
}

// Init says whether top-level code is running.
func (in *Instance) Init() bool { return in.init }

// InitOnly is the error of a function that only top-level code may call.
func InitOnly(function string) error {
	return fmt.Errorf("the %q function is only available in the init stage (i.e. the global scope), "+
		"see https://grafana.com/docs/k6/latest/using-k6/test-lifecycle/ for more information", function)
}

// require is the global function of that name.
func (in *Instance) require(call sobek.FunctionCall) sobek.Value {
	v, err := in.load(call.Argument(0))
	if err != nil {
		throw(in.rt, err)
	}
	return v
}

func (in *Instance) load(arg sobek.Value) (sobek.Value, error) {
	if !in.init {
		return nil, InitOnly("require")
	}
	specifier := arg.String()
	if sobek.IsUndefined(arg) || specifier == "" {
		return nil, errEmptySpecifier
	}
	p, base := in.program, in.CallerURL()
	m, err := p.lockedFind(base, specifier, in.host.IsNative)
	if err == nil {
		err = in.repair()
	}
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *nativeRecord:
		f, err := in.native(m)
		if err != nil {
			return nil, err
		}
		return f.value, nil
	case *commonJSRecord:
		f := in.commonJS(m)
		if err := f.run(); err != nil {
			return nil, err
		}
		return f.exports(), nil
	default:
		return in.loadESM(m)
	}
}

var errEmptySpecifier = errors.New("require() can't be used with an empty specifier")

func (p *Program) lockedFind(base *url.URL, specifier string, isNative func(string) bool) (sobek.ModuleRecord, error) {
	p.link.Lock()
	defer p.link.Unlock()
	return p.find(base.String(), base, specifier, isNative)
}

func (in *Instance) loadESM(m sobek.ModuleRecord) (sobek.Value, error) {
	r := in.program.recordOf(m)
	if err := in.program.prepare(r, in.host.IsNative); err != nil {
		return nil, err
	}
	if in.rt.GetModuleInstance(m) == nil {
		promise := m.Evaluate(in.rt)
		switch promise.State() {
		case sobek.PromiseStateRejected:
			err := in.reason(promise)
			return nil, errors.Join(err, in.listen(promise))
		case sobek.PromiseStatePending:
			return nil, fmt.Errorf("require() can't wait for the top-level await of %s; import it instead", r.url)
		}
	}
	return in.rt.NamespaceObjectFor(m), nil
}

// native returns the module of r in this runtime, making it when it is first asked for.
func (in *Instance) native(r *nativeRecord) (*foreign, error) {
	if f := in.foreign[r]; f != nil {
		return f, f.err
	}
	f := &foreign{rt: in.rt}
	in.foreign[r] = f
	exports, err := in.host.Native(r.name)
	if err != nil {
		f.err = err
		return nil, err
	}
	switch {
	case exports.Default != nil:
		f.value, f.named = in.rt.ToValue(exports.Default), exports.Named
	default:
		o := in.rt.NewObject()
		for _, name := range slices.Sorted(maps.Keys(exports.Named)) {
			if err := o.Set(name, exports.Named[name]); err != nil {
				return nil, err
			}
		}
		f.value = o
	}
	r.learnFrom(f)
	return f, nil
}

func (r *nativeRecord) learnFrom(f *foreign) {
	if r.names.Load() != nil {
		return
	}
	var names []string
	if o, ok := f.value.(*sobek.Object); ok {
		names = o.Keys()
	}
	for name := range f.named {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, cmp.Compare[string])
	r.learn(names)
}

// commonJS returns the module of r in this runtime; its code has not run when it is first asked for.
func (in *Instance) commonJS(r *commonJSRecord) *foreign {
	if f := in.foreign[r]; f != nil {
		return f
	}
	module := in.rt.NewObject()
	_ = module.Set("exports", in.rt.NewObject()) // a plain object refuses no name
	f := &foreign{rt: in.rt, in: in, record: r, module: module}
	in.foreign[r] = f
	return f
}
