package js

import (
	"github.com/grafana/sobek/ast"
	"github.com/grafana/sobek/unistring"
)

// splitExports turns `export const <pattern> = value` into the declaration and an export of the names it binds. The
// engine does not know how to export renamed, nested or remaining parts of a pattern, and panics at them.
func splitExports(tree *ast.Program) {
	for i, st := range tree.Body {
		export, ok := st.(*ast.ExportDeclaration)
		if !ok {
			continue
		}
		var list []*ast.Binding
		var plain ast.Statement
		switch {
		case export.LexicalDeclaration != nil:
			list, plain = export.LexicalDeclaration.List, export.LexicalDeclaration
		case export.Variable != nil:
			list, plain = export.Variable.List, export.Variable
		default:
			continue
		}
		if allIdentifiers(list) {
			continue
		}
		var names []*ast.ExportSpecifier
		for _, b := range list {
			boundNames(b.Target, func(name unistring.String) {
				names = append(names, &ast.ExportSpecifier{IdentifierName: name})
			})
		}
		named := &ast.ExportDeclaration{Idx: export.Idx, NamedExports: &ast.NamedExports{ExportsList: names}}
		tree.Body[i] = plain
		for j, e := range tree.ExportEntries {
			if e == export {
				tree.ExportEntries[j] = named
			}
		}
	}
}

func allIdentifiers(list []*ast.Binding) bool {
	for _, b := range list {
		if _, ok := b.Target.(*ast.Identifier); !ok {
			return false
		}
	}
	return true
}

// boundNames calls yield with every name that target binds.
func boundNames(target ast.Expression, yield func(unistring.String)) {
	switch t := target.(type) {
	case nil:
	case *ast.Identifier:
		yield(t.Name)
	case *ast.AssignExpression:
		boundNames(t.Left, yield)
	case *ast.SpreadElement:
		boundNames(t.Expression, yield)
	case *ast.ObjectPattern:
		for _, p := range t.Properties {
			switch p := p.(type) {
			case *ast.PropertyShort:
				yield(p.Name.Name)
			case *ast.PropertyKeyed:
				boundNames(p.Value, yield)
			case *ast.SpreadElement:
				boundNames(p.Expression, yield)
			}
		}
		boundNames(t.Rest, yield)
	case *ast.ArrayPattern:
		for _, e := range t.Elements {
			boundNames(e, yield)
		}
		boundNames(t.Rest, yield)
	}
}
