package k6core

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/load/k6/scope"
	"throng/internal/load/k6/scopetest"
)

func TestChecksCountUntilOneThrows(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	got := r.Run(`let e; try { check(1, { a: true, b: (v) => v === 1, c: 0, d: () => { throw new RangeError("no") }, e: true }) } catch (x) { e = x.message } e`)
	if got != `"no"` {
		t.Errorf("check threw %s", got)
	}
	want := []string{"checks 1 check=a group=", "checks 1 check=b group=", "checks 0 check=c group=", "checks 0 check=d group="}
	if s := r.Samples(); !slices.Equal(s, want) {
		t.Errorf("samples %q, want %q", s, want)
	}
}

func TestWrongUseIsRefused(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	for src, want := range map[string]string{
		`check(1)`:                     "no checks provided to `check`",
		`check(1, null)`:               "Cannot convert undefined or null to object",
		`check(1, {"a::b": true})`:     "may not contain '::'",
		`check(1, {a: async () => 1})`: "does not support async functions",
		`check(1, {a: 1}, {t: {}})`:    "invalid value for metric tag 't'",
		`group("a")`:                   "requires a callback",
		`group("a::b", () => 1)`:       "may not contain '::'",
		`group("a", async () => 1)`:    "does not support async functions",
		`fail("stop")`:                 "stop",
	} {
		if got := r.Run(src); !strings.HasPrefix(got, "threw ") || !strings.Contains(got, want) {
			t.Errorf("%s: %s, want an exception with %q", src, got, want)
		}
	}
	r.Phase = scope.Init
	if got := r.Run(`check(1, {a: 1})`); !strings.Contains(got, "init context") {
		t.Errorf("check in init: %s", got)
	}
}

func TestCheckTagsAndNamesAreCached(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	if got := r.Run(`[1, 2, 3].map((i) => check(i, { "below three": (n) => n < 3 }, { kind: "k", n: 1, yes: true }))`); got != "[true,true,false]" {
		t.Errorf("results %s", got)
	}
	for _, s := range r.Samples() {
		if !strings.HasSuffix(s, "check=below three group= kind=k n=1 yes=true") {
			t.Errorf("sample %q", s)
		}
	}
	r.Run(`for (let i = 0; i < 1000; i++) check(1, { ["name " + i]: true })`)
	if n := len(r.Samples()); n != 1000 {
		t.Errorf("%d samples of 1000 names", n)
	}
}

func TestGroupIsLeftHoweverItEnds(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	got := r.Run(`const v = group("a", () => group("b", () => { check(1, { in: true }); return 7 })); try { group("c", () => { throw 1 }) } catch (e) {} v`)
	if got != "7" || r.Group != "" {
		t.Errorf("group returned %s, left in %q", got, r.Group)
	}
	if g, _ := r.Tags.Get("group"); g != "" {
		t.Errorf("tag group is %q afterwards", g)
	}
	want := []string{"checks 1 check=in group=::a::b", "group_duration group=::a::b", "group_duration group=::a", "group_duration group=::c"}
	if s := r.Samples(); !slices.Equal(s, want) {
		t.Errorf("samples %q, want %q", s, want)
	}
}

func TestTagsSetInAGroupOutliveIt(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	if err := r.Runtime.Set("tag", func() { r.Tags = r.Tags.With("own", "1") }); err != nil {
		t.Fatal(err)
	}
	r.Run(`group("g", () => tag())`)
	if v, _ := r.Tags.Get("own"); v != "1" {
		t.Error("the tag set inside is gone")
	}
}

func TestSleepEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := scopetest.New(t)
		r.Import(New)
		start := time.Now()
		if got := r.Run(`sleep(1.5); sleep("0.5"); sleep(-1); sleep(NaN); sleep(); sleep(Infinity)`); got != "undefined" {
			t.Errorf("sleep: %s", got)
		}
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("slept %v, want 2s", d)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		r.Context = ctx
		if got := r.Run(`globalThis.after = 0; sleep(100); after = 1`); !strings.HasPrefix(got, "threw ") {
			t.Errorf("an interrupted sleep: %s", got)
		}
		r.Runtime.ClearInterrupt()
		if got := r.Run(`after`); got != "0" {
			t.Error("what follows an interrupted sleep has run")
		}
	})
}

func TestSeedRepeatsTheSequenceOfK6(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	if got := r.Run(`randomSeed(42); [Math.random(), Math.random()]`); got != "[0.3730283610466326,0.06600049679351791]" {
		t.Errorf("seed 42 gives %s", got)
	}
}
