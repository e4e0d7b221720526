package k6html

import (
	"strings"

	"github.com/PuerkitoBio/goquery"
	"github.com/grafana/sobek"
	"golang.org/x/net/html"
)

// element is one node of a document for scripts. What it can do is in tables: one for all nodes, one for each kind.
type element struct {
	p    *page
	node *html.Node
	made map[string]sobek.Value
}

// call is a method of an element; what it returns becomes a JavaScript value, nil undefined.
type call func(e *element, f sobek.FunctionCall) any

func (p *page) element(n *html.Node) sobek.Value {
	if n == nil {
		return sobek.Undefined()
	}
	return p.rt.NewDynamicObject(&element{p: p, node: n})
}

func (p *page) elements(nodes []*html.Node) sobek.Value {
	out := make([]any, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, p.element(n))
	}
	return p.rt.NewArray(out...)
}

func (e *element) method(key string) call {
	if m := commonMethod(key); m != nil {
		return m
	}
	if e.node.Type != html.ElementNode {
		return nil
	}
	return typedMethod(e.node.Data, key)
}

// Get implements sobek.DynamicObject.
func (e *element) Get(key string) sobek.Value {
	if v := e.made[key]; v != nil {
		return v
	}
	m := e.method(key)
	if m == nil {
		return nil
	}
	v := e.p.rt.ToValue(func(f sobek.FunctionCall) sobek.Value { return e.p.value(m(e, f)) })
	e.Set(key, v)
	return v
}

// Set implements sobek.DynamicObject.
func (e *element) Set(key string, v sobek.Value) bool {
	if e.made == nil {
		e.made = map[string]sobek.Value{}
	}
	e.made[key] = v
	return true
}

// Has implements sobek.DynamicObject.
func (e *element) Has(key string) bool { return e.made[key] != nil || e.method(key) != nil }

// Delete implements sobek.DynamicObject.
func (e *element) Delete(key string) bool {
	delete(e.made, key)
	return true
}

// Keys implements sobek.DynamicObject: like k6's elements, methods only.
func (e *element) Keys() []string { return nil }

func (e *element) attr(name string) (string, bool) {
	for _, a := range e.node.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func (e *element) attrOr(name, otherwise string) string {
	if v, ok := e.attr(name); ok {
		return v
	}
	return otherwise
}

// self is a selection of this node alone, wherever it is in the document.
func (e *element) self() *goquery.Selection { return goquery.NewDocumentFromNode(e.node).Selection }

func (e *element) text() string { return e.self().Text() }

// maybe is the node as an element, undefined where there is none.
func (e *element) maybe(n *html.Node) any { return e.p.element(n) }

func next(n *html.Node, step func(*html.Node) *html.Node) *html.Node {
	for n = step(n); n != nil && n.Type != html.ElementNode; n = step(n) {
	}
	return n
}

func forward(n *html.Node) *html.Node  { return n.NextSibling }
func backward(n *html.Node) *html.Node { return n.PrevSibling }

func firstElement(n *html.Node) *html.Node {
	if c := n.FirstChild; c == nil || c.Type == html.ElementNode {
		return c
	}
	return next(n.FirstChild, forward)
}

func lastElement(n *html.Node) *html.Node {
	if c := n.LastChild; c == nil || c.Type == html.ElementNode {
		return c
	}
	return next(n.LastChild, backward)
}

func childElements(n *html.Node) (list []*html.Node) {
	for c := firstElement(n); c != nil; c = next(c, forward) {
		list = append(list, c)
	}
	return list
}

func (e *element) find(css string) []*html.Node { return e.self().Find(css).Nodes }

func (e *element) first(css string) *html.Node {
	if nodes := e.find(css); len(nodes) > 0 {
		return nodes[0]
	}
	return nil
}

// above is the nearest ancestor with one of the names.
func (e *element) above(names ...string) *html.Node {
	for n := e.node.Parent; n != nil; n = n.Parent {
		for _, name := range names {
			if n.Type == html.ElementNode && n.Data == name {
				return n
			}
		}
	}
	return nil
}

// form is the form that owns a control: the one it names, or the one around it.
func (e *element) form() *html.Node {
	if id, ok := e.attr("form"); ok {
		found := e.p.doc.Find("form").FilterFunction(func(_ int, s *goquery.Selection) bool { return s.AttrOr("id", "") == id })
		if found.Length() > 0 {
			return found.Nodes[0]
		}
		return nil
	}
	return e.above("form")
}

// labels are those that name the control, and those around it.
func (e *element) labels() []*html.Node {
	id, hasID := e.attr("id")
	return e.p.doc.Find("label").FilterFunction(func(_ int, s *goquery.Selection) bool {
		if target, ok := s.Attr("for"); ok {
			return hasID && target == id
		}
		for n := e.node.Parent; n != nil; n = n.Parent {
			if n == s.Nodes[0] {
				return true
			}
		}
		return false
	}).Nodes
}

func outer(n *html.Node) string {
	var b strings.Builder
	_ = html.Render(&b, n) // a strings.Builder takes everything
	return b.String()
}

func argNode(f sobek.FunctionCall) *html.Node {
	if o, ok := f.Argument(0).(*sobek.Object); ok {
		if e, ok := o.Export().(*element); ok {
			return e.node
		}
	}
	return nil
}

func holds(outer, inner *html.Node) bool {
	for n := inner; n != nil; n = n.Parent {
		if n == outer {
			return true
		}
	}
	return false
}

func namespace(n *html.Node) string {
	switch n.Namespace {
	case "svg":
		return "http://www.w3.org/2000/svg"
	case "math":
		return "http://www.w3.org/1998/Math/MathML"
	}
	return "http://www.w3.org/1999/xhtml"
}

func (e *element) nodeName() string {
	switch e.node.Type {
	case html.TextNode:
		return "#text"
	case html.CommentNode:
		return "#comment"
	case html.DocumentNode:
		return "#document"
	}
	return e.node.Data
}

// nodeType is the number that the DOM has for a node's kind.
func (e *element) nodeType() int {
	switch e.node.Type {
	case html.TextNode:
		return 3
	case html.CommentNode:
		return 8
	case html.DocumentNode:
		return 9
	case html.DoctypeNode:
		return 10
	}
	return 1
}

func (e *element) attributeObject(a html.Attribute) *sobek.Object {
	o := e.p.rt.NewObject()
	_ = o.Set("name", a.Key)
	_ = o.Set("value", a.Val)
	_ = o.Set("namespaceURI", a.Namespace)
	_ = o.Set("localName", a.Key)
	_ = o.Set("prefix", "")
	_ = o.Set("ownerElement", e.p.element(e.node))
	return o
}

func words(s string) []any {
	out := []any{}
	for _, w := range strings.Fields(s) {
		out = append(out, w)
	}
	return out
}
