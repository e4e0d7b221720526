package k6http

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/grafana/sobek"
	"github.com/tidwall/gjson"
)

// document is what has been learned of a body as JSON.
type document struct {
	text  string
	value sobek.Value // nil until parsed as a whole
	valid bool
}

// bodyText is what json() and html() read: the body, or what a script has put in its place.
func (r *response) bodyText() (string, bool) {
	if r.bodySet {
		b, ok := fileData(r.assigned("body"))
		return string(b), ok
	}
	if r.call == nil || r.wire.Body == nil || r.call.kind == none {
		return "", false
	}
	return r.text(), true
}

func errNoBody(into string) error {
	return fmt.Errorf("the body is null so we can't transform it to %s - this likely was because of a request error getting the response", into)
}

// json is res.json(selector).
func (r *response) json(f sobek.FunctionCall) sobek.Value {
	c := r.c
	body, ok := r.bodyText()
	if !ok {
		c.throw(errNoBody("JSON"))
	}
	more := r.rare()
	if more.doc == nil || more.doc.text != body {
		more.doc = &document{text: body}
	}
	d := more.doc
	if len(f.Arguments) > 0 {
		if !d.valid && (endless(body) || !gjson.Valid(body)) {
			return sobek.Undefined()
		}
		d.valid = true
		found := gjson.Get(body, f.Argument(0).String())
		if !found.Exists() {
			return sobek.Undefined()
		}
		return c.parsed(found)
	}
	if d.value == nil {
		v, err := c.parseJSON(body)
		if err != nil {
			c.throw(err)
		}
		d.value, d.valid = v, true
	}
	return d.value
}

// endless reports whether text nests deeper than any document would: a parser that calls itself for every level would use up
// the stack, which ends the process. Shorter texts cannot.
func endless(text string) bool {
	const most = 1 << 20
	if len(text) < most {
		return false
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '[', '{': // those inside of strings count too: that many are no document either
			if depth++; depth > most {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}

// parsed makes a value of what a selector found.
func (c *client) parsed(found gjson.Result) sobek.Value {
	rt := c.vu.Runtime
	switch found.Type {
	case gjson.Null:
		return sobek.Null()
	case gjson.False:
		return rt.ToValue(false)
	case gjson.True:
		return rt.ToValue(true)
	case gjson.Number:
		return rt.ToValue(found.Num)
	case gjson.String:
		return rt.ToValue(found.Str)
	}
	v, err := c.parseJSON(found.Raw)
	if err != nil {
		c.throw(err)
	}
	return v
}

// parseJSON is JSON.parse with k6's words for what is wrong.
func (c *client) parseJSON(text string) (sobek.Value, error) {
	v, err := readJSON(c.vu.Runtime, text)
	if err == nil {
		return v, nil
	}
	var any any
	if wrong := json.Unmarshal([]byte(text), &any); wrong != nil {
		return nil, jsonError(text, wrong)
	}
	return nil, err
}

func jsonError(text string, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	before := text[:min(int(syntax.Offset), len(text))]
	line := strings.Count(before, "\n")
	column := len(before) - (strings.LastIndexByte(before, '\n') + 1)
	if strings.HasSuffix(before, "\n") { // the newline itself is what is wrong
		column = 1
	}
	return fmt.Errorf("cannot parse json due to an error at line %d, character %d , error: %w", line+1, column, err)
}
