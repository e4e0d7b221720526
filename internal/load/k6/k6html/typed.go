package k6html

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/PuerkitoBio/goquery"
	"github.com/grafana/sobek"
	"golang.org/x/net/html"
)

// properties says in words what an element of each kind can do beyond what all can. A word is the method's name, which
// reads the attribute of that name in lower case as text; after a colon stands what else it reads: bool (the attribute is
// there), int and its default, url (made absolute), one of the values after =, the first of which is the default.
// A word with @ is computed; see computed. The kinds and names are those of the HTML standard's DOM interfaces.
var properties = map[string]string{
	"a":        "@hash @host @hostname @port @username @password @origin @pathname @protocol @relList @search @text accessKey href:url hrefLang hreflang media rel target type download",
	"area":     "@hash @host @hostname @port @username @password @origin @pathname @protocol @relList @search accessKey alt coords href:url hrefLang hreflang media rel shape target type",
	"audio":    "autoplay:bool controls:bool loop:bool muted:bool defaultMuted:bool=muted preload=auto,metadata,none src:url currentSrc:url=src crossOrigin mediaGroup",
	"base":     "href:url target",
	"button":   "@form @labels @value accessKey autofocus:bool disabled:bool formAction:url formEnctype=application/x-www-form-urlencoded,multipart/form-data,text/plain formMethod=get,post,dialog formNoValidate:bool formTarget name type=submit,button,menu,reset",
	"canvas":   "width:int=300 height:int=150",
	"data":     "value",
	"datalist": "@options",
	"del":      "cite:url dateTime datetime",
	"embed":    "height width src:url type",
	"fieldset": "@elements @form disabled:bool name @tag",
	"form":     "@elements @length name method=get,post,dialog target action:url enctype=application/x-www-form-urlencoded,multipart/form-data,text/plain autocomplete=on,off acceptCharset~accept-charset noValidate:bool",
	"iframe":   "src:url srcdoc name width height allowFullscreen:bool referrerPolicy",
	"img":      "alt src:url currentSrc:url=src srcset sizes width:int=0 height:int=0 naturalWidth:int=0~width naturalHeight:int=0~height isMap:bool useMap name crossOrigin",
	"input":    "@form @labels @list @value accept accessKey alt autocomplete=on,off autofocus:bool checked:bool defaultChecked:bool~checked defaultValue~value dirName disabled:bool formAction:url formEnctype=application/x-www-form-urlencoded,multipart/form-data,text/plain formMethod=get,post,dialog formNoValidate:bool formTarget height width max maxLength:int=-1 minLength:int=-1 min multiple:bool name pattern placeholder readonly:bool readOnly:bool required:bool size:int=20 src:url step type=text,*",
	"ins":      "cite:url dateTime datetime",
	"keygen":   "@form @labels autofocus:bool challenge disabled:bool keytype=rsa,dsa,ec name type=keygen",
	"label":    "@control @form htmlFor~for",
	"legend":   "@form accessKey value",
	"li":       "type value:int=0",
	"link":     "@relList crossOrigin referrerPolicy href:url hrefLang hreflang media rel target type",
	"map":      "@areas @images name",
	"meta":     "content name httpEquiv~http-equiv charset",
	"meter":    "@labels high low max min optimum value",
	"object":   "@form data:url height name tabIndex:int=0 type typeMustMatch:bool useMap width",
	"ol":       "reversed:bool start:int=1 type",
	"optgroup": "disabled:bool label",
	"option":   "@form @index @text @optionValue defaultSelected:bool~selected disabled:bool selected:bool @label",
	"output":   "@form @labels @defaultValue htmlFor~for name @value",
	"param":    "name value",
	"pre":      "name value",
	"progress": "@labels @position max value",
	"q":        "cite:url", "blockquote": "cite:url",
	"script": "@text async:bool charset crossOrigin defer:bool noModule:bool src:url type",
	"select": "@form @labels @options @selectedIndex @selectedOptions @length @value autofocus:bool disabled:bool multiple:bool name required:bool size:int=0 @selectType",
	"source": "keySystem media sizes src:url srcset type",
	"style":  "disabled:bool media type",
	"table":  "@caption @tHead @tFoot @rows @tBodies sortable:bool",
	"tbody":  "@rows", "thead": "@rows", "tfoot": "@rows",
	"td":  "@cellIndex colSpan:int=1 rowSpan:int=1 headers",
	"th":  "@cellIndex colSpan:int=1 rowSpan:int=1 headers abbr scope sorted:bool",
	"tr":  "@cells @rowIndex @sectionRowIndex vAlign",
	"col": "span:int=1", "colgroup": "span:int=1",
	"textarea": "@form @labels @length @textValue @textLength accessKey autocomplete=on,off autofocus:bool cols:int=20 rows:int=2 dirName disabled:bool maxLength:int=-1 minLength:int=-1 name placeholder readOnly:bool readonly:bool required:bool @textDefault wrap=soft,hard,off @textType",
	"time":     "dateTime datetime",
	"title":    "@text",
	"track":    "default:bool kind=subtitles,captions,descriptions,chapters,metadata label src:url srclang srcLang",
	"ul":       "type",
	"video":    "autoplay:bool controls:bool loop:bool muted:bool defaultMuted:bool=muted preload=auto,metadata,none src:url currentSrc:url=src crossOrigin mediaGroup poster:url height:int=0 width:int=0",
}

// typedMethod returns a method of elements of that name, or nil.
func typedMethod(tag, key string) call {
	for _, word := range strings.Fields(properties[tag]) {
		name, computes := strings.CutPrefix(word, "@")
		if computes {
			if m, as := computed(name); as == key {
				return m
			}
			continue
		}
		if end := strings.IndexAny(word, ":=~"); end >= 0 {
			name = word[:end]
		}
		if name == key {
			return reader(name, word[len(name):])
		}
	}
	return nil
}

// reader makes a method of what stands behind its name in properties.
func reader(name, how string) call {
	attr := strings.ToLower(name)
	if before, after, ok := strings.Cut(how, "~"); ok {
		how, attr = before, after
	}
	kind, arg, _ := strings.Cut(strings.TrimPrefix(how, ":"), "=")
	switch {
	case kind == "bool":
		if arg != "" {
			attr = arg
		}
		return func(e *element, _ sobek.FunctionCall) any {
			_, ok := e.attr(attr)
			return ok
		}
	case kind == "int":
		otherwise, _ := strconv.Atoi(arg)
		return func(e *element, _ sobek.FunctionCall) any {
			if n, err := strconv.Atoi(strings.TrimSpace(e.attrOr(attr, ""))); err == nil {
				return n
			}
			return otherwise
		}
	case kind == "url":
		if arg != "" {
			attr = arg
		}
		return func(e *element, _ sobek.FunctionCall) any { return e.p.resolve(e.attrOr(attr, "")) }
	case strings.HasPrefix(how, "="):
		values := strings.Split(how[1:], ",")
		return func(e *element, _ sobek.FunctionCall) any {
			v := strings.ToLower(e.attrOr(attr, ""))
			for _, known := range values {
				if v == known || known == "*" && v != "" {
					return v
				}
			}
			return values[0]
		}
	}
	return func(e *element, _ sobek.FunctionCall) any { return e.attrOr(attr, "") }
}

// link makes a method that reads a part of an element's href.
func link(part func(*url.URL) string) call {
	return func(e *element, _ sobek.FunctionCall) any {
		u, err := url.Parse(e.p.resolve(strings.TrimSpace(e.attrOr("href", ""))))
		if err != nil {
			return ""
		}
		return part(u)
	}
}

func text(e *element, _ sobek.FunctionCall) any { return e.text() }

func list(css string) call {
	return func(e *element, _ sobek.FunctionCall) any { return e.p.elements(e.find(css)) }
}

func child(tag string) call {
	return func(e *element, _ sobek.FunctionCall) any {
		for _, n := range childElements(e.node) {
			if n.Data == tag {
				return e.p.element(n)
			}
		}
		return nil
	}
}

const controls = "button, fieldset, input:not([type=image]), object, output, select, textarea"

// computed returns a method of properties that is no plain attribute, and the name that scripts call it by.
func computed(name string) (call, string) {
	switch name {
	case "hash":
		return link(func(u *url.URL) string { return prefixed("#", u.EscapedFragment()) }), name
	case "host":
		return link(func(u *url.URL) string { return u.Host }), name
	case "hostname":
		return link((*url.URL).Hostname), name
	case "port":
		return link((*url.URL).Port), name
	case "username":
		return link(func(u *url.URL) string { return u.User.Username() }), name
	case "password":
		return link(func(u *url.URL) string { p, _ := u.User.Password(); return p }), name
	case "origin":
		return link(func(u *url.URL) string {
			if u.Host == "" {
				return ""
			}
			return u.Scheme + "://" + u.Host
		}), name
	case "pathname":
		return link((*url.URL).EscapedPath), name
	case "protocol":
		return link(func(u *url.URL) string {
			if u.Scheme == "" {
				return ""
			}
			return u.Scheme + ":"
		}), name
	case "search":
		return link(func(u *url.URL) string { return prefixed("?", u.RawQuery) }), name
	case "relList":
		return func(e *element, _ sobek.FunctionCall) any { return e.p.rt.NewArray(words(e.attrOr("rel", ""))...) }, name
	case "text":
		return text, name
	case "form":
		return func(e *element, _ sobek.FunctionCall) any { return e.maybe(e.form()) }, name
	case "labels":
		return func(e *element, _ sobek.FunctionCall) any { return e.p.elements(e.labels()) }, name
	case "elements":
		return list(controls), name
	case "length":
		return func(e *element, _ sobek.FunctionCall) any {
			switch e.node.Data {
			case "select":
				return len(e.find("option"))
			case "textarea":
				return len([]rune(e.text()))
			}
			return len(e.find(controls))
		}, name
	case "options":
		return list("option"), name
	case "areas":
		return list("area"), name
	case "caption":
		return child("caption"), name
	case "tHead":
		return child("thead"), name
	case "tFoot":
		return child("tfoot"), name
	case "tBodies":
		return list("tbody"), name
	case "rows":
		return list("tr"), name
	case "cells":
		return func(e *element, _ sobek.FunctionCall) any {
			return e.p.elements(e.self().ChildrenFiltered("td, th").Nodes)
		}, name
	}
	return control(name)
}

// control is computed for what form controls and table cells know.
func control(name string) (call, string) {
	switch name {
	case "value":
		return func(e *element, _ sobek.FunctionCall) any {
			if e.node.Data == "output" {
				return e.text()
			}
			if v, ok := valueOf(e.self()).(string); ok {
				return v
			}
			if values, ok := valueOf(e.self()).([]string); ok && len(values) > 0 {
				return values[0]
			}
			return ""
		}, name
	case "optionValue":
		return func(e *element, _ sobek.FunctionCall) any { return optionValue(e.self()) }, "value"
	case "textValue":
		return text, "value"
	case "textDefault", "defaultValue":
		return text, "defaultValue"
	case "textLength":
		return func(e *element, _ sobek.FunctionCall) any { return len([]rune(e.text())) }, name
	case "textType":
		return func(*element, sobek.FunctionCall) any { return "textarea" }, "type"
	case "tag":
		return func(e *element, _ sobek.FunctionCall) any { return e.node.Data }, "type"
	case "selectType":
		return func(e *element, _ sobek.FunctionCall) any {
			if _, ok := e.attr("multiple"); ok {
				return "select-multiple"
			}
			return "select-one"
		}, "type"
	case "label":
		return func(e *element, _ sobek.FunctionCall) any {
			if v, ok := e.attr("label"); ok {
				return v
			}
			return e.text()
		}, name
	case "index":
		return func(e *element, _ sobek.FunctionCall) any {
			around := e.above("select", "datalist")
			if around == nil {
				return 0
			}
			return position(goquery.NewDocumentFromNode(around).Find("option").Nodes, e.node)
		}, name
	case "selectedOptions":
		return func(e *element, _ sobek.FunctionCall) any { return e.p.elements(e.chosen()) }, name
	case "selectedIndex":
		return func(e *element, _ sobek.FunctionCall) any {
			chosen := e.chosen()
			if len(chosen) == 0 {
				return -1
			}
			return position(e.find("option"), chosen[0])
		}, name
	case "list":
		return func(e *element, _ sobek.FunctionCall) any {
			id := e.attrOr("list", "")
			return e.maybe(byID(e.p.doc.Find("datalist"), id))
		}, name
	case "control":
		return func(e *element, _ sobek.FunctionCall) any {
			if id, ok := e.attr("for"); ok {
				return e.maybe(byID(e.p.doc.Find("*"), id))
			}
			return e.maybe(e.first("button, input:not([type=hidden]), meter, output, progress, select, textarea"))
		}, name
	case "images":
		return func(e *element, _ sobek.FunctionCall) any {
			want := "#" + e.attrOr("name", "")
			return e.p.elements(e.p.doc.Find("img, object").FilterFunction(func(_ int, s *goquery.Selection) bool {
				return s.AttrOr("usemap", "") == want
			}).Nodes)
		}, name
	case "position":
		return func(e *element, _ sobek.FunctionCall) any {
			v, err1 := strconv.ParseFloat(e.attrOr("value", ""), 64)
			m, err2 := strconv.ParseFloat(e.attrOr("max", "1"), 64)
			if err1 != nil || err2 != nil || m == 0 {
				return -1.0
			}
			return v / m
		}, name
	case "cellIndex":
		return func(e *element, _ sobek.FunctionCall) any {
			if e.node.Parent == nil {
				return -1
			}
			return position(childElements(e.node.Parent), e.node)
		}, name
	case "rowIndex":
		return func(e *element, _ sobek.FunctionCall) any { return e.rowIn("table") }, name
	case "sectionRowIndex":
		return func(e *element, _ sobek.FunctionCall) any { return e.rowIn("tbody", "thead", "tfoot", "table") }, name
	}
	return nil, ""
}

func prefixed(sign, s string) string {
	if s == "" {
		return ""
	}
	return sign + s
}

func position(nodes []*html.Node, n *html.Node) int {
	for i := range nodes {
		if nodes[i] == n {
			return i
		}
	}
	return -1
}

func byID(s *goquery.Selection, id string) *html.Node {
	for _, n := range s.Nodes {
		for _, a := range n.Attr {
			if a.Key == "id" && a.Val == id && id != "" {
				return n
			}
		}
	}
	return nil
}

// chosen are the selected options of a select.
func (e *element) chosen() []*html.Node {
	nodes := e.find("option[selected]")
	if _, multiple := e.attr("multiple"); multiple {
		return nodes
	}
	if len(nodes) > 0 {
		return nodes[len(nodes)-1:]
	}
	if all := e.find("option"); len(all) > 0 {
		return all[:1]
	}
	return nil
}

func (e *element) rowIn(names ...string) int {
	around := e.above(names...)
	if around == nil {
		return -1
	}
	return position(goquery.NewDocumentFromNode(around).Find("tr").Nodes, e.node)
}
