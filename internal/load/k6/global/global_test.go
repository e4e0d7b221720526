package global

import (
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
	"throng/internal/load/k6/scopetest"
)

func rig(t testing.TB) *scopetest.Rig {
	r := scopetest.New(t)
	if err := Install(r.VU); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestConsoleSpellsValuesOut(t *testing.T) {
	for src, want := range map[string]string{
		`"a", 1, -0, 10n, null, undefined, NaN, Symbol("s")`:          `a 1 0 10 null undefined NaN s`,
		`{a: "x", b: [1, , undefined], c: {}, d: [], e: Symbol("q")}`: `{ a: "x", b: [ 1, null, null ], c: {}, d: [], e: "q" }`,
		`() => 1, {f() {}}, class {}`:                                 `[object Function] { f: [object Function] } [object Function]`,
		`new TypeError("t"), [new Error("m")]`:                        `TypeError: t [ Error: m ]`,
		`new Date(0), new Date(NaN)`:                                  `"1970-01-01T00:00:00.000Z" {}`,
		`new Uint8Array(2), new Float32Array([0.5]), new Int8Array()`: `Uint8Array(2) [ 0, 0 ] Float32Array(1) [ 0.5 ] Int8Array(0) []`,
		`new ArrayBuffer(2), new ArrayBuffer(0)`:                      `ArrayBuffer { [Uint8Contents]: <00 00>, byteLength: 2 } ArrayBuffer { [Uint8Contents]: <>, byteLength: 0 }`,
		`(() => { const o = {}; o.o = o; return [o, o] })()`:          `[ { o: [Circular] }, { o: [Circular] } ]`,
		`new Map([[1, 2]]), /x/, new String("ab")`:                    `{} {} { 0: "a", 1: "b" }`,
	} {
		r := rig(t)
		var b strings.Builder
		v, err := r.Runtime.RunString("[" + src + "]")
		if err != nil {
			t.Fatal(err)
		}
		o := v.ToObject(r.Runtime)
		for i, k := range o.Keys() {
			if i > 0 {
				b.WriteByte(' ')
			}
			writeTop(&b, r.Runtime, o.Get(k))
		}
		if b.String() != want {
			t.Errorf("%s\n got %s\nwant %s", src, b.String(), want)
		}
	}
}

func TestConsoleLevels(t *testing.T) {
	r := rig(t)
	got := r.Run(`const { log } = console; log("x", 1); console.warn("w"); console.error("e"); console.debug({ get a() { throw new Error("looked at") } }); Object.keys(console)`)
	if got != `["debug","error","info","log","warn"]` || r.Log.String() != "level=INFO msg=\"x 1\"\nlevel=WARN msg=w\nlevel=ERROR msg=e\n" {
		t.Errorf("%s\n%s", got, r.Log)
	}
	if got := r.Run(`"use strict"; console.log = 1`); !strings.Contains(got, "TypeError") {
		t.Errorf("assignment: %s", got)
	}
}

func TestGlobalNamesCanBeReplaced(t *testing.T) {
	r := rig(t)
	got := r.Run(`"use strict"; setTimeout = 1; globalThis.setInterval = 2; console = 3; [setTimeout, setInterval, console, typeof nothing, "TextEncoder" in globalThis]`)
	if got != `[1,2,3,"undefined",true]` {
		t.Errorf("got %s", got)
	}
}

func TestCryptoIsThere(t *testing.T) {
	r := rig(t)
	r.Run(`crypto.subtle.importKey("raw", new Uint8Array(16), "AES-GCM", true, ["encrypt"]).then((k) => { globalThis.key = k; })`)
	if got := r.Run(`[key instanceof CryptoKey, CryptoKey === crypto.CryptoKey, Object.keys(crypto), crypto.randomUUID().length]`); got !=
		`[true,true,["getRandomValues","randomUUID","subtle","CryptoKey"],36]` {
		t.Errorf("got %s", got)
	}
}

func TestTextCodecs(t *testing.T) {
	r := rig(t)
	for src, want := range map[string]string{
		`Array.from(new TextEncoder().encode("aé€💙"))`:                                                                                    `[97,195,169,226,130,172,240,159,146,153]`,
		`new TextDecoder().decode(new Uint8Array([97, 255, 98, 226, 130]))`:                                                               `"a�b�"`,
		`new TextDecoder().decode(new Uint8Array([240, 159, 65]))`:                                                                        `"�A"`,
		`new TextDecoder().decode(new Uint8Array([239, 187, 191, 65]))`:                                                                   `"A"`,
		`const d = new TextDecoder(); [[240, 159], [146], [153, 33]].map((b) => d.decode(new Uint8Array(b), { stream: true })).join("|")`: `"||💙!"`,
		`new TextDecoder("utf-16be").decode(new DataView(new Uint8Array([0, 65, 216]).buffer))`:                                           `"A�"`,
		`const u = new Uint8Array(4); const x = new TextEncoder().encodeInto("a💙", u); [x.read, x.written]`:                               `[1,1]`,
		`new TextEncoder() instanceof TextEncoder && new TextDecoder() instanceof TextDecoder`:                                            `true`,
	} {
		if got := r.Run("(() => { " + strings.Replace(src, src[strings.LastIndex(src, "; ")+1:], " return "+strings.TrimSpace(src[strings.LastIndex(src, "; ")+1:]), 1) + " })()"); got != want {
			t.Errorf("%s = %s, want %s", src, got, want)
		}
	}
	for src, want := range map[string]string{
		`new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([255]))`: "TypeError",
		`new TextDecoder("koi8-x")`:        "RangeError",
		`new TextDecoder().decode("text")`: "TypeError",
	} {
		if got := r.Run(src); !strings.HasPrefix(got, "threw "+want) {
			t.Errorf("%s: %s", src, got)
		}
	}
}

func FuzzDecodeUTF8InParts(f *testing.F) {
	f.Add([]byte("aé€💙\xff\xf0\x9f"), 3)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		whole, _, _ := decodeUTF8(b, true)
		at = max(0, min(at, len(b)))
		first, rest, _ := decodeUTF8(b[:at], false)
		second, _, _ := decodeUTF8(append(append([]byte(nil), rest...), b[at:]...), true)
		if got := string(utf16.Decode(append(first, second...))); got != string(utf16.Decode(whole)) {
			t.Errorf("in parts %q, whole %q", got, string(utf16.Decode(whole)))
		}
	})
}

func TestUnusedGlobalsAreCheap(t *testing.T) {
	const n = 500
	r := scopetest.New(t)
	vus := make([]*scope.VU, n)
	for i := range vus {
		vus[i] = &scope.VU{Runtime: js.NewRuntime(), Test: r.Test}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, vu := range vus {
		if err := Install(vu); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int64(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%d bytes for each runtime", each)
	if each > 1024 {
		t.Errorf("%d bytes for each runtime", each)
	}
	runtime.KeepAlive(vus)
}
