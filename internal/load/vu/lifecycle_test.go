package vu

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
)

func TestOpenReadsNextToTheModuleThatAsks(t *testing.T) {
	st := newStageOf(t, shelf{
		"/lib/script.js": `import { read } from './sub/reader.js';
			const bytes = open('data.txt', 'b'), again = open('data.txt', 'b');
			new Uint8Array(bytes)[0] = 33;
			console.log(open('data.txt'), read('data.txt'), open('./sub/data.txt'), bytes instanceof ArrayBuffer, String.fromCharCode(new Uint8Array(again)[0]));
			try { open('none.txt'); } catch (e) { console.log('refused', e instanceof Error); }
			export function later() { return open('data.txt'); }
			export default function () { try { later(); } catch (e) { console.log(String(e).slice(0, 48)); } }`,
		"/lib/sub/reader.js": `export function read(name) { return open(name); }`, "/lib/data.txt": "some data", "/lib/sub/data.txt": "data below",
	})
	v := st.vu(1)
	st.enter(t.Context(), v, st.scene("a"))
	st.iterate(v, 1)
	st.hear("some data data below data below true s", "refused true",
		"GoError: the 'open' function is only available i")
}

func TestSetupsResultTravelsAsJSON(t *testing.T) {
	for _, tt := range []struct{ name, body, want, refused string }{
		{"nothing", ``, "", ""},
		{"null", `return null`, "null", ""},
		{"an object", `return { a: [1, 'x', undefined], b: undefined, d: new Date(0) }`, `{"a":[1,"x",null],"b":null,"d":"1970-01-01T00:00:00.000Z"}`, ""},
		{"a BigInt", `return [1n, 2n ** 70n]`, "[1,1.1805916207174113e+21]", ""},
		{"a promise", `return Promise.resolve({ a: 1 })`, `{"a":1}`, ""},
		{"a function", `return { a: { f() {} } }`, "", `setup() returned a function ("f"), which cannot be given to the virtual users`},
		{"a native function", `return { p: Math.max, n: 1 }`, `{"n":1}`, ""},
		{"a circle", `const o = {}; o.o = o; return o`, "", "circular"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := newStage(t, `export function setup() { `+tt.body+` } export default function () {}`)
			v := st.vu(0)
			val, err := v.Lifecycle(t.Context(), scope.Setup, "setup", "::setup")
			if err != nil {
				t.Fatal(err)
			}
			data, err := v.SetupResult(val)
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("%v, want %s", err, tt.refused)
				}
				return
			}
			if err != nil || string(data) != tt.want {
				t.Errorf("%s (%v), want %s", data, err, tt.want)
			}
		})
	}
}

func TestLifecycleFunctionsHaveAPlaceOfTheirOwn(t *testing.T) {
	st := newStage(t, `import { Counter } from 'k6/metrics'; import exec from 'k6/execution';
		const c = new Counter('count');
		export function setup() { c.add(1); console.log('setup', __VU, exec.vu.iterationInInstance); }
		export function teardown(d) { console.log(d.n); throw new Error('no'); }
		export default function () {}`)
	v := st.vu(0)
	if _, err := v.Lifecycle(t.Context(), scope.Setup, "setup", "::setup"); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, s := range st.Test.Meter.Drain() {
		seen = append(seen, fmt.Sprint(s.Metric.Name, s.Tags.All()))
	}
	if !strings.Contains(strings.Join(seen, " "), "count[{group ::setup}]") || strings.Contains(strings.Join(seen, " "), "iteration") {
		t.Errorf("setup measured %v", seen)
	}
	arg, err := v.ParseJSON([]byte(`{"n":5}`))
	if err != nil {
		t.Fatal(err)
	}
	var ex *sobek.Exception
	if _, err := v.Lifecycle(t.Context(), scope.Teardown, "teardown", "::teardown", arg); !errors.As(err, &ex) {
		t.Errorf("Lifecycle: %v", err)
	}
	if _, err := v.Lifecycle(t.Context(), scope.Summary, "handleSummary", ""); err == nil || err.Error() != "exported identifier handleSummary must be a function" {
		t.Errorf("Lifecycle of what is not there: %v", err)
	}
	st.hear("setup 0 0", "5")
}

func TestLifecycleFunctionsEndWithTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6'; export function setup() { sleep(60); } export default function () {}`)
		v := st.vu(0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		var cut *sobek.InterruptedError
		if _, err := v.Lifecycle(ctx, scope.Setup, "setup", "::setup"); !errors.As(err, &cut) || time.Since(start) != time.Second {
			t.Errorf("Lifecycle after %v: %v", time.Since(start), err)
		}
	})
}

func TestFilesOfHandleSummary(t *testing.T) {
	const noMap = "handleSummary() should return a map with string keys: the names of files, or stdout, and what to write there"
	for _, tt := range []struct{ name, js, want, refused string }{
		{"nothing", `undefined`, "nil", ""}, {"null", `null`, "nil", ""}, {"no text", `''`, "nil", ""},
		{"text and bytes", `({ stdout: 'é', 'a.bin': new Uint8Array([1, 255]).buffer, b: new Uint8Array([2]) })`,
			fmt.Sprintf("%q", map[string][]byte{"stdout": []byte("é"), "a.bin": {1, 255}, "b": {2}}), ""},
		{"nothing to be said", `({})`, `map[]`, ""},
		{"an object of a class", `new (class { constructor() { this.stdout = 'a'; } })()`, fmt.Sprintf("%q", map[string][]byte{"stdout": []byte("a")}), ""},
		{"a number", `({ n: 5 })`, "", `error handling summary object n: invalid type int64, it needs to be a string or ArrayBuffer`},
		{"no object", `'text'`, "", noMap}, {"a list", `['text']`, "", noMap}, {"a function", `() => 1`, "", noMap}, {"a Map", `new Map()`, "", noMap},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := newStage(t, `export function handleSummary() { return `+tt.js+`; } export default function () {}`)
			v := st.vu(0)
			val, err := v.Lifecycle(t.Context(), scope.Summary, "handleSummary", "")
			if err != nil {
				t.Fatal(err)
			}
			got, err := v.Files(val)
			if tt.refused != "" {
				if err == nil || err.Error() != tt.refused {
					t.Errorf("Files: %v, want %s", err, tt.refused)
				}
				return
			}
			text := "nil"
			if got != nil {
				text = fmt.Sprintf("%q", got)
			}
			if err != nil || text != tt.want {
				t.Errorf("Files: %s (%v), want %s", text, err, tt.want)
			}
		})
	}
}

func TestTheScriptTellsItsOptionsAndFunctions(t *testing.T) {
	st := newStage(t, `export const options = { vus: 3 }; export function other() {} export default function () {}`)
	first := st.vu(0)
	text, err := first.OptionsJSON()
	if err != nil || string(text) != `{"vus":3}` || strings.Join(first.Exports(), " ") != "options other default" {
		t.Errorf("options %s (%v), exports %v", text, err, first.Exports())
	}
	if first.Export("none") != nil || first.Export("options") == nil {
		t.Error("Export mixes up what is there")
	}
}

func TestTwoVUsShareNothing(t *testing.T) {
	st := newStage(t, `let n = 0; globalThis.seen = globalThis.seen || []; export default function () { n++; seen.push(__VU); Array.prototype.mark = __VU; console.log(n, seen.join(), [].mark); }`)
	one, two := st.vu(1), st.vu(2)
	s := st.scene("a")
	st.enter(t.Context(), one, s)
	st.enter(t.Context(), two, s)
	for range 2 {
		st.iterate(one, 1)
		st.iterate(two, 1)
	}
	st.hear("1 1 1", "1 2 2", "2 1,1 1", "2 2,2 2")
}
