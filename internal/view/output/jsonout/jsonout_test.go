package jsonout_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throng/internal/metric"
	"throng/internal/threshold"
	"throng/internal/view/output/jsonout"
	"throng/internal/view/output/stream"
)

var when = time.Date(2026, 11, 21, 4, 10, 36, 75739878, time.UTC)

func defs(t *testing.T) stream.Definitions {
	set, err := threshold.ParseSet(map[string][]threshold.Threshold{
		"cc": {{Source: "count>0"}, {Source: "count<9", AbortOnFail: true, DelayAbortEval: time.Minute}, {Source: "count<10", DelayAbortEval: time.Second},
			{Source: "count<11", AbortOnFail: true}},
		"cc{a:b,c:d}": {{Source: "count==2"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return stream.Definitions{Thresholds: set, Submetrics: []metric.Selector{{Metric: "http_req_duration", Tags: []metric.Tag{{Key: "expected_response", Value: "true"}}}}}
}

func write(t *testing.T, path string, stdout io.Writer, samples ...metric.Sample) {
	t.Helper()
	o := jsonout.New(path, stream.Env{Stdout: stdout})
	if err := o.Start(defs(t)); err != nil {
		t.Fatal(err)
	}
	o.Add(samples)
	if err := o.Stop(); err != nil {
		t.Fatal(err)
	}
}

func TestLinesAreK6s(t *testing.T) {
	r, tags := metric.NewRegistry(), metric.NewTags()
	b := metric.NewBuiltin(r)
	cc, err := r.Define("cc", metric.Counter, metric.Default)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	write(t, "-", &out,
		metric.Sample{Metric: cc, Time: when, Value: 1.5, Tags: tags.From(map[string]string{"a": "b", "group": "", "l": "c,d", "z": `<x>&"`})},
		metric.Sample{Metric: cc, Time: when, Value: 1e21, Tags: tags.Of(metric.Tag{Key: "group"})},
		metric.Sample{Metric: cc, Time: when, Value: 1e-7, Metadata: map[string]string{"vu": "1", "iter": "0"}},
		metric.Sample{Metric: b.HTTPReqDuration, Time: when.Truncate(time.Second), Value: 123456789},
	)
	want := `{"type":"Metric","data":{"name":"cc","type":"counter","contains":"default","thresholds":["count>0",{"threshold":"count<9","abortOnFail":true,"delayAbortEval":"1m0s"},"count<10",{"threshold":"count<11","abortOnFail":true,"delayAbortEval":null}],"submetrics":[{"name":"cc{a:b,c:d}","suffix":"a:b,c:d","tags":{"a":"b","c":"d"}}]},"metric":"cc"}
{"metric":"cc","type":"Point","data":{"time":"2026-11-21T04:10:36.075739878Z","value":1.5,"tags":{"a":"b","group":"","l":"c,d","z":"\u003cx\u003e\u0026\""}}}
{"metric":"cc","type":"Point","data":{"time":"2026-11-21T04:10:36.075739878Z","value":1e+21,"tags":{"group":""}}}
{"metric":"cc","type":"Point","data":{"time":"2026-11-21T04:10:36.075739878Z","value":1e-07,"tags":{},"metadata":{"iter":"0","vu":"1"}}}
{"type":"Metric","data":{"name":"http_req_duration","type":"trend","contains":"time","thresholds":[],"submetrics":[{"name":"http_req_duration{expected_response:true}","suffix":"expected_response:true","tags":{"expected_response":"true"}}]},"metric":"http_req_duration"}
{"metric":"http_req_duration","type":"Point","data":{"time":"2026-11-21T04:10:36Z","value":1.23456789e+08,"tags":{}}}
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestEveryLineIsJSON(t *testing.T) {
	tags := metric.NewTags()
	m := &metric.Metric{Name: "m"}
	var out bytes.Buffer
	write(t, "", &out,
		metric.Sample{Metric: m, Value: math.NaN(), Tags: tags.Of(metric.Tag{Key: "quote\"", Value: "back\\slash\n\xff ü"})},
		metric.Sample{Metric: m, Value: math.Inf(1), Metadata: map[string]string{"a\tb": "\x00"}})
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 3 {
		t.Errorf("%d lines", len(lines))
	}
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Errorf("not JSON: %q", l)
		}
	}
}

func TestGzByName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json.gz")
	write(t, path, nil, metric.Sample{Metric: &metric.Metric{Name: "m"}, Value: 1})
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(z); err != nil || bytes.Count(b, []byte("\n")) != 2 {
		t.Errorf("%q, %v", b, err)
	}
	for path, want := range map[string]string{"": "json(stdout)", "-": "json(stdout)", "a.ndjson": "json (a.ndjson)"} {
		if got := jsonout.New(path, stream.Env{}).Describe(); got != want {
			t.Errorf("Describe of %q = %q", path, got)
		}
	}
}
