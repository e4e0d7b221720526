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
			f.walk(reflect.ValueOf(st))
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

var fileType = reflect.TypeFor[*file.File]()

// walk visits every node below v. Reflection keeps it complete when the engine learns new syntax.
func (f *facts) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			f.walk(v.Elem())
		}
	case reflect.Pointer:
		if v.IsNil() || v.Type() == fileType {
			return
		}
		if v.CanInterface() {
			f.look(v.Interface())
		}
		f.walk(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			f.walk(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			f.walk(v.Index(i))
		}
	}
}
