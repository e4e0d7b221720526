package js

import (
	"reflect"
	"strconv"

	"github.com/grafana/sobek/ast"
	"github.com/grafana/sobek/file"
	"github.com/grafana/sobek/token"
	"github.com/grafana/sobek/unistring"
)

func itoa(i int) string { return strconv.Itoa(i) }

// facts reads r's syntax tree once. It does not follow scopes: a name that is assigned anywhere counts.
func (r *record) facts() facts {
	if r.known == nil {
		f := facts{assigned: map[unistring.String]bool{}}
		for _, st := range r.tree.Body {
			walk(reflect.ValueOf(st), f.look)
		}
		r.known = &f
	}
	return *r.known
}

func (f *facts) assign(target ast.Expression) {
	boundNames(target, func(name unistring.String) { f.assigned[name] = true })
}

// look notes what one node means for its file.
func (f *facts) look(node any) {
	switch n := node.(type) {
	case *ast.AssignExpression:
		f.assign(n.Left)
	case *ast.UnaryExpression:
		if n.Operator == token.INCREMENT || n.Operator == token.DECREMENT {
			f.assign(n.Operand)
		}
	case *ast.ForIntoExpression:
		f.assign(n.Expression)
	case *ast.ForIntoVar:
		f.assign(n.Binding.Target)
	case *ast.MetaProperty, *ast.DynamicImportExpression:
		f.heavy = true
	case *ast.Identifier:
		// eval sees local names; require may load a module that is imported, too, and must find the same one.
		f.heavy = f.heavy || n.Name == "eval" || n.Name == "require"
	}
}

// usesMeta says whether tree contains import.meta, which only modules may.
func usesMeta(tree *ast.Program) bool {
	found := false
	for _, st := range tree.Body {
		walk(reflect.ValueOf(st), func(node any) {
			_, meta := node.(*ast.MetaProperty)
			found = found || meta
		})
	}
	return found
}

// breaksFields says whether tree has a field of a derived class in a form that the engine gets wrong: an arrow function,
// in which it loses `this`, or a static one with super, which it refuses.
func breaksFields(tree *ast.Program) bool {
	found := false
	risky := func(node any) {
		switch node.(type) {
		case *ast.ArrowFunctionLiteral, *ast.SuperExpression:
			found = true
		}
	}
	for _, st := range tree.Body {
		walk(reflect.ValueOf(st), func(node any) {
			class, ok := node.(*ast.ClassLiteral)
			if !ok || class.SuperClass == nil || found {
				return
			}
			for _, element := range class.Body {
				if field, ok := element.(*ast.FieldDefinition); ok {
					walk(reflect.ValueOf(&field.Initializer).Elem(), risky)
				}
			}
		})
	}
	return found
}

var fileType = reflect.TypeFor[*file.File]()

// walk visits every node below v. Reflection keeps it complete when the engine learns new syntax.
func walk(v reflect.Value, look func(any)) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			walk(v.Elem(), look)
		}
	case reflect.Pointer:
		if v.IsNil() || v.Type() == fileType {
			return
		}
		if v.CanInterface() {
			look(v.Interface())
		}
		walk(v.Elem(), look)
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), look)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), look)
		}
	}
}
