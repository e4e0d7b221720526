package k6html

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/PuerkitoBio/goquery"
	"github.com/grafana/sobek"
	"golang.org/x/net/html"
)

// Selection is a set of elements, as jQuery has it. Its exported methods are what scripts call.
type Selection struct {
	p   *page
	sel *goquery.Selection
}

// Value is the selection for scripts.
func (s *Selection) Value() sobek.Value {
	return s.p.rt.NewDynamicObject(&selectionObject{s: s})
}

// Select returns what css finds below the selection.
func (s *Selection) Select(css string) *Selection { return s.of(s.sel.Find(css)) }

func (s *Selection) of(sel *goquery.Selection) *Selection { return &Selection{s.p, sel} }

// set reads an argument that may be a selector, a selection or an element.
func (s *Selection) set(v sobek.Value, method string) (css string, nodes []*html.Node, isSet bool) {
	if o, ok := v.(*sobek.Object); ok {
		switch x := o.Export().(type) {
		case *selectionObject:
			return "", x.s.sel.Nodes, true
		case *element:
			return "", []*html.Node{x.node}, true
		}
	}
	if str, ok := v.(sobek.String); ok {
		return str.String(), nil, false
	}
	s.p.throw("cannot use a %s as the argument of %s(): it takes a selector, a selection or an element", typeName(v), method)
	return "", nil, false
}

func typeName(v sobek.Value) string {
	if missing(v) {
		return "<nil>"
	}
	return fmt.Sprintf("%T", v.Export())
}

// either calls one of two goquery methods.
func (s *Selection) either(f sobek.FunctionCall, method string, css func(string) *goquery.Selection,
	nodes func(...*html.Node) *goquery.Selection) *Selection {
	sel, list, isSet := s.set(f.Argument(0), method)
	if isSet {
		return s.of(nodes(list...))
	}
	return s.of(css(sel))
}

// filtered calls the plain method, or the one with a selector when there is an argument.
func (s *Selection) filtered(f sobek.FunctionCall, plain func() *goquery.Selection, css func(string) *goquery.Selection) *Selection {
	if missing(f.Argument(0)) {
		return s.of(plain())
	}
	return s.of(css(f.Argument(0).String()))
}

// Add is the union with what a selector finds in the document, or with another set.
func (s *Selection) Add(f sobek.FunctionCall) *Selection {
	css, nodes, isSet := s.set(f.Argument(0), "add")
	if isSet {
		return s.of(s.sel.AddNodes(nodes...))
	}
	return s.of(s.sel.AddSelection(s.p.doc.Find(css)))
}

// Find looks below the selection.
func (s *Selection) Find(f sobek.FunctionCall) *Selection {
	return s.either(f, "find", s.sel.Find, s.sel.FindNodes)
}

// Single is Find that stops at the first.
func (s *Selection) Single(f sobek.FunctionCall) *Selection {
	css := f.Argument(0).String()
	return s.of(s.sel.FindMatcher(goquery.Single(css)).First())
}

// Closest is the nearest match of each, itself or above it.
func (s *Selection) Closest(f sobek.FunctionCall) *Selection {
	return s.either(f, "closest", s.sel.Closest, s.sel.ClosestNodes)
}

// Has keeps those that hold a match.
func (s *Selection) Has(f sobek.FunctionCall) *Selection {
	return s.either(f, "has", s.sel.Has, s.sel.HasNodes)
}

// Next and the like walk from each element.
func (s *Selection) Next(f sobek.FunctionCall) *Selection {
	return s.filtered(f, s.sel.Next, s.sel.NextFiltered)
}

// NextAll see Next.
func (s *Selection) NextAll(f sobek.FunctionCall) *Selection {
	return s.filtered(f, s.sel.NextAll, s.sel.NextAllFiltered)
}

// Prev see Next.
func (s *Selection) Prev(f sobek.FunctionCall) *Selection {
	return s.filtered(f, s.sel.Prev, s.sel.PrevFiltered)
}

// PrevAll see Next.
func (s *Selection) PrevAll(f sobek.FunctionCall) *Selection {
	return s.filtered(f, s.sel.PrevAll, s.sel.PrevAllFiltered)
}

// Parent see Next.
func (s *Selection) Parent(f sobek.FunctionCall) *Selection {
	return s.filtered(f, s.sel.Parent, s.sel.ParentFiltered)
}

// Parents see Next.
func (s *Selection) Parents(f sobek.FunctionCall) *Selection {
	return s.filtered(f, s.sel.Parents, s.sel.ParentsFiltered)
}

// Siblings see Next.
func (s *Selection) Siblings(f sobek.FunctionCall) *Selection {
	return s.filtered(f, s.sel.Siblings, s.sel.SiblingsFiltered)
}

// Children see Next.
func (s *Selection) Children(f sobek.FunctionCall) *Selection {
	return s.filtered(f, s.sel.Children, s.sel.ChildrenFiltered)
}

func (s *Selection) until(f sobek.FunctionCall, method string, all func() *goquery.Selection, allFiltered func(string) *goquery.Selection,
	css func(string) *goquery.Selection, nodes func(...*html.Node) *goquery.Selection,
	cssFiltered func(filter, until string) *goquery.Selection, nodesFiltered func(string, ...*html.Node) *goquery.Selection) *Selection {
	filter := ""
	if !missing(f.Argument(1)) {
		filter = f.Argument(1).String()
	}
	if missing(f.Argument(0)) {
		if filter != "" {
			return s.of(allFiltered(filter))
		}
		return s.of(all())
	}
	stop, list, isSet := s.set(f.Argument(0), method)
	switch {
	case isSet && filter != "":
		return s.of(nodesFiltered(filter, list...))
	case isSet:
		return s.of(nodes(list...))
	case filter != "":
		return s.of(cssFiltered(filter, stop))
	}
	return s.of(css(stop))
}

// NextUntil stops before the first match.
func (s *Selection) NextUntil(f sobek.FunctionCall) *Selection {
	return s.until(f, "nextUntil", s.sel.NextAll, s.sel.NextAllFiltered, s.sel.NextUntil, s.sel.NextUntilNodes, s.sel.NextFilteredUntil, s.sel.NextFilteredUntilNodes)
}

// PrevUntil stops before the first match.
func (s *Selection) PrevUntil(f sobek.FunctionCall) *Selection {
	return s.until(f, "prevUntil", s.sel.PrevAll, s.sel.PrevAllFiltered, s.sel.PrevUntil, s.sel.PrevUntilNodes, s.sel.PrevFilteredUntil, s.sel.PrevFilteredUntilNodes)
}

// ParentsUntil stops before the first match.
func (s *Selection) ParentsUntil(f sobek.FunctionCall) *Selection {
	return s.until(f, "parentsUntil", s.sel.Parents, s.sel.ParentsFiltered, s.sel.ParentsUntil, s.sel.ParentsUntilNodes, s.sel.ParentsFilteredUntil, s.sel.ParentsFilteredUntilNodes)
}

// Size is the number of elements.
func (s *Selection) Size() int { return s.sel.Length() }

// End is the selection that this one was made of.
func (s *Selection) End() *Selection { return s.of(s.sel.End()) }

// Eq is the element at i; a negative i counts from the end.
func (s *Selection) Eq(i int) *Selection { return s.of(s.sel.Eq(i)) }

// First is the first element.
func (s *Selection) First() *Selection { return s.of(s.sel.First()) }

// Last is the last element.
func (s *Selection) Last() *Selection { return s.of(s.sel.Last()) }

// Contents is the children with text and comments.
func (s *Selection) Contents() *Selection { return s.of(s.sel.Contents()) }

// Text is the text of all, joined.
func (s *Selection) Text() string { return s.sel.Text() }

// Attr is an attribute of the first element, else the default.
func (s *Selection) Attr(f sobek.FunctionCall) sobek.Value {
	v, ok := s.sel.Attr(f.Argument(0).String())
	if !ok {
		if len(f.Arguments) > 1 {
			return f.Argument(1)
		}
		return sobek.Undefined()
	}
	return s.p.rt.ToValue(v)
}

// Html is what stands inside the first element.
func (s *Selection) Html() sobek.Value { //nolint:revive // scripts call it html
	h, err := s.sel.Html()
	if err != nil {
		return sobek.Undefined()
	}
	return s.p.rt.ToValue(h)
}

// Val is the value of the first form control.
func (s *Selection) Val() sobek.Value {
	if s.sel.Length() == 0 {
		return sobek.Undefined()
	}
	return s.p.value(valueOf(s.sel.First()))
}

func (s *Selection) each(fn sobek.Callable, do func(i int, n *goquery.Selection, v sobek.Value) bool, arg func(*goquery.Selection) sobek.Value) {
	s.sel.EachWithBreak(func(i int, n *goquery.Selection) bool {
		v, err := fn(sobek.Undefined(), s.p.rt.ToValue(i), arg(n))
		if err != nil {
			panic(err)
		}
		return do(i, n, v)
	})
}

func (s *Selection) single(n *goquery.Selection) sobek.Value { return s.of(n).Value() }

// Each calls a function with index and element of each.
func (s *Selection) Each(f sobek.FunctionCall) *Selection {
	fn, ok := sobek.AssertFunction(f.Argument(0))
	if !ok {
		s.p.throw("the argument to each() must be a function")
	}
	s.each(fn, func(int, *goquery.Selection, sobek.Value) bool { return true },
		func(n *goquery.Selection) sobek.Value { return s.p.element(n.Nodes[0]) })
	return s
}

// Map is the list of what a function returns for index and selection of each.
func (s *Selection) Map(f sobek.FunctionCall) sobek.Value {
	fn, ok := sobek.AssertFunction(f.Argument(0))
	if !ok {
		s.p.throw("the argument to map() must be a function")
	}
	out := []any{}
	s.each(fn, func(_ int, _ *goquery.Selection, v sobek.Value) bool {
		out = append(out, v)
		return true
	}, s.single)
	return s.p.rt.NewArray(out...)
}

// chosen are the nodes for which a function returns something true.
func (s *Selection) chosen(fn sobek.Callable) []*html.Node {
	var nodes []*html.Node
	s.each(fn, func(_ int, n *goquery.Selection, v sobek.Value) bool {
		if v != nil && v.ToBoolean() {
			nodes = append(nodes, n.Nodes...)
		}
		return true
	}, s.single)
	return nodes
}

func (s *Selection) pick(f sobek.FunctionCall, method string, css func(string) *goquery.Selection, nodes func(...*html.Node) *goquery.Selection) *Selection {
	v := f.Argument(0)
	if fn, ok := sobek.AssertFunction(v); ok {
		return s.of(nodes(s.chosen(fn)...))
	}
	if _, isText := v.(sobek.String); !isText {
		if o, ok := v.(*sobek.Object); !ok || !isSet(o) {
			s.p.throw("the argument to %s() must be a function, a selector or a selection", method)
		}
	}
	return s.either(f, method, css, nodes)
}

func isSet(o *sobek.Object) bool {
	switch o.Export().(type) {
	case *selectionObject, *element:
		return true
	}
	return false
}

// Filter keeps those that match.
func (s *Selection) Filter(f sobek.FunctionCall) *Selection {
	return s.pick(f, "filter", s.sel.Filter, s.sel.FilterNodes)
}

// Not keeps those that do not match.
func (s *Selection) Not(f sobek.FunctionCall) *Selection {
	return s.pick(f, "not", s.sel.Not, s.sel.NotNodes)
}

// Is reports whether one of them matches.
func (s *Selection) Is(f sobek.FunctionCall) bool {
	return s.pick(f, "is", s.sel.Filter, s.sel.FilterNodes).Size() > 0
}

// Slice is a part of the selection; negative numbers count from the end.
func (s *Selection) Slice(f sobek.FunctionCall) *Selection {
	n := s.sel.Length()
	at := func(v sobek.Value, otherwise int) int {
		if missing(v) {
			return otherwise
		}
		i := int(v.ToInteger())
		if i < 0 {
			i += n
		}
		return min(max(i, 0), n)
	}
	from := at(f.Argument(0), 0)
	return s.of(s.sel.Slice(from, max(from, at(f.Argument(1), n))))
}

// Get is the element at an index, or all of them.
func (s *Selection) Get(f sobek.FunctionCall) sobek.Value {
	if missing(f.Argument(0)) {
		return s.p.elements(s.sel.Nodes)
	}
	i := int(f.Argument(0).ToInteger())
	if i < 0 {
		i += len(s.sel.Nodes)
	}
	if i < 0 || i >= len(s.sel.Nodes) {
		return sobek.Undefined()
	}
	return s.p.element(s.sel.Nodes[i])
}

// ToArray is a list of selections of one element each.
func (s *Selection) ToArray() sobek.Value {
	out := make([]any, 0, s.sel.Length())
	for i := range s.sel.Length() {
		out = append(out, s.single(s.sel.Eq(i)))
	}
	return s.p.rt.NewArray(out...)
}

// Index is the place of the first element: among its siblings, among what a selector finds, or that of another here.
func (s *Selection) Index(f sobek.FunctionCall) int {
	if missing(f.Argument(0)) {
		return s.sel.Index()
	}
	css, nodes, isSet := s.set(f.Argument(0), "index")
	switch {
	case !isSet:
		return s.sel.IndexSelector(css)
	case len(nodes) == 0:
		return -1
	}
	return s.sel.IndexOfNode(nodes[0])
}

// Data is a data attribute of the first element with its type guessed as jQuery does, or an object of all of them.
func (s *Selection) Data(f sobek.FunctionCall) sobek.Value {
	if s.sel.Length() == 0 {
		return sobek.Undefined()
	}
	node := s.sel.Nodes[0]
	if !missing(f.Argument(0)) {
		v, ok := s.sel.Attr("data-" + dashed(f.Argument(0).String()))
		if !ok {
			return sobek.Undefined()
		}
		return s.p.guess(v)
	}
	var out *sobek.Object
	for _, a := range node.Attr {
		if name, ok := strings.CutPrefix(a.Key, "data-"); ok && name != "" {
			if out == nil {
				out = s.p.rt.NewObject()
			}
			_ = out.Set(camel(name), s.p.guess(a.Val))
		}
	}
	if out == nil {
		return sobek.Undefined()
	}
	return out
}

// dashed is the attribute's spelling of a name: twoWords is two-words.
func dashed(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('-')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func camel(name string) string {
	parts := strings.Split(name, "-")
	for i, p := range parts {
		if i > 0 && p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}

// guess turns text into what it spells, where writing that again gives the same text.
func (p *page) guess(s string) sobek.Value {
	switch s {
	case "true", "false":
		return p.rt.ToValue(s == "true")
	case "null":
		return sobek.Null()
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && strconv.FormatFloat(f, 'f', -1, 64) == s {
		return p.rt.ToValue(f)
	}
	if strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
		if json.Valid([]byte(s)) {
			parse, _ := sobek.AssertFunction(p.rt.GlobalObject().Get("JSON").ToObject(p.rt).Get("parse"))
			if v, err := parse(sobek.Undefined(), p.rt.ToValue(s)); err == nil {
				return v
			}
		}
	}
	return p.rt.ToValue(s)
}
