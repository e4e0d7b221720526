package threshold_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"throng/internal/metric"
	"throng/internal/sketch"
	"throng/internal/threshold"
)

func trend(values ...float64) *sketch.Trend {
	t := new(sketch.Trend)
	for _, v := range values {
		t.Add(v)
	}
	return t
}

func TestEveryMethodAndOperatorJudgesAsK6(t *testing.T) {
	series := map[string]metric.Series{
		"counter": {Kind: metric.Counter, Sum: 10, Count: 1},
		"gauge":   {Kind: metric.Gauge, Last: 3, Count: 2},
		"rate":    {Kind: metric.Rate, Trues: 3, Count: 4},
		"trend":   {Kind: metric.Trend, Count: 4, Trend: trend(4, 1, 3, 2)},
		"never":   {Kind: metric.Trend},
	}
	for _, tt := range []struct {
		series, source string
		want           bool
	}{
		{"counter", "count>9", true}, {"counter", "count>=10", true}, {"counter", "count<11", true}, {"counter", "count<=10", true},
		{"counter", "count==10", true}, {"counter", "count===10", true}, {"counter", "count!=11", true}, {"counter", "rate==5", true},
		{"counter", "  count   >   9.99  ", true}, {"counter", "count<1e2", true}, {"counter", "count>10", false}, {"counter", "count!=10", false},
		{"gauge", "value==3", true}, {"gauge", "value>=3.0", true}, {"gauge", "value>-1", true}, {"gauge", "value<3", false}, {"gauge", "value!=3", false},
		{"rate", "rate==0.75", true}, {"rate", "rate<=.75", true}, {"rate", "rate>0.75", false},
		{"trend", "avg==2.5", true}, {"trend", "min==1", true}, {"trend", "max==4", true}, {"trend", "med==2.5", true}, {"trend", "p(90)<4", true},
		{"trend", "p(50)==2.5", true}, {"trend", "p(99.99)<=4", true}, {"trend", "p(0)==1", true}, {"trend", "p(100)==4", true}, {"trend", "p(250)==4", true},
		{"trend", "avg>=5", false}, {"trend", "p(90)<2", false}, {"trend", "med>3", false},
		{"never", "avg<100", true}, {"never", "p(95)>1", false},
	} {
		e, err := threshold.Parse(tt.source)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Holds(e.Value(series[tt.series], 2*time.Second)); got != tt.want {
			t.Errorf("%s %q = %v, want %v", tt.series, tt.source, got, tt.want)
		}
	}
}

func TestMalformedExpressionsAreRefusedWithTheirText(t *testing.T) {
	for source, want := range map[string]string{
		"count is 5":         `failed parsing threshold expression "count is 5"; reason: malformed threshold expression`,
		"":                   "malformed threshold expression",
		"count":              "malformed threshold expression",
		"count>":             "malformed threshold expression",
		"<5":                 "malformed threshold expression",
		"rate=1":             "malformed threshold expression",
		"avg<>1":             "malformed threshold expression",
		"count>abc":          `right hand side; reason: strconv.ParseFloat: parsing "abc": invalid syntax`,
		"rate>1%":            "right hand side",
		"foo>1":              `expression's "foo>1" left hand side; reason: failed parsing method from expression`,
		"p95<1":              "failed parsing method",
		"rate>1 && rate<2":   "failed parsing method",
		"p(abc)<1":           `left hand side; reason: malformed percentile value; reason: strconv.ParseFloat: parsing "abc"`,
		"p()<1":              "malformed percentile value",
		"http_req_duration<": "malformed",
	} {
		if _, err := threshold.Parse(source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, want an error with %q", source, err, want)
		}
	}
}

func TestKeysSelectByTags(t *testing.T) {
	for key, want := range map[string][]metric.Tag{
		"m":                       nil,
		"m{a:b}":                  {{Key: "a", Value: "b"}},
		"m{ a : b , c:d }":        {{Key: "a", Value: "b"}, {Key: "c", Value: "d"}},
		`m{a:"b c",d:'e'}`:        {{Key: "a", Value: "b c"}, {Key: "d", Value: "e"}},
		"m{url:http://x:8080/?q}": {{Key: "url", Value: "http://x:8080/?q"}},
		"m{group:::a::b}":         {{Key: "group", Value: "::a::b"}},
	} {
		got, err := threshold.ParseKey(key)
		if err != nil || got.Metric != "m" || !slices.Equal(got.Tags, want) {
			t.Errorf("ParseKey(%q) = %v, %v", key, got, err)
		}
	}
	for key, want := range map[string]string{
		"m{": "unmatched", "m}": "unmatched", "m{a:b": "unmatched", "m}{": "before opening", "m{a:b}c": "last position",
		"m{}": `metric "" tag expression is malformed`, "m{a}": `metric "a" tag`, "m{a:}": `metric "a:" tag`, `m{a:"b,c"}`: `metric "c\"" tag`,
	} {
		if _, err := threshold.ParseKey(key); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseKey(%q) = %v, want an error with %q", key, err, want)
		}
	}
}

func registry(t *testing.T) *metric.Registry {
	r := metric.NewRegistry()
	metric.NewBuiltin(r)
	for name, kind := range map[string]metric.Kind{"sold": metric.Counter, "good": metric.Rate, "level": metric.Gauge, "span": metric.Trend} {
		if _, err := r.Define(name, kind, metric.Default); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func set(t *testing.T, m map[string][]threshold.Threshold) threshold.Set {
	t.Helper()
	s, err := threshold.ParseSet(m)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = s.Resolve(registry(t).Get); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestUnknownMetricsAndWrongMethodsAreRefused(t *testing.T) {
	s, err := threshold.ParseSet(map[string][]threshold.Threshold{
		"http_req_durations": {{Source: "p(95)<200"}}, "nope{a:b}": {{Source: "rate>1"}}, "good": {{Source: "p(95)<200"}}, "span{a:b}": {{Source: "count>1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Resolve(registry(t).Get)
	for _, want := range []string{
		`invalid threshold defined on http_req_durations; reason: no metric name "http_req_durations" found`,
		`invalid threshold defined on nope{a:b}; reason: no metric name "nope{a:b}" found`,
		`invalid threshold "p(95)<200" applied on metric good; reason: unsupported aggregation method p on metric of type rate. supported aggregation methods for this metric are: rate`,
		`applied on metric span{a:b}; reason: unsupported aggregation method count on metric of type trend. supported aggregation methods for this metric are: avg, min, max, med, p`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Resolve: %v\nwant %s", err, want)
		}
	}
}

func TestEmptyRatePassesAndTheRestCountsAsZero(t *testing.T) {
	s := set(t, map[string][]threshold.Threshold{
		"good": {{Source: "rate>0.9"}}, "sold": {{Source: "rate>5"}}, "level": {{Source: "value>3"}}, "span{a:b}": {{Source: "p(95)>1"}}, "http_reqs": {{Source: "count==0"}},
	})
	if got := s.Judge(metric.Snapshot{}, time.Second, true).Crossed(); !slices.Equal(got, []string{"level", "sold", "span{a:b}"}) {
		t.Errorf("at the end crossed = %v", got)
	}
	if got := s.Judge(metric.Snapshot{}, time.Second, false).Crossed(); got != nil {
		t.Errorf("before any sample crossed = %v", got)
	}
}

func TestAbortWaitsForItsDelayAndForSamples(t *testing.T) {
	s := set(t, map[string][]threshold.Threshold{"good": {
		{Source: "rate<0.9"}, {Source: "rate<0.5", AbortOnFail: true, DelayAbortEval: 10 * time.Second},
	}})
	bad := metric.Snapshot{Series: []metric.Series{{Selector: metric.Selector{Metric: "good"}, Kind: metric.Rate, Trues: 9, Count: 10}}}
	for _, tt := range []struct {
		snap    metric.Snapshot
		elapsed time.Duration
		want    bool
	}{{bad, 9 * time.Second, false}, {bad, 10 * time.Second, true}, {metric.Snapshot{}, time.Minute, false}} {
		if got := s.Judge(tt.snap, tt.elapsed, false).Abort; got != tt.want {
			t.Errorf("after %v: abort %v, want %v", tt.elapsed, got, tt.want)
		}
	}
	if !s.Aborts() || len(s.Submetrics()) != 0 {
		t.Error("the set does not say that it may abort, or names a submetric")
	}
}

func TestTagOrderDoesNotMatter(t *testing.T) {
	s := set(t, map[string][]threshold.Threshold{"sold{ size:l , kind:tea }": {{Source: "count==2"}}})
	snap := metric.Snapshot{Series: []metric.Series{
		{Selector: metric.Selector{Metric: "sold"}, Count: 3, Sum: 3},
		{Selector: metric.Selector{Metric: "sold", Tags: []metric.Tag{{Key: "kind", Value: "tea"}, {Key: "size", Value: "l"}}}, Role: metric.Submetric, Count: 1, Sum: 2},
	}}
	v := s.Judge(snap, time.Second, true)
	if v.Crossed() != nil || v.All[0].Name != "sold{size:l , kind:tea}" {
		t.Errorf("verdicts %+v", v)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"p(95)<200", "rate>=0.99", "count===1e3", " avg != -.5", "p(((<1", "=", "<=>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		e, err := threshold.Parse(source)
		if err != nil {
			return
		}
		again, err := threshold.Parse(e.Name + e.Op + strings.TrimSpace(source[strings.LastIndexAny(source, "=!<>")+1:]))
		if err != nil || again != e && !math.IsNaN(e.Limit) && !math.IsNaN(e.Percentile) {
			t.Errorf("%q: %+v, again %+v, %v", source, e, again, err)
		}
		_ = e.Holds(e.Value(metric.Series{Kind: metric.Trend, Count: 2, Trend: trend(1, 2)}, time.Second))
	})
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"m", "m{a:b}", `m{a:"b",c:'d'}`, "}{", "m{a:b}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		sel, err := threshold.ParseKey(key)
		if err != nil {
			return
		}
		for _, tag := range sel.Tags {
			if tag.Key == "" || tag.Value == "" {
				t.Errorf("%q has an empty key or value: %q", key, sel.Tags)
			}
		}
	})
}
