package js

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/grafana/sobek"
	"github.com/grafana/sobek/ast"

	"throng/internal/fault"
)

// Loader finds source files. Its methods are called from one goroutine at a time.
type Loader interface {
	// Resolve makes a specifier of the module at base absolute. It does not look whether the file exists.
	Resolve(base *url.URL, specifier string) (*url.URL, error)
	// Load returns the content of u.
	Load(u *url.URL) ([]byte, error)
}

// Source is one file of a program.
type Source struct {
	URL  *url.URL
	Data []byte
}

// CompileOptions are what Compile must know besides the source. The zero value is useful.
type CompileOptions struct {
	CompatibilityMode string // "extended" and "base" are the same since k6 1.0, but for the global named global
	Log               *slog.Logger
	// Fixed are global names whose values are there before any code runs and stay the same.
	Fixed []string
	// StdinPath is the URL path of a script that may be TypeScript though its name does not say so.
	StdinPath string
	// IsNative says which specifiers are modules written in Go. With it Compile loads all static imports, without it the
	// first Instantiate does.
	IsNative func(specifier string) bool
	// MaxBuffer is how many bytes one ArrayBuffer may hold; 0: 4 GiB.
	MaxBuffer uint64
	// FullModules keeps ES modules from being run as plain functions where that makes no difference; for comparison.
	FullModules bool
}

// Program is a script with all that it imports, compiled once and shared by all runtimes. It is safe for concurrent use.
type Program struct {
	opts   CompileOptions
	loader Loader
	entry  *record
	light  *lightGraph // of entry, where that is possible; set by prepare
	sealed atomic.Bool

	first   sync.Mutex // held during the first init, and whole inits until one succeeded
	settled bool       // one init succeeded; guarded by first

	link sync.Mutex // held while modules are loaded and linked; never together with mu by the same step

	repairs repairSet
	nothing *sobek.Program

	options atomic.Int64 // how often the sources say options

	mu       sync.RWMutex
	records  map[string]*record       // by URL
	natives  map[string]*nativeRecord // by specifier
	requests map[request]sobek.ModuleRecord
	running  map[*sobek.Runtime]*Instance // those whose top-level code runs
}

type request struct {
	from      any // the record that imports, or the URL of a require
	specifier string
}

// record is one source file. Exactly one of esm and cjs is set.
type record struct {
	url    *url.URL
	esm    *sobek.SourceTextModuleRecord
	cjs    *commonJSRecord
	once   sync.Once
	linked error

	tree  *ast.Program // of an ES module until it is linked
	known *facts
}

func (r *record) module() sobek.ModuleRecord {
	if r.esm != nil {
		return r.esm
	}
	return r.cjs
}

// Compile parses entry, and what it imports if opts.IsNative is set. Errors of the script's making are of kind
// fault.ScriptException.
func Compile(entry Source, loader Loader, opts CompileOptions) (*Program, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	p := &Program{
		opts: opts, loader: loader,
		records: map[string]*record{}, natives: map[string]*nativeRecord{},
		requests: map[request]sobek.ModuleRecord{}, running: map[*sobek.Runtime]*Instance{},
		nothing: sobek.MustCompile("", "", true),
	}
	p.link.Lock()
	defer p.link.Unlock()
	var err error
	if p.entry, err = p.add(entry); err != nil {
		return nil, err
	}
	if opts.IsNative != nil {
		err = p.loadImports(p.entry, map[*record]bool{}, opts.IsNative)
	}
	return p, err
}

// Seal ends loading: from now on only modules that are part of the program already can be imported or required.
func (p *Program) Seal() { p.sealed.Store(true) }

// ReadsOptions reports whether the sources speak of options again beside the place where they are exported: whether any
// code may ever see what that object holds.
func (p *Program) ReadsOptions() bool { return p.options.Load() > 1 }

// Entry is the URL of the main script.
func (p *Program) Entry() *url.URL { return p.entry.url }

// add parses src and keeps it. p.link is held.
func (p *Program) add(src Source) (_ *record, err error) {
	defer guard(&err)
	if err := p.repairs.look(src.Data); err != nil {
		return nil, err
	}
	in, err := p.parse(src)
	if err != nil {
		return nil, err
	}
	p.options.Add(int64(bytes.Count(src.Data, []byte("options"))))
	r := &record{url: src.URL}
	if in.esm {
		r.tree = in.tree
		r.esm, err = sobek.ModuleFromAST(in.tree, p.resolved)
	} else {
		r.cjs, err = newCommonJS(p, in.tree)
	}
	if err != nil {
		return nil, fault.New(fault.ScriptException, err)
	}
	p.mu.Lock()
	p.records[src.URL.String()] = r
	p.mu.Unlock()
	return r, nil
}

// loadImports loads everything that r imports, directly or not, by import declarations. p.link is held.
func (p *Program) loadImports(r *record, seen map[*record]bool, isNative func(string) bool) error {
	if r.esm == nil || seen[r] {
		return nil
	}
	seen[r] = true
	for _, specifier := range r.esm.RequestedModules() {
		m, err := p.find(r.esm, r.url, specifier, isNative)
		if err != nil {
			return err
		}
		if dep := p.recordOf(m); dep != nil {
			if err := p.loadImports(dep, seen, isNative); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Program) recordOf(m sobek.ModuleRecord) *record {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, r := range p.records {
		if r.module() == m {
			return r
		}
	}
	return nil
}

// find returns the module that specifier means in the file at base, loading it if need be. p.link is held.
func (p *Program) find(from any, base *url.URL, specifier string, isNative func(string) bool) (sobek.ModuleRecord, error) {
	req := request{from, specifier}
	p.mu.RLock()
	m := p.requests[req]
	p.mu.RUnlock()
	if m != nil {
		return m, nil
	}
	m, err := p.findNew(base, specifier, isNative)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.requests[req] = m
	p.mu.Unlock()
	return m, nil
}

func (p *Program) findNew(base *url.URL, specifier string, isNative func(string) bool) (sobek.ModuleRecord, error) {
	if isNative != nil && isNative(specifier) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if n := p.natives[specifier]; n != nil {
			return n, nil
		}
		if p.sealed.Load() {
			return nil, notResolved(specifier)
		}
		n := &nativeRecord{program: p, name: specifier}
		p.natives[specifier] = n
		return n, nil
	}
	u, err := p.loader.Resolve(base, specifier)
	if err != nil {
		return nil, fault.New(fault.ScriptException, err)
	}
	p.mu.RLock()
	r := p.records[u.String()]
	p.mu.RUnlock()
	if r != nil {
		return r.module(), nil
	}
	if p.sealed.Load() {
		return nil, notResolved(specifier)
	}
	data, err := p.loader.Load(u)
	if err != nil {
		return nil, fault.New(fault.ScriptException, err)
	}
	if r, err = p.add(Source{URL: u, Data: data}); err != nil {
		return nil, err
	}
	return r.module(), nil
}

func notResolved(specifier string) error {
	return fmt.Errorf("the module %q was not previously resolved during initialization (__VU==0)", specifier)
}

// resolved is what the engine asks when it links and evaluates; loadImports has found everything before.
func (p *Program) resolved(from any, specifier string) (sobek.ModuleRecord, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if m := p.requests[request{from, specifier}]; m != nil {
		return m, nil
	}
	return nil, errors.New("no module " + specifier)
}

// prepare loads what r imports and links it, once.
func (p *Program) prepare(r *record, isNative func(string) bool) (err error) {
	r.once.Do(func() {
		defer guard(&r.linked)
		p.link.Lock()
		defer p.link.Unlock()
		if r.linked = p.loadImports(r, map[*record]bool{}, isNative); r.linked != nil {
			return
		}
		if r == p.entry {
			if p.light = p.lighten(r); p.light != nil {
				return
			}
		}
		r.linked = fault.New(fault.ScriptException, r.module().Link())
	})
	return r.linked
}

// instanceIn returns the instance whose top-level code runs in rt.
func (p *Program) instanceIn(rt *sobek.Runtime) *Instance {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.running[rt]
}
