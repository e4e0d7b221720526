package js

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/grafana/sobek"

	"throng/internal/fault"
)

// files is a Loader over a map from path to content.
type files map[string]string

func (f files) Resolve(base *url.URL, specifier string) (*url.URL, error) {
	ref, err := url.Parse(specifier)
	if err != nil {
		return nil, err
	}
	return base.ResolveReference(ref), nil
}

func (f files) Load(u *url.URL) ([]byte, error) {
	if data, ok := f[strings.TrimPrefix(u.Path, "/")]; ok {
		return []byte(data), nil
	}
	return nil, fmt.Errorf("no file %s", u)
}

func fileURL(path string) *url.URL { return &url.URL{Scheme: "file", Path: "/" + path} }

// bench is a runtime with a console that remembers.
type bench struct {
	rt   *sobek.Runtime
	loop *Loop
	out  []string
	in   *Instance
}

func newBench() *bench {
	rt := NewRuntime()
	b := &bench{rt: rt, loop: NewLoop(rt)}
	_ = rt.Set("log", func(call sobek.FunctionCall) sobek.Value {
		var parts []string
		for _, a := range call.Arguments {
			parts = append(parts, a.String())
		}
		b.out = append(b.out, strings.Join(parts, " "))
		return sobek.Undefined()
	})
	_ = rt.Set("later", func(call sobek.FunctionCall) sobek.Value {
		f, _ := sobek.AssertFunction(call.Argument(0))
		done := b.loop.RegisterCallback()
		go done(func() error { _, err := f(sobek.Undefined()); return err })
		return sobek.Undefined()
	})
	return b
}

func isNative(name string) bool { return name == "k6" || strings.HasPrefix(name, "k6/") }

func (b *bench) native(name string) (Exports, error) {
	switch name {
	case "k6":
		return Exports{Named: map[string]any{"check": func() bool { return true }, "group": func(f func() int) int { return f() }}}, nil
	case "k6/http":
		return func() (Exports, error) {
			o := b.rt.NewObject()
			return Exports{Default: o}, o.Set("get", func() string { return "got" })
		}()
	default:
		return Exports{}, fmt.Errorf("unknown module %s", name)
	}
}

func (b *bench) open(p *Program) (err error) {
	b.in, err = p.Instantiate(context.Background(), b.rt, b.loop, Host{Native: b.native, IsNative: isNative})
	return err
}

func compile(f files, main string) (*Program, error) {
	return Compile(Source{URL: fileURL(main), Data: []byte(f[main])}, f, CompileOptions{IsNative: isNative})
}

func (b *bench) call(t testing.TB, name string) (sobek.Value, error) {
	f, ok := sobek.AssertFunction(b.in.Export(name))
	if !ok {
		t.Fatalf("%s is not an exported function", name)
	}
	return b.loop.CallForResult(f)
}

// run compiles and instantiates main and calls its default export if there is one.
func run(t testing.TB, f files, main string, full bool) (*bench, error) {
	t.Helper()
	b := newBench()
	p, err := compile(f, main)
	if err != nil {
		return b, err
	}
	p.opts.FullModules = full
	if err := b.open(p); err != nil {
		return b, err
	}
	if _, ok := sobek.AssertFunction(b.in.Export("default")); ok {
		_, err = b.call(t, "default")
	}
	return b, err
}

func TestLightAndFullModulesAgree(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    files
		want string
	}{
		{"esm with natives", files{"m.js": `import http, {get} from 'k6/http'; import * as ns from 'k6/http'; import {check, nope} from 'k6'; import k6 from 'k6';
			export default function(){ log(get === http.get, ns.get === get, check(), nope, k6.check === check, http.get(), Object.keys(ns)) }`}, "true true true undefined true got get"},
		{"shapes", files{"m.js": `import D, {f, C, x as y, dd, viaB} from './b.js'; import './b.js'; export default () => log(D.name, D(), f(), new C().v, y, dd.name, viaB); export {y as again}; export class Q {}`,
			"b.js": `export {a as viaB} from './a.js'; import dd from './c.js'; export {dd}; export default () => 'd'; export function f() { return 'f' + this } export class C { v = 1 } const x = 7; export {x}`, "a.js": "export const [a] = ['A'];", "c.js": "export default class {}"},
			"default d fundefined 1 7 default A"},
		{"live bindings", files{"m.js": `import {n, up} from './a.js'; up(); log(n)`, "a.js": `export let n = 0; export const up = () => n++`}, "1"},
		{"cycles", files{"m.js": `import {a} from './a.js'; export const m = () => 'm'; log(a())`, "a.js": `import {m} from './m.js'; export const a = () => m()`}, "m"},
		{"assignment to an import", files{"m.js": `import {n} from './a.js'; try { n = 1 } catch (e) { log(e.name) }`, "a.js": `export const n = 0`}, "TypeError"},
		{"fields of derived classes", files{"m.js": "class A { static x = 5; constructor(a){} }\nclass B extends A { f = () => this; static y = super.x; constructor(x) { super(x) } }\nlog(new B(1).f() instanceof B, B.y); export default 1"}, "true 5"},
		{"import.meta alone makes a module", files{"m.js": "log(import.meta.resolve('./x'))"}, "file:///x"},
		{"cjs", files{"m.js": "const {check} = require('k6'); const a = require('./a.js');\nexports.default = function(){ log(check(), a.x, this, typeof module) }",
			"a.js": "module.exports = {x: 1}"}, "true 1 undefined object"},
		{"cjs with return", files{"m.js": "exports.default = () => log('ran'); return; log('no')"}, "ran"},
		{"renamed export pattern", files{"m.js": `export const {a: b, c: {d: [e, ...f]}, ...g} = {a: 1, c: {d: [2, 3, 4]}, h: 5}; export let [x = 9, {y}] = [undefined, {y: 8}];
			export default () => log(b, e, f, JSON.stringify(g), x, y)`}, `1 2 3,4 {"h":5} 9 8`},
		{"its importer", files{"m.js": `import {b, g} from './a.js'; export default () => log(b, JSON.stringify(g))`, "a.js": `export const {a: b, ...g} = {a: 1, h: 5}`}, `1 {"h":5}`},
		{"typescript", files{"m.ts": "import {T, f} from './a.ts';\nenum E { A = 3 }\nexport default function(): void { const x: T = f(E.A); log(x) }", "a.ts": "export type T = number; export const f = (x: number): T => x + 1"}, "4"},
		{"top-level await", files{"m.js": `import {v} from './a.js'; log('m', v); await new Promise(later); log('end')`, "a.js": `export const v = await new Promise((r) => later(() => r('x'))); log('a')`}, "a|m x|end"},
		{"require of esm", files{"m.js": `const a = require('./a.js'); log(a.default, a.x, require('./a.js') === a)`, "a.js": `export const x = 1; export default 2`}, "2 1 true"},
		{"esm imports cjs", files{"m.js": `import def, {x, y} from './a.js'; import * as ns from './a.js'; log(def.x, x, y, Object.keys(ns))`, "a.js": `exports.x = 1`}, "1 1 undefined x"},
		{"star of cjs", files{"m.js": `import {x, z} from './b.js'; log(x, z)`, "a.js": `exports.x = 1`, "b.js": `export * from './a.js'; export const z = 2`}, "1 2"},
		{"import.meta", files{"m.js": `log(import.meta.resolve('./lib/../x.js'), import.meta === import.meta); export default 1`}, "file:///x.js true"},
		{"global", files{"m.js": `log(global === globalThis); try { module } catch (e) { log(e.message.slice(0, 40)) }; export default 1`}, "true|you are trying to access identifier \"mod"},
		{"named groups", files{"m.js": `const m = /(?<y>\d+)(-)(?<m>\d\d)(?:-(?<day>\d\d))?/.exec('on 2024-05'); log(m, m.length, JSON.stringify(m.groups), m.groups.day, 'a'.match(/a/).groups);
			log('2024-05'.replace(/(?<y>\d+)-(?<m>\d+)/, '$<m>/$<y>$1$$'), 'a-b'.replace(/(?<l>\w)-(?<r>\w)/, (...a) => a.at(-1).r + a.at(-1).l), [...'a1b2'.matchAll(/(?<l>[a-z])(\d)/g)].map((x) => x.groups.l + x[2]), /(?<a>x)(y)\k<a>/.exec('xyx'), 'abc'.replace(/b/, '[$&]'))`},
			"2024-05,2024,-,05, 5 {\"y\":\"2024\",\"m\":\"05\"} undefined undefined|05/20242024$ ba a1,b2 xyx,x,y a[b]c"},
		{"require is of init", files{"m.js": `export default () => { try { require('k6') } catch (e) { log(e.message.slice(0, 40)) } }`}, `the "require" function is only available`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			main := "m.js"
			if _, ok := tt.f["m.ts"]; ok {
				main = "m.ts"
			}
			// See the comment on lightGraph: both ways to run modules must agree.
			for _, full := range []bool{false, true} {
				b, err := run(t, tt.f, main, full)
				if err != nil {
					t.Fatal(full, Describe(err))
				}
				if got := strings.Join(b.out, "|"); got != tt.want {
					t.Errorf("full %v: logged %q, want %q", full, got, tt.want)
				}
			}
		})
	}
}

func TestErrorsAreDescribedAsK6Does(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    files
		want []string
		kind fault.Kind
	}{
		{"init throw", files{"m.js": "import {f} from './a.js';\nf(); export default 1", "a.js": "export function f() {\n throw new RangeError('x') }"},
			[]string{"RangeError: x\n\tat f (file:///a.js:2:8(", "\tat file:///m.js:2:2("}, fault.ScriptException},
		{"syntax", files{"m.js": "\nlet x = ;"}, []string{"file:///m.js: Line 2:9 Unexpected token ;"}, fault.ScriptException},
		{"missing import", files{"m.js": "import {x} from './a.js'", "a.js": "export const y = 1"}, []string{"does not provide an export named"}, fault.ScriptException},
		{"missing file", files{"m.js": "import './a.js'"}, []string{"no file file:///a.js"}, fault.ScriptException},
		{"thrown string", files{"m.js": "export default () => { throw 'text' }"}, []string{"text\n\tat default (file:///m.js:1:24("}, fault.Other},
		{"async", files{"m.js": "export default async () => { throw new Error('e') }"}, []string{"Uncaught (in promise) Error: e\n\tat default (file:///m.js:1:36("}, fault.Other},
		{"floating", files{"m.js": "Promise.reject('s'); export default 1"}, []string{"Uncaught (in promise) s"}, fault.Other},
		{"awaited", files{"m.js": "await Promise.reject(new Error('fl')); export default 1"}, []string{"Error: fl\n\tat file:///m.js:1:22("}, fault.ScriptException},
		{"recursion", files{"m.js": "function f() { return 1 + f() }; export default () => f()"}, []string{"RangeError: Maximum call stack size exceeded\n\tat f (file:///m.js:1:"}, fault.Other},
		{"cjs first line", files{"m.js": "function f() { throw new Error('q') }; f()"}, []string{"Error: q\n\tat f (file:///m.js:1:22("}, fault.ScriptException},
		{"evil toString", files{"m.js": "export default () => { throw { toString() { throw 1 } } }"}, []string{"cannot be shown"}, fault.Other},
		{"typescript", files{"m.ts": "let x: number = = 3"}, []string{`file:///m.ts: Line 1:16 Unexpected "="`}, fault.ScriptException},
		{"unknown native", files{"m.js": "import 'k6/nope'"}, []string{"unknown module k6/nope"}, fault.Other},
	} {
		t.Run(tt.name, func(t *testing.T) {
			main := "m.js"
			if _, ok := tt.f["m.ts"]; ok {
				main = "m.ts"
			}
			for _, full := range []bool{false, true} {
				_, err := run(t, tt.f, main, full)
				got := Describe(err)
				for _, want := range tt.want {
					if !strings.Contains(got, want) {
						t.Errorf("full %v: %q does not contain %q", full, got, want)
					}
				}
				if k := fault.KindOf(err); k != tt.kind {
					t.Errorf("full %v: kind %v, want %v", full, k, tt.kind)
				}
			}
		})
	}
}

func TestInterruptEndsEndlessLoops(t *testing.T) {
	cause := errors.New("time is up")
	ctx, cancel := context.WithCancelCause(context.Background())
	b := newBench()
	_ = b.rt.Set("stop", func() { cancel(cause) })
	p, err := compile(files{"m.js": "stop(); for (;;) {}"}, "m.js")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Instantiate(ctx, b.rt, b.loop, Host{Native: b.native, IsNative: isNative})
	if !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

func TestSealedProgramsLoadNothingNew(t *testing.T) {
	f := files{"m.js": "if (globalThis.second) { require('./b.js') } else { require('./a.js') }", "a.js": "", "b.js": ""}
	p, err := compile(f, "m.js")
	if err != nil {
		t.Fatal(err)
	}
	if err := newBench().open(p); err != nil {
		t.Fatal(err)
	}
	p.Seal()
	if err := newBench().open(p); err != nil {
		t.Fatal(err)
	}
	b := newBench()
	_ = b.rt.Set("second", true)
	if err := b.open(p); err == nil || !strings.Contains(err.Error(), `the module "./b.js" was not previously resolved`) {
		t.Errorf("got %v", err)
	}
}

func TestManyRuntimesShareAProgram(t *testing.T) {
	f := files{
		"m.js": "import d, * as ns from './c.js'; import {check} from 'k6'; import {x} from './a.js'; const e = require('./e.js');\n" +
			"export default () => { log(d.y, Object.keys(ns), check(), x, e.z); throw new Error('e') }",
		"c.js": "exports.y = 1", "a.js": "export const x = 2", "e.js": "export const z = 3",
		"light.js": "import {x} from './a.js'; export default () => { log(x); throw new Error('e') }",
	}
	for main, want := range map[string]string{"m.js": "1 y true 2 3", "light.js": "2"} {
		p, err := compile(f, main)
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				b := newBench()
				if err := b.open(p); err != nil {
					t.Error(err)
					return
				}
				call, _ := sobek.AssertFunction(b.in.Export("default"))
				if err := b.loop.Call(call); !strings.Contains(Describe(err), "file:///"+main) {
					t.Error(Describe(err))
				}
				if got := strings.Join(b.out, "|"); got != want {
					t.Errorf("logged %q, want %q", got, want)
				}
			})
		}
		wait.Wait()
	}
}

// TestNothingOfOneIterationRunsInTheNext: what an iteration that failed has registered is abandoned.
func TestNothingOfOneIterationRunsInTheNext(t *testing.T) {
	b := newBench()
	var late func(func() error)
	failed := errors.New("failed")
	if err := b.loop.Start(func() error { late = b.loop.RegisterCallback(); return failed }); err != failed {
		t.Fatal(err)
	}
	ran := 0
	err := b.loop.Start(func() error {
		late(func() error { t.Error("it ran"); return nil })
		done := b.loop.RegisterCallback()
		go done(func() error { ran++; return nil })
		return nil
	})
	if err != nil || ran != 1 || b.loop.Pending() != 0 {
		t.Errorf("%v, ran %d, pending %d", err, ran, b.loop.Pending())
	}
}

func TestBrokenSourceMapsAreOnlyWarnedOf(t *testing.T) {
	var out bytes.Buffer
	for _, src := range []string{"log(1)\n//# sourceMappingURL=nope.map", "log(1)\n//# sourceMappingURL=data:application/json;base64,!!!", "log(1)\n//# sourceMappingURL=%zz"} {
		f := files{"m.js": src}
		p, err := Compile(Source{URL: fileURL("m.js"), Data: []byte(src)}, f, CompileOptions{Log: slog.New(slog.NewTextHandler(&out, nil))})
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if err := newBench().open(p); err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(out.String(), "source map"); n < 2 {
		t.Errorf("%d warnings: %s", n, &out)
	}
}

func instantiate(t testing.TB, p *Program) *Instance {
	rt := NewRuntime()
	in, err := p.Instantiate(context.Background(), rt, NewLoop(rt), Host{IsNative: isNative})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// TestTrivialInstancesAreSmall measures what a virtual user weighs before anything is hung on it.
func TestTrivialInstancesAreSmall(t *testing.T) {
	p, err := compile(files{"m.js": "export const options = {}; export default function() {}"}, "m.js")
	if err != nil {
		t.Fatal(err)
	}
	const n, most = 500, 6 << 10
	held := make([]*Instance, n+1)
	held[n] = instantiate(t, p)
	each := (heap(func() {
		for i := range n {
			held[i] = instantiate(t, p)
		}
	})) / n
	runtime.KeepAlive(held)
	t.Logf("%d bytes each", each)
	if each > most {
		t.Errorf("%d bytes each, want at most %d", each, most)
	}
}

func heap(f func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

func BenchmarkInstantiate(b *testing.B) {
	p, err := compile(files{"m.js": "export default function() {}"}, "m.js")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		instantiate(b, p)
	}
}

func BenchmarkLoopSynchronous(b *testing.B) {
	l := NewLoop(NewRuntime())
	f := func() error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Start(f)
	}
}
