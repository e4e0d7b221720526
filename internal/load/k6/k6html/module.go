package k6html

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/PuerkitoBio/goquery"
	"github.com/grafana/sobek"
	"golang.org/x/net/html"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
)

// New makes the exports of 'k6/html'.
func New(vu *scope.VU) (js.Exports, error) {
	rt := vu.Runtime
	parse := func(f sobek.FunctionCall) sobek.Value {
		s, err := Parse(rt, f.Argument(0).String(), "")
		if err != nil {
			panic(rt.NewGoError(err))
		}
		return s.Value()
	}
	o := rt.NewObject()
	return js.Exports{Default: o}, o.Set("parseHTML", parse)
}

// Parse reads a document that came from base, which may be empty. Its error is that of the HTML parser, which takes
// almost anything.
func Parse(rt *sobek.Runtime, text, base string) (*Selection, error) {
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse HTML: %w", err)
	}
	p := &page{rt: rt, doc: goquery.NewDocumentFromNode(root)}
	if base != "" {
		p.base, _ = url.Parse(base)
	}
	return &Selection{p: p, sel: p.doc.Selection}, nil
}

// page is a document in one runtime.
type page struct {
	rt   *sobek.Runtime
	doc  *goquery.Document
	base *url.URL
}

func (p *page) value(v any) sobek.Value {
	switch v := v.(type) {
	case nil:
		return sobek.Undefined()
	case sobek.Value:
		return v
	case *Selection:
		return v.Value()
	}
	return p.rt.ToValue(v)
}

// throw raises an error in the script.
func (p *page) throw(format string, args ...any) {
	panic(p.rt.NewGoError(fmt.Errorf(format, args...)))
}

// resolve makes a reference absolute where the document's address is known.
func (p *page) resolve(ref string) string {
	if p.base == nil || ref == "" {
		return ref
	}
	u, err := p.base.Parse(strings.TrimSpace(ref))
	if err != nil {
		return ref
	}
	return u.String()
}

func missing(v sobek.Value) bool { return v == nil || sobek.IsUndefined(v) || sobek.IsNull(v) }
