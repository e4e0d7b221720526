package summary_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throng/internal/metric"
	"throng/internal/sketch"
	"throng/internal/threshold"
	"throng/internal/view/summary"
)

var update = flag.Bool("update", false, "rewrite testdata")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%s differs (%v); got:\n%s", name, err, got)
	}
}

func shop(t *testing.T) summary.Report {
	r := newRecorder()
	r.define(t, "sold", metric.Counter, metric.Default)
	r.define(t, "level", metric.Gauge, metric.Default)
	r.define(t, "wait", metric.Trend, metric.Time)
	r.define(t, "happy", metric.Rate, metric.Default)
	set := r.thresholds(t, map[string][]string{"sold": {"count>100", "rate>0"}, "wait{kind:a}": {"p(99.0)<10"}, "level{never:seen}": {"value>1"}})
	for _, g := range []string{"::setup::seed", "::shop", "::shop::tea corner", "::bare"} {
		r.group(g)
	}
	r.add("checks", 1, "check", "in setup", "group", "::setup")
	r.add("checks", 1, "check", "seeded", "group", "::setup::seed")
	r.add("sold", 1, "group", "::setup")
	r.add("sold", 2, "group", "::setup::seed")
	for i := range 3 {
		r.add("wait", 5+float64(i), "kind", "a", "scenario", "default")
		r.add("level", float64(-i), "scenario", "default")
		r.add("happy", float64(i%2), "scenario", "default")
		r.add("checks", float64(i&1), "check", "odd <one>", "group", "::shop::tea corner", "scenario", "default")
		r.add("checks", 1, "check", "fine", "group", "::shop", "scenario", "default")
		r.add("http_req_waiting", 3, "group", "::shop", "scenario", "default")
		r.add("http_reqs", 1, "group", "::shop", "scenario", "default")
		r.add("group_duration", 1, "group", "::shop", "scenario", "default")
		r.add("group_duration", 1, "group", "::bare", "scenario", "default")
		r.iteration("default")
	}
	report := r.report(set)
	report.SetupData = []byte(`{"b":1,"a":[2]}`)
	report.Script, report.Version = "export default function () {}\n", "1.2.3"
	report.GeneratedAt = time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	return report
}

func TestLayouts(t *testing.T) {
	r := shop(t)
	golden(t, "compact.txt", summary.Text(r))
	r.Full = true
	golden(t, "full.txt", summary.Text(r))
	r.Full, r.NoColor, r.StdoutTTY = false, false, true
	golden(t, "colour.txt", strings.ReplaceAll(summary.Text(r), "\x1b", "ESC"))
	r.NoColor = true
	late := &metric.Lateness{Start: new(sketch.Trend), FromDue: new(sketch.Trend), FromSend: new(sketch.Trend)}
	for i := range 10 {
		late.Start.Add(float64(i))
		late.FromDue.Add(float64(i) + 20)
		late.FromSend.Add(20)
	}
	r.Lateness = late
	golden(t, "late.txt", summary.Text(r))
	for name, make := range map[string]func(summary.Report) ([]byte, error){
		"data.json": summary.Data, "export.json": summary.Export, "machine.json": summary.Machine, "machinedata.json": summary.MachineData,
	} {
		b, err := make(r)
		if err != nil || !json.Valid(b) {
			t.Errorf("%s: %v", name, err)
		}
		golden(t, name, string(b))
	}
}

func TestAnEmptyRunHasAReport(t *testing.T) {
	for _, full := range []bool{false, true} {
		r := summary.Report{Full: full, Lateness: &metric.Lateness{}}
		if got := summary.Text(r); got != "\n\n  █ TOTAL RESULTS \n\n\n\n" {
			t.Errorf("text %q", got)
		}
		for _, make := range []func(summary.Report) ([]byte, error){summary.Data, summary.Export, summary.Machine, summary.MachineData} {
			if b, err := make(r); err != nil || !json.Valid(b) {
				t.Errorf("%s, %v", b, err)
			}
		}
	}
}

func TestAVerdictAloneIsEnough(t *testing.T) {
	r := newRecorder()
	set := r.thresholds(t, map[string][]string{"http_req_duration{status:200}": {"p(95)<1"}, "checks": {"rate>0.9"}, "http_req_failed": {"rate<0.1"}})
	text := summary.Text(summary.Report{Verdicts: set.Judge(metric.Snapshot{}, 0, true), TrendStats: []string{"max", "nonsense"}})
	for _, want := range []string{"✓ 'p(95)<1' p(95)=0s", "✓ 'rate>0.9' rate=0.00%", "http_req_duration...: max=0s", "  { status:200 }....: max=0s", "http_req_failed.....: 0.00% 0 out of 0"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	var none threshold.Verdicts
	if none.Crossed() != nil {
		t.Error("no verdicts, but a crossed one")
	}
}
