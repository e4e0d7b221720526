package k6html

import (
	"strings"

	"github.com/andybalholm/cascadia"
	"github.com/grafana/sobek"
	"golang.org/x/net/html"
)

// commonMethod returns what every node can do, or nil.
func commonMethod(key string) call {
	if m, ok := commonTable[key]; ok {
		return m
	}
	return nil
}

var commonTable = map[string]call{
	"attributes": func(e *element, _ sobek.FunctionCall) any {
		o := e.p.rt.NewObject()
		for _, a := range e.node.Attr {
			_ = o.Set(a.Key, e.attributeObject(a))
		}
		return o
	},
	"childElementCount": func(e *element, _ sobek.FunctionCall) any { return len(childElements(e.node)) },
	"childNodes": func(e *element, _ sobek.FunctionCall) any {
		var nodes []*html.Node
		for n := e.node.FirstChild; n != nil; n = n.NextSibling {
			nodes = append(nodes, n)
		}
		return e.p.elements(nodes)
	},
	"children":  func(e *element, _ sobek.FunctionCall) any { return e.p.elements(childElements(e.node)) },
	"classList": func(e *element, _ sobek.FunctionCall) any { return e.p.rt.NewArray(words(e.attrOr("class", ""))...) },
	"className": orUndefined("class"),
	"contains": func(e *element, f sobek.FunctionCall) any {
		n := argNode(f)
		return n != nil && holds(e.node, n)
	},
	"firstChild":        func(e *element, _ sobek.FunctionCall) any { return e.maybe(e.node.FirstChild) },
	"firstElementChild": func(e *element, _ sobek.FunctionCall) any { return e.maybe(firstElement(e.node)) },
	"getAttribute": func(e *element, f sobek.FunctionCall) any {
		if v, ok := e.attr(strings.ToLower(f.Argument(0).String())); ok {
			return v
		}
		return nil
	},
	"getAttributeNode": func(e *element, f sobek.FunctionCall) any {
		name := strings.ToLower(f.Argument(0).String())
		for _, a := range e.node.Attr {
			if a.Key == name {
				return e.attributeObject(a)
			}
		}
		return nil
	},
	"getElementsByClassName": func(e *element, f sobek.FunctionCall) any {
		names := strings.Fields(f.Argument(0).String())
		var nodes []*html.Node
		for _, n := range e.find("[class]") {
			has := strings.Fields((&element{node: n}).attrOr("class", ""))
			if len(names) > 0 && subset(names, has) {
				nodes = append(nodes, n)
			}
		}
		return e.p.elements(nodes)
	},
	"getElementsByTagName": func(e *element, f sobek.FunctionCall) any {
		name := strings.ToLower(f.Argument(0).String())
		var nodes []*html.Node
		for _, n := range e.find("*") {
			if name == "*" || n.Data == name {
				nodes = append(nodes, n)
			}
		}
		return e.p.elements(nodes)
	},
	"hasAttribute": func(e *element, f sobek.FunctionCall) any {
		_, ok := e.attr(strings.ToLower(f.Argument(0).String()))
		return ok
	},
	"hasAttributes": func(e *element, _ sobek.FunctionCall) any { return len(e.node.Attr) > 0 },
	"hasChildNodes": func(e *element, _ sobek.FunctionCall) any { return e.node.FirstChild != nil },
	"id":            func(e *element, _ sobek.FunctionCall) any { return e.attrOr("id", "") },
	"innerHTML": func(e *element, _ sobek.FunctionCall) any {
		var b strings.Builder
		for n := e.node.FirstChild; n != nil; n = n.NextSibling {
			b.WriteString(outer(n))
		}
		return b.String()
	},
	"isDefaultNamespace": func(e *element, _ sobek.FunctionCall) any { return e.node.Namespace == "" },
	"isEqualNode": func(e *element, f sobek.FunctionCall) any {
		n := argNode(f)
		return n != nil && outer(e.node) == outer(n)
	},
	"isSameNode":       func(e *element, f sobek.FunctionCall) any { return e.node == argNode(f) },
	"lang":             func(e *element, _ sobek.FunctionCall) any { return language(e.node) },
	"lastChild":        func(e *element, _ sobek.FunctionCall) any { return e.maybe(e.node.LastChild) },
	"lastElementChild": func(e *element, _ sobek.FunctionCall) any { return e.maybe(lastElement(e.node)) },
	"matches": func(e *element, f sobek.FunctionCall) any {
		m, err := cascadia.ParseGroup(f.Argument(0).String())
		return err == nil && e.node.Type == html.ElementNode && m.Match(e.node)
	},
	"namespaceURI":       func(e *element, _ sobek.FunctionCall) any { return namespace(e.node) },
	"nextElementSibling": func(e *element, _ sobek.FunctionCall) any { return e.maybe(next(e.node, forward)) },
	"nextSibling":        func(e *element, _ sobek.FunctionCall) any { return e.maybe(e.node.NextSibling) },
	"nodeName":           func(e *element, _ sobek.FunctionCall) any { return e.nodeName() },
	"nodeType":           func(e *element, _ sobek.FunctionCall) any { return e.nodeType() },
	"nodeValue": func(e *element, _ sobek.FunctionCall) any {
		if e.node.Type == html.TextNode || e.node.Type == html.CommentNode {
			return e.node.Data
		}
		return nil
	},
	"ownerDocument": func(e *element, _ sobek.FunctionCall) any {
		n := e.node
		for n.Parent != nil {
			n = n.Parent
		}
		if n.Type != html.DocumentNode || n == e.node {
			return nil
		}
		return e.p.element(n)
	},
	"parentElement": func(e *element, _ sobek.FunctionCall) any {
		if n := e.node.Parent; n != nil && n.Type == html.ElementNode {
			return e.p.element(n)
		}
		return nil
	},
	"parentNode":             func(e *element, _ sobek.FunctionCall) any { return e.maybe(e.node.Parent) },
	"previousElementSibling": func(e *element, _ sobek.FunctionCall) any { return e.maybe(next(e.node, backward)) },
	"previousSibling":        func(e *element, _ sobek.FunctionCall) any { return e.maybe(e.node.PrevSibling) },
	"querySelector":          func(e *element, f sobek.FunctionCall) any { return e.maybe(e.first(f.Argument(0).String())) },
	"querySelectorAll":       func(e *element, f sobek.FunctionCall) any { return e.p.elements(e.find(f.Argument(0).String())) },
	"selection": func(e *element, _ sobek.FunctionCall) any {
		return (&Selection{e.p, e.p.doc.FindNodes(e.node)}).Value()
	},
	"textContent": func(e *element, _ sobek.FunctionCall) any { return e.text() },
	"toString":    func(e *element, _ sobek.FunctionCall) any { return outer(e.node) },
}

// orUndefined is an attribute, undefined when it is not there.
func orUndefined(name string) call {
	return func(e *element, _ sobek.FunctionCall) any {
		if v, ok := e.attr(name); ok {
			return v
		}
		return nil
	}
}

func subset(names, of []string) bool {
	for _, n := range names {
		found := false
		for _, o := range of {
			found = found || o == n
		}
		if !found {
			return false
		}
	}
	return true
}

// language is the attribute lang of the node or of the nearest node above it that has one.
func language(n *html.Node) any {
	for ; n != nil; n = n.Parent {
		for _, a := range n.Attr {
			if a.Key == "lang" {
				return a.Val
			}
		}
	}
	return nil
}
