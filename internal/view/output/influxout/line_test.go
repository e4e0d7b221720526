package influxout

import (
	"strings"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"throng/internal/metric"
	"throng/internal/view/output/stream"
)

// FuzzEveryLineCanBeRead reads what is written with InfluxData's own reader.
func FuzzEveryLineCanBeRead(f *testing.F) {
	f.Add("k", "v", "url", "http://h/?a=b c", 1.5)
	f.Add("a b", "x\ny", "url", `q"\`, 0.0)
	f.Add(`k\`, `\`, "time", "\x00\xff", -1e300)
	f.Add("value", "1", "vu", "", 5e-324)
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string, value float64) {
		tags := metric.NewTags().Of(metric.Tag{Key: k1, Value: v1}, metric.Tag{Key: k2, Value: v2})
		e := encoder{fields: []field{{"url", "string"}, {"vu", "int"}, {"b", "bool"}}, unit: 1, texts: map[*metric.TagSet][]byte{}}
		line, ok := e.line(nil, &metric.Sample{Metric: &metric.Metric{Name: "m"}, Time: time.Unix(1, 2), Value: value, Tags: tags})
		if !ok {
			return
		}
		d := lineprotocol.NewDecoderWithBytes(line)
		if !d.Next() {
			t.Fatalf("%q is no line", line)
		}
		if m, err := d.Measurement(); err != nil || string(m) != "m" {
			t.Errorf("%q: %q, %v", line, m, err)
		}
		for {
			key, val, err := d.NextTag()
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if key == nil {
				break
			}
			if want := word(v1); string(key) == word(k1) && k1 != k2 && word(k1) != word(k2) && string(val) != want {
				t.Errorf("%q: tag %q is %q, want %q", line, key, val, want)
			}
		}
		seen := false
		for {
			key, val, err := d.NextField()
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if key == nil {
				break
			}
			if string(key) == "value" {
				seen = true
				if val.Kind() != lineprotocol.Float || val.FloatV() != value {
					t.Errorf("%q: %v, want %v", line, val, value)
				}
			}
			if string(key) == "url" && k2 == "url" && k1 != "url" && val.StringV() != printable(v2) {
				t.Errorf("%q: %q, want %q", line, val.StringV(), printable(v2))
			}
		}
		if at, err := d.Time(lineprotocol.Nanosecond, time.Time{}); err != nil || !seen || at.UnixNano() != 1e9+2 {
			t.Errorf("%q: %v, %v", line, at, err)
		}
		if d.Next() || strings.Count(string(line), "\n") != 1 {
			t.Errorf("%q is more than one line", line)
		}
	})
}

// samples are those of n requests, as meter has them.
func samples(n int) (out []metric.Sample) {
	reg := metric.NewRegistry()
	b := metric.NewBuiltin(reg)
	tags := metric.NewTags().From(map[string]string{
		"method": "GET", "name": "https://example.org/", "url": "https://example.org/", "proto": "HTTP/1.1", "scenario": "default", "status": "200",
		"expected_response": "true", "group": "::one",
	})
	for i := range n {
		for _, m := range []*metric.Metric{b.HTTPReqs, b.HTTPReqDuration, b.HTTPReqBlocked, b.HTTPReqConnecting, b.HTTPReqSending, b.HTTPReqWaiting, b.HTTPReqReceiving, b.HTTPReqFailed} {
			out = append(out, metric.Sample{Metric: m, Time: time.Unix(1795664295, int64(i)*12345), Value: float64(i) * 1.2345, Tags: tags})
		}
	}
	return out
}

// BenchmarkLine writes one sample.
func BenchmarkLine(b *testing.B) {
	e := encoder{fields: []field{{"vu", "string"}, {"iter", "string"}, {"url", "string"}}, unit: 1, texts: map[*metric.TagSet][]byte{}}
	all := samples(128)
	buf := make([]byte, 0, 1<<20)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		buf, _ = e.line(buf[:0], &all[i%len(all)])
	}
	b.SetBytes(int64(len(buf)))
}

// BenchmarkAdd adds the eight samples of one request, and hands full bodies on to a queue that is full.
func BenchmarkAdd(b *testing.B) {
	o, err := New("", stream.Env{})
	if err != nil {
		b.Fatal(err)
	}
	all := samples(1)
	b.ReportAllocs()
	for b.Loop() {
		o.Add(all)
	}
}
