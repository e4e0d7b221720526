package k6html

import (
	"testing"

	"throng/internal/load/k6/scopetest"
)

const doc = `<div id="a" class="x y"><p id="b" data-n="7">one <b>two</b></p><p id="c">three</p></div>
<form id="f" action="go?x=1" method="post"><input name="t" value="1"><input type="checkbox" name="on" checked><select name="s"><option>p<option value="q">Q</select>
<textarea name="note">a &amp; b</textarea><button type="submit" name="ok" value="yes">ok</button></form><a href="../up">up</a>`

func rig(t *testing.T) *scopetest.Rig {
	r := scopetest.New(t)
	r.Import(New)
	_ = r.Runtime.Set("text", doc)
	r.Run(`var doc = parseHTML(text), $ = (css) => doc.find(css)`)
	return r
}

func TestWalkingChangesNothing(t *testing.T) {
	r := rig(t)
	before := r.Run(`doc.html()`)
	for _, src := range []string{
		`$('p').next().prev().parent().children().filter((i) => i > 0).not('#a').end().size()`,
		`$('p').map((i, s) => s.text())`, `$('form').serializeArray().length`, `$('#a').get(0).childNodes().length`,
		`$('p').nextUntil('#z').size() + $('b').parentsUntil('body').size() + $('p').add('b').has('b').size()`,
	} {
		if got := r.Run(src); got == "undefined" {
			t.Errorf("%s: undefined", src)
		}
	}
	if after := r.Run(`doc.html()`); after != before {
		t.Errorf("the document is now\n%s\nand was\n%s", after, before)
	}
}

func TestWhatScriptsSee(t *testing.T) {
	r := rig(t)
	for _, tt := range []struct{ src, want string }{
		{`$('form').serialize()`, `"note=a+%26+b&on=on&s=p&t=1"`},
		{`[$('#b').data('n'), $('#b').text(), $('#b').html(), $('#zzz').attr('id', 'none')]`, `[7,"one two","one <b>two</b>","none"]`},
		{`$('p').toArray().map((s) => s.attr('id'))`, `["b","c"]`},
		{`[$('#c').get(0).previousElementSibling().id(), $('form').get(0).action(), $('a').get(0).href()]`, `["b","go?x=1","../up"]`},
		{`[$('select').get(0).selectedIndex(), $('select').val(), $('[name=on]').get(0).checked()]`, `[0,"p",true]`},
		{`[$('p').is('#c'), $('p').index($('#c')), $('p').eq(-1).attr('id'), $('p').slice(1).size()]`, `[true,1,"c",1]`},
		{`(() => { try { $(5) } catch (e) { return e.message.includes('cannot use a') } })()`, `true`},
	} {
		if got := r.Run(tt.src); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.src, got, tt.want)
		}
	}
}

func TestReferencesBecomeAbsoluteWhereTheBaseIsKnown(t *testing.T) {
	r := rig(t)
	s, err := Parse(r.Runtime, doc, "http://h.test/dir/page")
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Runtime.Set("page", s.Value())
	if got, want := r.Run(`[page.find('a').get(0).href(), page.find('form').get(0).action()]`), `["http://h.test/up","http://h.test/dir/go?x=1"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	f, ok := s.Select("form").Form("button")
	if !ok || f.Method != "POST" || f.Action != "go?x=1" || f.Fields.Get("ok").String() != "yes" {
		t.Errorf("form: %+v, %v", f, ok)
	}
}
