package k6http

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/k6html"
)

func (r *response) document() *k6html.Selection {
	body, ok := r.bodyText()
	if !ok {
		r.c.throw(errNoBody("HTML"))
	}
	doc, err := k6html.Parse(r.c.vu.Runtime, body, r.url())
	if err != nil {
		r.c.throw(err)
	}
	return doc
}

// html is res.html(selector).
func (r *response) html(f sobek.FunctionCall) sobek.Value {
	doc := r.document()
	if len(f.Arguments) > 0 {
		doc = doc.Select(f.Argument(0).String())
	}
	return doc.Value()
}

// option is a property of an optional object of options.
func (r *response) option(f sobek.FunctionCall, name string) sobek.Value {
	if len(f.Arguments) == 0 || sobek.IsUndefined(f.Argument(0)) {
		return nil
	}
	v := f.Argument(0).ToObject(r.c.vu.Runtime).Get(name)
	if nothing(v) {
		return nil
	}
	return v
}

func (r *response) textOption(f sobek.FunctionCall, name, otherwise string) string {
	if v := r.option(f, name); v != nil {
		return v.String()
	}
	return otherwise
}

// clickLink is res.clickLink({selector, params}): a GET of the link's target.
func (r *response) clickLink(f sobek.FunctionCall) sobek.Value {
	css := r.textOption(f, "selector", "a[href]")
	href, found, linked := r.document().Select(css).Link()
	switch {
	case !found:
		r.c.throw(fmt.Errorf("no element found for selector '%s' in response '%s'", css, r.url()))
	case !linked:
		r.c.throw(fmt.Errorf("no valid href attribute value found on element '%s' in response '%s'", css, r.url()))
	}
	return r.c.send("GET", r.c.vu.Runtime.ToValue(r.resolve(href)), nil, r.option(f, "params"))
}

func (r *response) resolve(ref string) string {
	base, err := url.Parse(r.url())
	if err != nil {
		r.c.throw(err)
	}
	u, err := base.Parse(ref)
	if err != nil {
		r.c.throw(err)
	}
	return u.String()
}

// submitForm is res.submitForm({formSelector, fields, submitSelector, params}): what a browser would send, with some
// fields filled in.
func (r *response) submitForm(f sobek.FunctionCall) sobek.Value {
	c, rt := r.c, r.c.vu.Runtime
	css := r.textOption(f, "formSelector", "form")
	form, ok := r.document().Select(css).Form(r.textOption(f, "submitSelector", `[type="submit"]`))
	if !ok {
		c.throw(fmt.Errorf("no form found for selector '%s' in response '%s'", css, r.url()))
	}
	target := r.url()
	if form.Action != "" {
		target = r.resolve(form.Action)
	}
	if v := r.option(f, "fields"); v != nil {
		fields := v.ToObject(rt)
		for _, k := range fields.Keys() {
			_ = form.Fields.Set(k, fields.Get(k).String())
		}
	}
	params := r.option(f, "params")
	if form.Method != "GET" {
		return c.send(form.Method, rt.ToValue(target), form.Fields, params)
	}
	u, err := url.Parse(target)
	if err != nil {
		c.throw(err)
	}
	u.RawQuery = query(form.Fields).Encode()
	return c.send("GET", rt.ToValue(u.String()), nil, params)
}

func query(o *sobek.Object) url.Values {
	values := url.Values{}
	for _, k := range o.Keys() {
		v := o.Get(k)
		if list, ok := v.(*sobek.Object); ok && isArray(list) {
			for i := range length(list) {
				values.Add(k, list.Get(strconv.Itoa(i)).String())
			}
			continue
		}
		values.Set(k, v.String())
	}
	return values
}
