package api

import (
	"expvar"
	"fmt"
	"net/http"
	"net/http/pprof"
	"runtime"
	"runtime/metrics"
	"strings"
)

// addProcess adds what tells about the process and not about the run.
func addProcess(mux *http.ServeMux, profiling bool) {
	mux.HandleFunc("/metrics", processMetrics)
	mux.Handle("/debug/vars", expvar.Handler())
	if !profiling {
		mux.HandleFunc("/debug/pprof/", func(w http.ResponseWriter, _ *http.Request) {
			write(w, http.StatusOK, textPlain, []byte("To enable profiling, please run throng with the --profiling-enabled flag"))
		})
		return
	}
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
}

// gauges are the Go runtime's metrics and the names that Prometheus' own Go client gives them. They are read without
// stopping the world, which that client's memory statistics would do to the virtual users.
func gauges() [][4]string {
	return [][4]string{
		{"/sched/goroutines:goroutines", "go_goroutines", "gauge", "Number of goroutines that currently exist."},
		{"/sched/gomaxprocs:threads", "go_sched_gomaxprocs_threads", "gauge", "The current runtime.GOMAXPROCS setting."},
		{"/gc/cycles/total:gc-cycles", "go_gc_cycles_total_gc_cycles_total", "counter", "Count of all completed GC cycles."},
		{"/gc/heap/allocs:bytes", "go_memstats_alloc_bytes_total", "counter", "Bytes allocated on the heap until now, even if freed."},
		{"/gc/heap/objects:objects", "go_memstats_heap_objects", "gauge", "Number of objects on the heap."},
		{"/memory/classes/heap/objects:bytes", "go_memstats_heap_alloc_bytes", "gauge", "Bytes of heap that objects occupy."},
		{"/memory/classes/heap/released:bytes", "go_memstats_heap_released_bytes", "gauge", "Bytes of heap given back to the system."},
		{"/memory/classes/total:bytes", "go_memstats_sys_bytes", "gauge", "Bytes of memory obtained from the system."},
		{"/cpu/classes/gc/total:cpu-seconds", "go_cpu_classes_gc_total_cpu_seconds_total", "counter", "Estimated CPU time spent on GC."},
	}
}

// processMetrics answers in Prometheus' text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).
func processMetrics(w http.ResponseWriter, _ *http.Request) {
	all := gauges()
	samples := make([]metrics.Sample, len(all))
	for i := range all {
		samples[i].Name = all[i][0]
	}
	metrics.Read(samples)
	var b strings.Builder
	fmt.Fprintf(&b, "# HELP go_info Information about the Go environment.\n# TYPE go_info gauge\ngo_info{version=%q} 1\n", runtime.Version())
	for i, g := range all {
		var value float64
		switch v := samples[i].Value; v.Kind() {
		case metrics.KindUint64:
			value = float64(v.Uint64())
		case metrics.KindFloat64:
			value = v.Float64()
		default:
			continue // this runtime does not have it
		}
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n%s %g\n", g[1], g[3], g[1], g[2], g[1], value)
	}
	write(w, http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", []byte(b.String()))
}
