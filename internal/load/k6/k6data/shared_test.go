package k6data

import (
	"strings"
	"testing"

	"throng/internal/load/k6/scope"
	"throng/internal/load/k6/scopetest"
)

func TestElementsAreFreshAndFrozen(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	r.Phase = scope.Init
	got := r.Run(`globalThis.s = new SharedArray("n", () => [{ a: { b: [1] } }, "x", undefined]);
		[s[0] !== s[0], Object.isFrozen(s[0].a.b), Array.isArray(s), s.length, s[2], s[-1] === undefined, s.map((x) => typeof x), JSON.stringify(s)]`)
	if want := `[true,true,true,3,null,true,["object","string","object"],"[{\"a\":{\"b\":[1]}},\"x\",null]"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, src := range []string{`"use strict"; s[0] = 1`, `s.push(1)`, `s.length = 0`, `"use strict"; delete s[0]`, `s.sort()`} {
		if got := r.Run(src); !strings.Contains(got, "SharedArray is immutable") {
			t.Errorf("%s: %s", src, got)
		}
	}
}

func TestOneBuildForAllVirtualUsers(t *testing.T) {
	first, second := scopetest.New(t), scopetest.New(t)
	second.Test = first.Test
	for _, r := range []*scopetest.Rig{first, second} {
		r.Import(New)
		r.Phase = scope.Init
	}
	first.Run(`new SharedArray("n", () => [1, 2])`)
	if got := second.Run(`new SharedArray("n", () => { throw 1 }).length`); got != "2" {
		t.Errorf("the second user sees %s", got)
	}
}

func TestWrongUseIsRefused(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	r.Phase = scope.Init
	for src, want := range map[string]string{
		`new SharedArray("", () => [])`:                        "empty name",
		`new SharedArray("a", [1])`:                            "a function is expected",
		`new SharedArray("b", () => ({}))`:                     "only arrays",
		`new SharedArray("c", async () => [])`:                 "does not support async",
		`new SharedArray("d", () => { throw new Error("e") })`: "e",
	} {
		if got := r.Run(src); !strings.HasPrefix(got, "threw") || !strings.Contains(got, want) {
			t.Errorf("%s: %s", src, got)
		}
	}
	r.Phase = scope.Iteration
	if got := r.Run(`new SharedArray("e", () => [])`); !strings.Contains(got, "init context") {
		t.Errorf("late: %s", got)
	}
}
