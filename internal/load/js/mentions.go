package js

import (
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/grafana/sobek/ast"
	"github.com/grafana/sobek/token"
	"github.com/grafana/sobek/unistring"
)

// Properties returns, sorted, the names of those properties of a global object that the program's sources name literally:
//
//	object.NAME   object?.NAME   object['NAME']   globalThis.object.NAME   'NAME' in object
//	const { NAME, OTHER: here, THIRD = 'x' } = object
//
// It knows the sources that have been loaded, so ask after the first init. It does not follow what is computed, nor another
// name for the object; and it does not follow scopes, so a local variable of the object's name counts.
func (p *Program) Properties(object string) ([]string, error) {
	p.mu.RLock()
	urls := make([]*url.URL, 0, len(p.records))
	for _, r := range p.records {
		urls = append(urls, r.url)
	}
	p.mu.RUnlock()
	quiet := &Program{opts: p.opts, loader: p.loader} // the sources' faults have been told of
	quiet.opts.Log = slog.New(slog.DiscardHandler)
	quiet.sealed.Store(true)
	m := mentions{object: unistring.NewFromString(object), names: map[string]bool{}}
	p.link.Lock() // a loader is not called twice at once
	defer p.link.Unlock()
	for _, u := range urls {
		data, err := p.loader.Load(u)
		if err != nil {
			return nil, fmt.Errorf("look for %s in %s: %w", object, u, err)
		}
		if !strings.Contains(string(data), object) {
			continue
		}
		in, err := quiet.parse(Source{u, data})
		if err != nil {
			return nil, err
		}
		for _, st := range in.tree.Body {
			walk(reflect.ValueOf(st), m.look)
		}
	}
	return slices.Sorted(maps.Keys(m.names)), nil
}

type mentions struct {
	object unistring.String
	names  map[string]bool
}

func (m *mentions) add(name unistring.String) { m.names[name.String()] = true }

func (m *mentions) look(node any) {
	switch n := node.(type) {
	case *ast.DotExpression:
		if m.is(n.Left) {
			m.add(n.Identifier.Name)
		}
	case *ast.BracketExpression:
		if m.is(n.Left) {
			m.literal(n.Member)
		}
	case *ast.BinaryExpression:
		if n.Operator == token.IN && m.is(n.Right) {
			m.literal(n.Left)
		}
	case *ast.Binding:
		if m.is(n.Initializer) {
			m.pattern(n.Target)
		}
	case *ast.AssignExpression:
		if m.is(n.Right) {
			m.pattern(n.Left)
		}
	}
}

// is reports whether e is the object.
func (m *mentions) is(e ast.Expression) bool {
	switch n := e.(type) {
	case *ast.Identifier:
		return n.Name == m.object
	case *ast.Optional:
		return m.is(n.Expression)
	case *ast.OptionalChain:
		return m.is(n.Expression)
	case *ast.DotExpression:
		global, ok := n.Left.(*ast.Identifier)
		return ok && (global.Name == "globalThis" || global.Name == "global") && n.Identifier.Name == m.object
	}
	return false
}

func (m *mentions) literal(e ast.Expression) {
	switch n := e.(type) {
	case *ast.StringLiteral:
		m.add(n.Value)
	case *ast.TemplateLiteral:
		if len(n.Elements) == 1 && n.Tag == nil && n.Elements[0].Valid {
			m.add(n.Elements[0].Parsed)
		}
	}
}

func (m *mentions) pattern(target any) {
	p, ok := target.(*ast.ObjectPattern)
	if !ok {
		return
	}
	for _, property := range p.Properties {
		switch n := property.(type) {
		case *ast.PropertyShort:
			m.add(n.Name.Name)
		case *ast.PropertyKeyed:
			m.literal(n.Key)
		}
	}
}
