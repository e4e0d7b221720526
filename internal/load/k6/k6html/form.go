package k6html

import (
	"net/url"
	"strings"

	"github.com/PuerkitoBio/goquery"
	"github.com/grafana/sobek"
)

// Field is one name of a form with its values.
type Field struct {
	Name   string
	Values []string
	List   bool // a select that takes several
}

// valueOf is the value of a form control: text, a list, or nil.
func valueOf(s *goquery.Selection) any {
	attr := func(name, otherwise string) string { return s.AttrOr(name, otherwise) }
	switch goquery.NodeName(s) {
	case "input":
		switch strings.ToLower(attr("type", "")) {
		case "checkbox", "radio":
			return attr("value", "on")
		}
		return attr("value", "")
	case "button":
		return attr("value", "")
	case "textarea":
		return s.Text()
	case "option":
		return optionValue(s)
	case "select":
		values, list := selected(s)
		if list {
			return values
		}
		if len(values) > 0 {
			return values[0]
		}
	}
	return nil
}

func optionValue(s *goquery.Selection) string {
	if v, ok := s.Attr("value"); ok {
		return v
	}
	return s.Text()
}

// selected are the values of a select; one that takes a single value has its first option selected when none says so.
func selected(s *goquery.Selection) (values []string, list bool) {
	_, list = s.Attr("multiple")
	chosen := s.Find("option[selected]")
	if !list {
		if chosen.Length() == 0 {
			chosen = s.Find("option")
		} else {
			chosen = chosen.Last()
		}
		chosen = chosen.First()
	}
	values = []string{}
	chosen.Each(func(_ int, o *goquery.Selection) { values = append(values, optionValue(o)) })
	return values, list
}

// fieldList is what a browser would send: of forms their controls, of controls themselves. Buttons, files, and what is
// disabled, unchecked or has no name are left out.
func (s *Selection) fieldList() []Field {
	var fields []Field
	s.sel.Each(func(_ int, n *goquery.Selection) {
		controls := n
		if goquery.NodeName(n) == "form" {
			controls = n.Find("input, select, textarea")
		}
		controls.Each(func(_ int, c *goquery.Selection) {
			if f, ok := field(c); ok {
				fields = append(fields, f)
			}
		})
	})
	return fields
}

func field(c *goquery.Selection) (f Field, ok bool) {
	f.Name = c.AttrOr("name", "")
	_, disabled := c.Attr("disabled")
	if f.Name == "" || disabled {
		return f, false
	}
	switch goquery.NodeName(c) {
	case "input":
		switch strings.ToLower(c.AttrOr("type", "")) {
		case "submit", "button", "reset", "image", "file":
			return f, false
		case "checkbox", "radio":
			if _, checked := c.Attr("checked"); !checked {
				return f, false
			}
		}
	case "select":
		f.Values, f.List = selected(c)
		return f, f.List || len(f.Values) > 0
	case "textarea":
	default:
		return f, false
	}
	v, _ := valueOf(c).(string)
	f.Values = []string{v}
	return f, true
}

func (s *Selection) fieldValue(f Field) sobek.Value {
	if f.List {
		list := make([]any, len(f.Values))
		for i, v := range f.Values {
			list[i] = v
		}
		return s.p.rt.NewArray(list...)
	}
	return s.p.rt.ToValue(f.Values[0])
}

// Serialize is the fields as application/x-www-form-urlencoded, sorted by name.
func (s *Selection) Serialize() string {
	values := url.Values{}
	for _, f := range s.fieldList() {
		values[f.Name] = append(values[f.Name], f.Values...)
	}
	return values.Encode()
}

// SerializeArray is the fields as a list of {name, value}.
func (s *Selection) SerializeArray() sobek.Value {
	out := []any{}
	for _, f := range s.fieldList() {
		o := s.p.rt.NewObject()
		_ = o.Set("name", f.Name)
		_ = o.Set("value", s.fieldValue(f))
		out = append(out, o)
	}
	return s.p.rt.NewArray(out...)
}

// SerializeObject is the fields as an object; of two with one name the last counts.
func (s *Selection) SerializeObject() sobek.Value { return s.object() }

func (s *Selection) object() *sobek.Object {
	out := s.p.rt.NewObject()
	for _, f := range s.fieldList() {
		_ = out.Set(f.Name, s.fieldValue(f))
	}
	return out
}

// Form is what submitting a form would send.
type Form struct {
	Method, Action string // the method in capitals, the action as written
	Fields         *sobek.Object
}

// Form reads the first form of the selection, pressing the first button that the selector submit finds in it; false
// when there is no form.
func (s *Selection) Form(submit string) (f Form, ok bool) {
	form := s.sel.First()
	if form.Length() == 0 {
		return f, false
	}
	f.Method = strings.ToUpper(form.AttrOr("method", "GET"))
	f.Action = form.AttrOr("action", "")
	f.Fields = s.of(form).object()
	button := form.Find(submit).First()
	if name := button.AttrOr("name", ""); name != "" {
		_ = f.Fields.Set(name, button.AttrOr("value", ""))
	}
	return f, true
}

// Link is the href of the first element; found and linked say whether there is one, and whether it has one.
func (s *Selection) Link() (href string, found, linked bool) {
	first := s.sel.First()
	if first.Length() == 0 {
		return "", false, false
	}
	href, linked = first.Attr("href")
	return href, true, linked
}
