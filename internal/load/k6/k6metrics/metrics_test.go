package k6metrics

import (
	"slices"
	"strings"
	"testing"

	"throng/internal/load/k6/scope"
	"throng/internal/load/k6/scopetest"
)

func TestOddValues(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	r.Phase = scope.Init
	r.Run(`globalThis.c = new Counter("cc")`)
	r.Phase = scope.Iteration
	if got := r.Run(`[2, "3", true, false, new Date(5), null, undefined, NaN, {}, "x"].map((v) => c.add(v)).concat(c.add())`); got != "[true,true,true,true,true,false,false,false,false,false,false]" {
		t.Errorf("taken: %s", got)
	}
	want := []string{"cc 2 group=", "cc 3 group=", "cc 1 group=", "cc 0 group=", "cc 5 group="}
	if s := r.Samples(); !slices.Equal(s, want) {
		t.Errorf("samples %q, want %q", s, want)
	}
	if !strings.Contains(r.Log.String(), "'x' is an invalid value for metric 'cc', a number or a boolean value is expected") {
		t.Errorf("log: %s", r.Log)
	}
	if got := r.Run(`c.add(5n)`); !strings.Contains(got, "BigInt") {
		t.Errorf("a BigInt: %s", got)
	}
}

func TestMetricsBelongToInit(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	if got := r.Run(`new Trend("late")`); !strings.Contains(got, "must be declared in the init context") {
		t.Errorf("declared late: %s", got)
	}
	r.Phase = scope.Init
	if got := r.Run(`const m = new Gauge("early", true); [m.name, m instanceof Gauge]`); got != `["early",true]` {
		t.Errorf("declared in init: %s", got)
	}
	if got := r.Run(`m.add(1)`); !strings.Contains(got, "init context is not supported") {
		t.Errorf("added in init: %s", got)
	}
	if got := r.Run(`new Trend("early")`); !strings.Contains(got, "already exists but with type gauge") {
		t.Errorf("declared again: %s", got)
	}
}

func TestTagsGoWithTheSample(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	r.Phase = scope.Init
	r.Run(`globalThis.m = new Rate("rr")`)
	r.Phase = scope.Iteration
	r.Run(`m.add(1, { a: 1, b: true }); m.add(0); m.add(1, null)`)
	r.Tags = r.Tags.With("later", "x")
	r.Run(`m.add(1)`)
	want := []string{"rr 1 a=1 b=true group=", "rr 0 group=", "rr 1 group=", "rr 1 group= later=x"}
	if s := r.Samples(); !slices.Equal(s, want) {
		t.Errorf("samples %q, want %q", s, want)
	}
	if got := r.Run(`m.add(1, { t: null })`); !strings.Contains(got, "cannot add tags for the 'rr' custom metric: invalid value for metric tag 't'") {
		t.Errorf("a tag of null: %s", got)
	}
}
