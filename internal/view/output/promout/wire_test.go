package promout

import (
	"fmt"
	"math"
	"testing"
	"time"

	"throng/internal/metric"
	"throng/internal/sketch"
	"throng/internal/view/output/stream"
)

// FuzzHistogramsSayWhatTheSketchSays compares native histograms with a count by logarithms.
func FuzzHistogramsSayWhatTheSketchSays(f *testing.F) {
	f.Add(1.5, -2.0, 0.0, uint16(300))
	f.Add(1e-300, 1e300, -1e-9, uint16(5))
	f.Fuzz(func(t *testing.T, a, b, c float64, n uint16) {
		var trend sketch.Trend
		positive, negative, zeros := map[int64]int64{}, map[int64]int64{}, uint64(0)
		for i := range int(n%600) + 1 {
			v := []float64{a, b, c}[i%3] * (1 + float64(i%7)/8)
			if v != v || math.IsInf(v, 0) {
				return
			}
			trend.Add(v)
			abs := math.Abs(v)
			if abs < zeroThreshold {
				zeros++
				continue
			}
			// Bucket n ends at 2^(n/8), its end included. What lies on a bound is left to the table.
			exact := math.Log2(abs) * 8
			number := int64(math.Ceil(exact))
			if math.Abs(exact-math.Round(exact)) < 1e-9 {
				number = int64(math.Round(exact))
				if abs > math.Exp2(math.Round(exact)/8)*(1+1e-15) {
					return
				}
			}
			if v > 0 {
				positive[number]++
			} else {
				negative[number]++
			}
		}
		var w writer
		w.histogram(&labels{}, "m", "_seconds", &trend, 7)
		all := decodeRequest(t, w.request)
		h := all[0].hist
		if len(all) != 1 || all[0].labels != "k6_m_seconds{}" || all[0].time != 7 || h.count != uint64(trend.Count()) || h.sum != trend.Sum() || h.schema != 3 || h.zeros != zeros {
			t.Fatalf("%+v %+v", all[0], h)
		}
		total := int64(zeros)
		for _, side := range []map[int64]int64{h.positive, h.negative} {
			for _, n := range side {
				total += n
			}
		}
		if total != trend.Count() {
			t.Errorf("the buckets hold %d of %d", total, trend.Count())
		}
		if fmt.Sprint(h.positive) != fmt.Sprint(positive) || fmt.Sprint(h.negative) != fmt.Sprint(negative) {
			near := func(got, want map[int64]int64) bool { // rounding may move what lies on a bound
				sum := int64(0)
				for n := range want {
					sum += got[n-1] + got[n] + got[n+1]
				}
				return len(got) == 0 || sum > 0
			}
			if !near(h.positive, positive) || !near(h.negative, negative) {
				t.Errorf("buckets %v and %v, want %v and %v", h.positive, h.negative, positive, negative)
			}
		}
	})
}

// request are the samples of one request to one of several addresses.
func request(b *metric.Builtin, tags *metric.TagSet, i int) (out []metric.Sample) {
	for _, m := range []*metric.Metric{b.HTTPReqs, b.HTTPReqDuration, b.HTTPReqBlocked, b.HTTPReqConnecting, b.HTTPReqSending, b.HTTPReqWaiting, b.HTTPReqReceiving, b.HTTPReqFailed} {
		out = append(out, metric.Sample{Metric: m, Time: time.Unix(1795664295, int64(i)*12345), Value: float64(i%1000) * 1.2345, Tags: tags})
	}
	return out
}

func tagsOf(table *metric.Tags, i int) *metric.TagSet {
	return table.From(map[string]string{
		"method": "GET", "name": fmt.Sprintf("https://example.org/%d", i), "url": "https://example.org/", "proto": "HTTP/1.1", "scenario": "default",
		"status": "200", "expected_response": "true", "group": "::one",
	})
}

// BenchmarkAdd adds the eight samples of one request.
func BenchmarkAdd(b *testing.B) {
	o, err := New("", stream.Env{})
	if err != nil {
		b.Fatal(err)
	}
	all := request(metric.NewBuiltin(metric.NewRegistry()), tagsOf(metric.NewTags(), 0), 1)
	b.ReportAllocs()
	for b.Loop() {
		o.Add(all)
	}
}

// BenchmarkGive encodes and compresses the state of 8,000 series.
func BenchmarkGive(b *testing.B) {
	for _, native := range []bool{false, true} {
		b.Run(map[bool]string{false: "gauges", true: "native histograms"}[native], func(b *testing.B) {
			o, err := New("", stream.Env{})
			if err != nil {
				b.Fatal(err)
			}
			o.cfg.native = native
			builtin, table := metric.NewBuiltin(metric.NewRegistry()), metric.NewTags()
			for i := range 1000 {
				for k := range 200 {
					o.Add(request(builtin, tagsOf(table, i), k*i))
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, s := range o.order {
					s.changed = true
				}
				o.give(false)
			}
		})
	}
}
