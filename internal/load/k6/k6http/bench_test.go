package k6http

import (
	"bufio"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
	"throng/internal/load/k6/scopetest"
	"throng/internal/plan"
)

// canned answers every request on a connection with the same bytes, and allocates nothing while it does.
func canned(t testing.TB, body string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	answer := []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					line, err := in.ReadSlice('\n')
					if err != nil {
						return
					}
					if len(line) == 2 { // the empty line; bodies are not sent here
						if _, err := c.Write(answer); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String() + "/"
}

func bench(b *testing.B, o plan.Options, src string) {
	r := scopetest.New(b)
	r.Test.Options = &o
	e, err := New(r.VU)
	if err != nil {
		b.Fatal(err)
	}
	_ = r.Runtime.Set("http", e.Default)
	_ = r.Runtime.Set("BASE", canned(b, `{"id":1,"items":[{"a":1},{"a":2},{"a":3}],"name":"x"}`))
	f := r.Func(src)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f(sobek.Undefined()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetDiscard(b *testing.B) {
	bench(b, plan.Options{DiscardResponseBodies: plan.Some(true)}, `(() => { http.get(BASE) })`)
}

func BenchmarkGetJSON(b *testing.B) {
	bench(b, plan.Options{}, `(() => { const r = http.get(BASE); return r.status === 200 && r.json().items.length === 3 })`)
}

func BenchmarkGetTagged(b *testing.B) {
	bench(b, plan.Options{}, `(() => { const r = http.get(BASE, {headers: {'Content-Type': 'application/json'}, tags: {name: 'login'}}); return r.timings.duration })`)
}

func BenchmarkBatchOfThree(b *testing.B) {
	bench(b, plan.Options{}, `(() => { http.batch([['GET', BASE + 'a'], ['GET', BASE + 'b'], ['GET', BASE + 'c']]) })`)
}

// What the module weighs in a runtime in which it was imported and http.get was called once.
func TestModuleStaysLight(t *testing.T) {
	base := strings.Clone(canned(t, "{}"))
	measure := func(n int, use bool) float64 {
		rigs := make([]*scopetest.Rig, n)
		var before, after runtime.MemStats
		shared := scopetest.New(t)
		for i := range rigs {
			rigs[i] = &scopetest.Rig{VU: nil, T: t}
			rigs[i].VU = &scope.VU{Runtime: js.NewRuntime(), Loop: shared.Loop, Test: shared.Test, Phase: shared.Phase, Context: shared.Context,
				ID: 1, IDInTest: 1, Tags: shared.Tags}
		}
		runtime.GC()
		runtime.ReadMemStats(&before)
		for _, r := range rigs {
			e, err := New(r.VU)
			if err != nil {
				t.Fatal(err)
			}
			_ = r.Runtime.Set("http", e.Default)
			if use {
				_ = r.Runtime.Set("BASE", base)
				if _, err := r.Runtime.RunString(`http.get(BASE)`); err != nil {
					t.Fatal(err)
				}
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(rigs)
		return float64(after.HeapAlloc-before.HeapAlloc) / float64(n)
	}
	if got := measure(1000, false); got > 2048 {
		t.Errorf("the module weighs %.0f bytes, want at most 2048", got)
	} else {
		t.Logf("imported: %.0f bytes", got)
	}
	t.Logf("used: %.0f bytes", measure(200, true))
}
