package k6core

import (
	"testing"

	"throng/internal/load/k6/scopetest"
)

func BenchmarkTwoChecks(b *testing.B) {
	r := scopetest.New(b)
	r.Import(New)
	fn := r.Func(`(function(v){ check(v, {"status is 200": (r) => r.status === 200, "body is there": (r) => r.body !== ""}) })`)
	o := r.Runtime.NewObject()
	_ = o.Set("status", 200)
	_ = o.Set("body", "x")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fn(nil, o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTwoCallbacksAlone(b *testing.B) {
	r := scopetest.New(b)
	fn := r.Func(`(function(v){ const o={"status is 200": (r) => r.status === 200, "body is there": (r) => r.body !== ""}; o["status is 200"](v); o["body is there"](v) })`)
	o := r.Runtime.NewObject()
	_ = o.Set("status", 200)
	_ = o.Set("body", "x")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fn(nil, o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTwoKeptChecks(b *testing.B) {
	r := scopetest.New(b)
	r.Import(New)
	fn := r.Func(`const sets = {"status is 200": (r) => r.status === 200, "body is there": (r) => r.body !== ""}; (function(v){ check(v, sets) })`)
	o := r.Runtime.NewObject()
	_ = o.Set("status", 200)
	_ = o.Set("body", "x")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fn(nil, o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTwoKeptCallbacksAlone(b *testing.B) {
	r := scopetest.New(b)
	fn := r.Func(`const o={"status is 200": (r) => r.status === 200, "body is there": (r) => r.body !== ""}; (function(v){o["status is 200"](v); o["body is there"](v) })`)
	o := r.Runtime.NewObject()
	_ = o.Set("status", 200)
	_ = o.Set("body", "x")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fn(nil, o); err != nil {
			b.Fatal(err)
		}
	}
}
