package k6html

import (
	"github.com/grafana/sobek"
)

// selectionTable is what scripts can call on a selection.
var selectionTable = map[string]func(*Selection, sobek.FunctionCall) any{
	"add":             func(s *Selection, f sobek.FunctionCall) any { return s.Add(f) },
	"find":            func(s *Selection, f sobek.FunctionCall) any { return s.Find(f) },
	"single":          func(s *Selection, f sobek.FunctionCall) any { return s.Single(f) },
	"closest":         func(s *Selection, f sobek.FunctionCall) any { return s.Closest(f) },
	"has":             func(s *Selection, f sobek.FunctionCall) any { return s.Has(f) },
	"next":            func(s *Selection, f sobek.FunctionCall) any { return s.Next(f) },
	"nextAll":         func(s *Selection, f sobek.FunctionCall) any { return s.NextAll(f) },
	"prev":            func(s *Selection, f sobek.FunctionCall) any { return s.Prev(f) },
	"prevAll":         func(s *Selection, f sobek.FunctionCall) any { return s.PrevAll(f) },
	"parent":          func(s *Selection, f sobek.FunctionCall) any { return s.Parent(f) },
	"parents":         func(s *Selection, f sobek.FunctionCall) any { return s.Parents(f) },
	"siblings":        func(s *Selection, f sobek.FunctionCall) any { return s.Siblings(f) },
	"children":        func(s *Selection, f sobek.FunctionCall) any { return s.Children(f) },
	"nextUntil":       func(s *Selection, f sobek.FunctionCall) any { return s.NextUntil(f) },
	"prevUntil":       func(s *Selection, f sobek.FunctionCall) any { return s.PrevUntil(f) },
	"parentsUntil":    func(s *Selection, f sobek.FunctionCall) any { return s.ParentsUntil(f) },
	"size":            func(s *Selection, _ sobek.FunctionCall) any { return s.Size() },
	"end":             func(s *Selection, _ sobek.FunctionCall) any { return s.End() },
	"eq":              func(s *Selection, f sobek.FunctionCall) any { return s.Eq(int(f.Argument(0).ToInteger())) },
	"first":           func(s *Selection, _ sobek.FunctionCall) any { return s.First() },
	"last":            func(s *Selection, _ sobek.FunctionCall) any { return s.Last() },
	"contents":        func(s *Selection, _ sobek.FunctionCall) any { return s.Contents() },
	"text":            func(s *Selection, _ sobek.FunctionCall) any { return s.Text() },
	"attr":            func(s *Selection, f sobek.FunctionCall) any { return s.Attr(f) },
	"html":            func(s *Selection, _ sobek.FunctionCall) any { return s.Html() },
	"val":             func(s *Selection, _ sobek.FunctionCall) any { return s.Val() },
	"each":            func(s *Selection, f sobek.FunctionCall) any { return s.Each(f) },
	"map":             func(s *Selection, f sobek.FunctionCall) any { return s.Map(f) },
	"filter":          func(s *Selection, f sobek.FunctionCall) any { return s.Filter(f) },
	"not":             func(s *Selection, f sobek.FunctionCall) any { return s.Not(f) },
	"is":              func(s *Selection, f sobek.FunctionCall) any { return s.Is(f) },
	"slice":           func(s *Selection, f sobek.FunctionCall) any { return s.Slice(f) },
	"get":             func(s *Selection, f sobek.FunctionCall) any { return s.Get(f) },
	"toArray":         func(s *Selection, _ sobek.FunctionCall) any { return s.ToArray() },
	"index":           func(s *Selection, f sobek.FunctionCall) any { return s.Index(f) },
	"data":            func(s *Selection, f sobek.FunctionCall) any { return s.Data(f) },
	"serialize":       func(s *Selection, _ sobek.FunctionCall) any { return s.Serialize() },
	"serializeArray":  func(s *Selection, _ sobek.FunctionCall) any { return s.SerializeArray() },
	"serializeObject": func(s *Selection, _ sobek.FunctionCall) any { return s.SerializeObject() },
}

// selectionObject is a selection for scripts; a method becomes a function when it is first touched.
type selectionObject struct {
	s    *Selection
	made map[string]sobek.Value
}

// Get implements sobek.DynamicObject.
func (o *selectionObject) Get(key string) sobek.Value {
	if v := o.made[key]; v != nil {
		return v
	}
	m := selectionTable[key]
	if m == nil {
		return nil
	}
	v := o.s.p.rt.ToValue(func(f sobek.FunctionCall) sobek.Value { return o.s.p.value(m(o.s, f)) })
	o.Set(key, v)
	return v
}

// Set implements sobek.DynamicObject.
func (o *selectionObject) Set(key string, v sobek.Value) bool {
	if o.made == nil {
		o.made = map[string]sobek.Value{}
	}
	o.made[key] = v
	return true
}

// Has implements sobek.DynamicObject.
func (o *selectionObject) Has(key string) bool {
	return o.made[key] != nil || selectionTable[key] != nil
}

// Delete implements sobek.DynamicObject.
func (o *selectionObject) Delete(key string) bool {
	delete(o.made, key)
	return true
}

// Keys implements sobek.DynamicObject: a selection has methods only.
func (o *selectionObject) Keys() []string { return nil }
