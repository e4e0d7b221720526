package k6http

import (
	"strings"
	"testing"

	"github.com/grafana/sobek"
)

var documents = []string{
	`{}`, `[]`, ` { "b" : 1 , "a" : [ true , false , null ] } `, `"x"`, `0`, `-0`, `1e3`, `1.5E-2`, `123456789012345678`, `-12`, `1e400`,
	`"é日😀"`, `"\u00e9\n\"\\\/\b\f\r\t"`, `"\ud83d\ude00"`, `{"a":1,"a":2}`, `{"2":1,"1":2,"x":3}`, `{"\u0061b":1}`, `[[[[1]]]]`,
	``, ` `, `{`, `[1,]`, `{"a"}`, `{"a":}`, `{a:1}`, `01`, `1.`, `.5`, `+1`, `-`, `1e`, `"`, `"\x"`, `"\u12"`, "\"\n\"", `nul`, `truex`, `1 2`, `[1 2]`, `{"a":1,}`, `'x'`, `NaN`,
}

// same holds readJSON to JSON.parse; scripts compare what both made.
func same(t *testing.T, rt *sobek.Runtime, doc string) {
	_ = rt.Set("doc", doc)
	want, wantErr := rt.RunString(`JSON.stringify(JSON.parse(doc))`)
	v, err := readJSON(rt, doc)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%q: error %v, the engine's %v", doc, err, wantErr)
	}
	if err != nil {
		return
	}
	_ = rt.Set("v", v)
	got, err := rt.RunString(`JSON.stringify(v)`)
	if err != nil || !got.StrictEquals(want) {
		t.Fatalf("%q: got %v (%v), the engine has %v", doc, got, err, want)
	}
}

func TestJSONAgainstTheEngine(t *testing.T) {
	rt := sobek.New()
	for _, doc := range documents {
		same(t, rt, doc)
	}
}

func FuzzJSONAgainstTheEngine(f *testing.F) {
	for _, doc := range documents {
		f.Add(doc)
	}
	rt := sobek.New()
	f.Fuzz(func(t *testing.T, doc string) {
		if len(doc) < 1000 {
			same(t, rt, doc)
		}
	})
}

func TestJSONKeepsWhatTheEngineLoses(t *testing.T) {
	rt := sobek.New()
	v, err := readJSON(rt, `{"__proto__":{"x":1},"lone":"\ud800"}`)
	if err != nil {
		t.Fatal(err)
	}
	_ = rt.Set("v", v)
	got, err := rt.RunString(`[Object.keys(v).join(), v.x, v.lone.charCodeAt(0) === 0xd800].join(' ')`)
	if err != nil || got.String() != "__proto__,lone  true" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestEndlessNestingIsNoDocument(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want bool
	}{
		"deep": {strings.Repeat("[", 1<<20+1), true}, "deep objects": {strings.Repeat(`{"a":`, 1<<20+1), true},
		"long": {"[" + strings.Repeat("[],", 1<<20) + "0]", false}, "short": {"[[[[", false},
	} {
		if got := endless(tt.text); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
