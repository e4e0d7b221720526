package js

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/grafana/sobek"
	"github.com/grafana/sobek/ast"
	"github.com/grafana/sobek/token"
	"github.com/grafana/sobek/unistring"
)

// The engine's ES modules cost 20 KiB and 40 µs in each runtime: promises, async functions and maps for what most
// programs never do. A graph of modules in which nothing distinguishes a live binding from a copied value can run as
// plain functions instead: each takes its imports as arguments and returns its exports. That holds when there is no
// cycle, no top-level await, no namespace object, no import of CommonJS, and when no file assigns to a name that it
// imports or exports. Everything else, and every error at link time, is left to the engine's modules.
//
// See TestLightAndFullModulesAgree and TestTrivialInstancesAreSmall.

// lightGraph is a program as functions, in the order of evaluation. The main script is last.
type lightGraph struct {
	modules []*lightModule
	names   []string // what the main script exports
}

type lightModule struct {
	record  *record
	imports []lightImport
	natives []*nativeRecord        // all that it imports, if only for their effect
	exports map[string]lightImport // own names have module nil
	names   []string               // the local names that the function returns
	code    *sobek.Program         // its value is the function
}

// lightImport is a name of a module: of a native one, or else at an index of what a light module returns. Or it is a
// global name that never changes: as an argument, it is found ten times as fast.
type lightImport struct {
	global bool
	native *nativeRecord
	name   string
	module *lightModule
	index  int
}

// facts are what the syntax tree of a file says about whether it can be light.
type facts struct {
	heavy    bool
	assigned map[unistring.String]bool
}

var errHeavy = errors.New("this program needs full modules")

// lighten returns r's program as functions, or nil if that is not possible.
func (p *Program) lighten(r *record) (g *lightGraph) {
	defer func() {
		if recover() != nil {
			g = nil // the engine's own compiler will say what is wrong
		}
	}()
	if r.esm == nil || p.opts.FullModules {
		return nil
	}
	b := lightBuilder{program: p, done: map[*record]*lightModule{}, open: map[*record]bool{}}
	if _, err := b.add(r); err != nil {
		return nil
	}
	return &lightGraph{modules: b.order, names: slices.Sorted(maps.Keys(b.done[r].exports))}
}

type lightBuilder struct {
	program *Program
	done    map[*record]*lightModule
	open    map[*record]bool
	order   []*lightModule
}

func (b *lightBuilder) add(r *record) (*lightModule, error) {
	if m := b.done[r]; m != nil {
		return m, nil
	}
	if b.open[r] || r.esm == nil || r.tree == nil || r.tree.HasTLA || r.facts().heavy {
		return nil, errHeavy
	}
	b.open[r] = true
	m := &lightModule{record: r, exports: map[string]lightImport{}}
	for _, specifier := range r.esm.RequestedModules() {
		dep, err := b.program.resolved(r.esm, specifier)
		if err != nil {
			return nil, err
		}
		if n, ok := dep.(*nativeRecord); ok {
			m.natives = append(m.natives, n)
			continue
		}
		if _, err := b.add(b.program.recordOf(dep)); err != nil {
			return nil, err
		}
	}
	if err := b.translate(m); err != nil {
		return nil, err
	}
	b.done[r] = m
	b.order = append(b.order, m)
	return m, nil
}

// translate makes a function of m's syntax tree. It changes no node of it, since full modules may need it yet.
func (b *lightBuilder) translate(m *lightModule) error {
	t := translation{builder: b, m: m, imported: map[unistring.String]lightImport{}}
	for _, st := range m.record.tree.Body {
		if im, ok := st.(*ast.ImportDeclaration); ok {
			if err := t.importFrom(im); err != nil {
				return err
			}
		}
	}
	for _, name := range b.program.opts.Fixed {
		if n := unistring.String(name); !m.record.facts().assigned[n] && strings.Contains(m.record.tree.File.Source(), name) {
			t.params = append(t.params, n)
			m.imports = append(m.imports, lightImport{global: true, name: name})
		}
	}
	for _, st := range m.record.tree.Body {
		if err := t.statement(st); err != nil {
			return err
		}
	}
	if err := t.finish(); err != nil {
		return err
	}
	code, err := sobek.CompileAST(&ast.Program{File: m.record.tree.File, Body: []ast.Statement{&ast.ExpressionStatement{
		Expression: function(t.params, t.body, m.record.tree),
	}}}, true)
	m.code = code
	return err
}

type translation struct {
	builder  *lightBuilder
	m        *lightModule
	params   []unistring.String
	imported map[unistring.String]lightImport
	body     []ast.Statement
	exported [][2]unistring.String // local name, exported name
}

func (t *translation) importFrom(im *ast.ImportDeclaration) error {
	if im.FromClause == nil || im.ImportClause == nil {
		return nil
	}
	clause, from := im.ImportClause, im.FromClause.ModuleSpecifier.String()
	if clause.NameSpaceImport != nil {
		return errHeavy
	}
	if clause.ImportedDefaultBinding != nil {
		if err := t.bind(clause.ImportedDefaultBinding.Name, from, "default"); err != nil {
			return err
		}
	}
	if clause.NamedImports == nil {
		return nil
	}
	for _, spec := range clause.NamedImports.ImportsList {
		local := spec.Alias
		if local == "" {
			local = spec.IdentifierName
		}
		if err := t.bind(local, from, spec.IdentifierName.String()); err != nil {
			return err
		}
	}
	return nil
}

func (t *translation) bind(local unistring.String, from, name string) error {
	if t.m.record.facts().assigned[local] {
		return errHeavy
	}
	target, err := t.builder.lookup(t.m, from, name)
	if err != nil {
		return err
	}
	t.params = append(t.params, local)
	t.m.imports = append(t.m.imports, target)
	t.imported[local] = target
	return nil
}

// lookup finds what name means when it is imported from specifier in m.
func (b *lightBuilder) lookup(m *lightModule, specifier, name string) (lightImport, error) {
	dep, err := b.program.resolved(m.record.esm, specifier)
	if err != nil {
		return lightImport{}, err
	}
	if n, ok := dep.(*nativeRecord); ok {
		return lightImport{native: n, name: name}, nil
	}
	source := b.done[b.program.recordOf(dep)]
	if source == nil {
		return lightImport{}, errHeavy
	}
	target, ok := source.exports[name]
	if !ok {
		return lightImport{}, errHeavy
	}
	if target.module == nil && target.native == nil {
		target.module = source
	}
	return target, nil
}

func (t *translation) statement(st ast.Statement) error {
	switch st := st.(type) {
	case *ast.ImportDeclaration:
		return nil
	case *ast.ExportDeclaration:
		return t.export(st)
	default:
		t.body = append(t.body, st)
		return nil
	}
}

func (t *translation) export(st *ast.ExportDeclaration) error {
	switch {
	case st.Variable != nil:
		t.body = append(t.body, st.Variable)
		t.exportBindings(st.Variable.List)
	case st.LexicalDeclaration != nil:
		t.body = append(t.body, st.LexicalDeclaration)
		t.exportBindings(st.LexicalDeclaration.List)
	case st.HoistableDeclaration != nil && st.HoistableDeclaration.FunctionDeclaration != nil:
		f := st.HoistableDeclaration.FunctionDeclaration
		t.body = append(t.body, f)
		t.exportAs(f.Function.Name.Name, st.IsDefault)
	case st.ClassDeclaration != nil && st.ClassDeclaration.Class.Name != nil:
		t.body = append(t.body, st.ClassDeclaration)
		t.exportAs(st.ClassDeclaration.Class.Name.Name, st.IsDefault)
	case st.ClassDeclaration != nil:
		t.exportDefault(st.ClassDeclaration.Class)
	case st.AssignExpression != nil:
		t.exportDefault(st.AssignExpression)
	case st.NamedExports != nil && st.FromClause == nil:
		for _, spec := range st.NamedExports.ExportsList {
			t.exported = append(t.exported, [2]unistring.String{spec.IdentifierName, alias(spec)})
		}
	case st.ExportFromClause != nil && st.ExportFromClause.NamedExports != nil && st.FromClause == nil:
		for _, spec := range st.ExportFromClause.NamedExports.ExportsList {
			t.exported = append(t.exported, [2]unistring.String{spec.IdentifierName, alias(spec)})
		}
	case st.NamedExports != nil:
		return t.reexport(st.NamedExports, st.FromClause.ModuleSpecifier.String())
	default: // export * and what this version does not know
		return errHeavy
	}
	return nil
}

func alias(spec *ast.ExportSpecifier) unistring.String {
	if spec.Alias != "" {
		return spec.Alias
	}
	return spec.IdentifierName
}

func (t *translation) reexport(list *ast.NamedExports, from string) error {
	for _, spec := range list.ExportsList {
		target, err := t.builder.lookup(t.m, from, spec.IdentifierName.String())
		if err != nil {
			return err
		}
		t.m.exports[alias(spec).String()] = target
	}
	return nil
}

func (t *translation) exportBindings(list []*ast.Binding) {
	for _, b := range list {
		boundNames(b.Target, func(name unistring.String) { t.exportAs(name, false) })
	}
}

func (t *translation) exportAs(name unistring.String, isDefault bool) {
	exported := name
	if isDefault {
		exported = "default"
	}
	t.exported = append(t.exported, [2]unistring.String{name, exported})
}

// exportDefault binds an expression to a name that no source can contain, and that names functions as the standard says.
func (t *translation) exportDefault(e ast.Expression) {
	t.body = append(t.body, &ast.LexicalDeclaration{
		Idx: e.Idx0(), Token: token.CONST,
		List: []*ast.Binding{{Target: &ast.Identifier{Name: "default", Idx: e.Idx0()}, Initializer: e}},
	})
	t.exportAs("default", true)
}

// finish adds the return of the exported names.
func (t *translation) finish() error {
	values := &ast.ObjectLiteral{LeftBrace: 1, RightBrace: 1} // an array would need Array.prototype, which may never be needed again
	for _, e := range t.exported {
		local, name := e[0], e[1].String()
		if _, twice := t.m.exports[name]; twice || t.m.record.facts().assigned[local] {
			return errHeavy
		}
		if target, ok := t.imported[local]; ok {
			t.m.exports[name] = target
			continue
		}
		i := slices.Index(t.m.names, local.String())
		if i < 0 {
			i = len(t.m.names)
			t.m.names = append(t.m.names, local.String())
			values.Value = append(values.Value, &ast.PropertyKeyed{
				Key:  &ast.StringLiteral{Idx: 1, Literal: itoa(i), Value: unistring.String(itoa(i))},
				Kind: ast.PropertyKindValue, Value: &ast.Identifier{Name: local, Idx: 1},
			})
		}
		t.m.exports[name] = lightImport{name: name, index: i}
	}
	t.body = append(t.body, &ast.ReturnStatement{Argument: values})
	return nil
}

// evaluate runs g in in's runtime, and returns what the main script exports, in the order of g.names.
func (g *lightGraph) evaluate(in *Instance) ([]sobek.Value, error) {
	returned := make(map[*lightModule]*sobek.Object, len(g.modules))
	for _, m := range g.modules {
		for _, n := range m.natives {
			if _, err := in.native(n); err != nil {
				return nil, err
			}
		}
		v, err := in.rt.RunProgram(m.code)
		if err != nil {
			return nil, err
		}
		call, ok := sobek.AssertFunction(v)
		if !ok {
			return nil, errors.New("a module did not compile to a function")
		}
		args := make([]sobek.Value, len(m.imports))
		for i, im := range m.imports {
			if args[i], err = im.value(in, returned, nil); err != nil {
				return nil, err
			}
		}
		if v, err = call(sobek.Undefined(), args...); err != nil {
			return nil, err
		}
		returned[m] = v.ToObject(in.rt)
	}
	main := g.modules[len(g.modules)-1]
	exports := make([]sobek.Value, len(g.names))
	for i, name := range g.names {
		v, err := main.exports[name].value(in, returned, main)
		if err != nil {
			return nil, err
		}
		exports[i] = v
	}
	return exports, nil
}

func (i lightImport) value(in *Instance, returned map[*lightModule]*sobek.Object, self *lightModule) (sobek.Value, error) {
	if i.global {
		if v := in.rt.GlobalObject().Get(i.name); v != nil {
			return v, nil
		}
		return sobek.Undefined(), nil
	}
	if i.native != nil {
		f, err := in.native(i.native)
		if err != nil {
			return nil, err
		}
		return f.GetBindingValue(i.name), nil
	}
	m := i.module
	if m == nil {
		m = self
	}
	return returned[m].Get(itoa(i.index)), nil
}
