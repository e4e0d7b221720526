package csvout_test

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"throng/internal/metric"
	"throng/internal/view/output/csvout"
	"throng/internal/view/output/stream"
)

var when = time.Date(2026, 11, 21, 4, 10, 36, 75739878, time.UTC)

func write(t *testing.T, arg string, env map[string]string, system []string, samples ...metric.Sample) string {
	t.Helper()
	var out bytes.Buffer
	o, err := csvout.New(arg, stream.Env{Stdout: &out, Lookup: func(k string) (string, bool) { v, ok := env[k]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Start(stream.Definitions{SystemTags: system}); err != nil {
		t.Fatal(err)
	}
	o.Add(samples)
	if err := o.Stop(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestLinesAreK6s(t *testing.T) {
	tags := metric.NewTags()
	m := &metric.Metric{Name: "cc"}
	got := write(t, "-", nil, []string{"vu", "url", "scenario", "iter", "check"},
		metric.Sample{Metric: m, Time: when, Value: 1.5, Tags: tags.From(map[string]string{"scenario": "default", "a": "b", "z": `<x>&"`, "l": "c,d"})},
		metric.Sample{Metric: m, Time: when, Value: 1e21, Metadata: map[string]string{"vu": "1", "iter": "0"}})
	want := `metric_name,timestamp,metric_value,check,scenario,url,extra_tags,metadata
cc,1795234236,1.500000,,default,,"a=b&l=c,d&z=<x>&""",
cc,1795234236,1000000000000000000000.000000,,,,,iter=0&vu=1
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestTimeFormatsAreK6s(t *testing.T) {
	for format, want := range map[string]string{
		"unix": "1795234236", "unix_milli": "1795234236075", "unix_micro": "1795234236075739", "unix_nano": "1795234236075739878",
		"rfc3339": "2026-11-21T04:10:36Z", "rfc3339_nano": "2026-11-21T04:10:36.075739878Z",
	} {
		for name, got := range map[string]string{
			"argument":    write(t, "fileName=-,timeFormat="+format, nil, nil, metric.Sample{Metric: &metric.Metric{Name: "m"}, Time: when}),
			"environment": write(t, "-", map[string]string{"K6_CSV_TIME_FORMAT": format}, nil, metric.Sample{Metric: &metric.Metric{Name: "m"}, Time: when}),
		} {
			if !strings.Contains(got, "\nm,"+want+",0.000000,,\n") {
				t.Errorf("%s %s: %q", name, format, got)
			}
		}
	}
}

func TestRowsFitTheHeader(t *testing.T) {
	tags := metric.NewTags()
	nasty := []string{"", " a", "a,b", `"`, "line\nbreak", "&=", "ü", "\ttab", "\r"}
	var samples []metric.Sample
	for _, a := range nasty {
		for _, b := range nasty {
			samples = append(samples, metric.Sample{Metric: &metric.Metric{Name: "m"}, Tags: tags.From(map[string]string{"url": a, "x" + b: a}), Metadata: map[string]string{a: b}})
		}
	}
	rows, err := csv.NewReader(strings.NewReader(write(t, "-", nil, []string{"url", "group"}, samples...))).ReadAll()
	if err != nil || len(rows) != len(samples)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, s := range samples {
		if url, _ := s.Tags.Get("url"); rows[i+1][4] != strings.ReplaceAll(url, "\r\n", "\n") {
			t.Errorf("row %d: url %q, want %q", i, rows[i+1][4], url)
		}
	}
}

func TestSettingsAreReadAsInK6(t *testing.T) {
	for arg, want := range map[string]string{
		"a=b,fileName=z.csv": `unknown key "a" as argument for csv output`,
		"timeFormat=bad":     "bad does not belong to TimeFormat values",
		"saveInterval=xyz":   `time: invalid duration "xyz"`,
		"saveInterval=-1s":   "saveInterval is -1s",
		"x.csv,x=1":          `couldn't parse "x.csv,x=1" as argument for csv output`,
	} {
		if _, err := csvout.New(arg, stream.Env{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", arg, err, want)
		}
	}
	for arg, want := range map[string]string{"": "csv (env.csv)", "x.csv": "csv (x.csv)", "fileName=y.csv,saveInterval=2s": "csv (y.csv)", "saveInterval=100": "csv (env.csv)"} {
		o, err := csvout.New(arg, stream.Env{Lookup: func(k string) (string, bool) {
			return map[string]string{"K6_CSV_FILENAME": "env.csv"}[k], k == "K6_CSV_FILENAME"
		}})
		if err != nil || o.Describe() != want {
			t.Errorf("%q: %v, want %s", arg, err, want)
		}
	}
}
