package k6

import (
	"runtime"
	"testing"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/k6/global"
	"throng/internal/load/k6/scope"
	"throng/internal/load/k6/scopetest"
)

// TestModulesAreLight holds what the modules of this folder weigh in a runtime whose script uses check, sleep, one
// metric, the console and k6/execution: a virtual user has 26 KiB for everything.
func TestModulesAreLight(t *testing.T) {
	const n, most = 500, 8 << 10
	r := scopetest.New(t)
	vus := make([]*scope.VU, n)
	for i := range vus {
		rt := js.NewRuntime()
		vus[i] = &scope.VU{Runtime: rt, Loop: js.NewLoop(rt), Test: r.Test, Tags: r.Tags}
	}
	all := Modules()
	kept := make([]sobek.Value, 0, n*8)
	size := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := size()
	for _, vu := range vus {
		if err := global.Install(vu); err != nil {
			t.Fatal(err)
		}
		for name, used := range map[string][]string{"k6": {"check", "sleep"}, "k6/metrics": {"Counter"}, "k6/execution": {"vu", "scenario"}, "k6/encoding": nil} {
			e, err := all[name](vu)
			if err != nil {
				t.Fatal(err)
			}
			o := e.Default.(*sobek.Object)
			kept = append(kept, o)
			for _, u := range used {
				kept = append(kept, o.Get(u))
			}
		}
		kept = append(kept, vu.Runtime.Get("console").ToObject(vu.Runtime).Get("log"))
	}
	each := int64(size()-before) / n
	t.Logf("%d bytes for each runtime", each)
	if each > most {
		t.Errorf("%d bytes for each runtime, %d are allowed", each, most)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(vus)
}
