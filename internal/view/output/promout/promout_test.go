package promout

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"throng/internal/metric"
	"throng/internal/view/output/stream"
)

var when = time.UnixMilli(1795664295650)

func env(pairs ...string) stream.Env {
	var all []string
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, prefix+pairs[i]+"="+pairs[i+1])
	}
	return stream.Env{
		UserAgent: "throng-test",
		Environ:   func() []string { return all },
		Lookup: func(k string) (string, bool) {
			for _, pair := range all {
				if v, ok := strings.CutPrefix(pair, k+"="); ok {
					return v, true
				}
			}
			return "", false
		},
	}
}

type server struct {
	*httptest.Server
	mu     sync.Mutex
	got    [][]decoded
	header []http.Header
	code   int
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{code: http.StatusNoContent}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got, s.header = append(s.got, decode(t, b)), append(s.header, r.Header)
		w.WriteHeader(s.code)
	}))
	t.Cleanup(s.Close)
	return s
}

// play sends each batch of samples, with a flush after it.
func play(t *testing.T, e stream.Env, batches ...[]metric.Sample) {
	t.Helper()
	o, err := New("", e)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Start(stream.Definitions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	busy.Go(func() {
		if err := o.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for _, samples := range batches {
		o.Add(samples)
		o.give(false)
	}
	cancel()
	busy.Wait()
	if err := o.Stop(); err != nil {
		t.Error(err)
	}
}

// all is what came: the last value of each series.
func (s *server) all() map[string]float64 {
	out := map[string]float64{}
	for _, request := range s.got {
		for _, d := range request {
			out[d.labels] = d.value
		}
	}
	return out
}

// script is what a script would measure.
type script struct {
	table *metric.Tags
	known map[string]*metric.Metric
}

func (s *script) sample(name string, kind metric.Kind, contains metric.Contains, value float64, tags map[string]string) metric.Sample {
	if s.known[name] == nil {
		s.known[name] = &metric.Metric{Name: name, Kind: kind, Contains: contains}
	}
	return metric.Sample{Metric: s.known[name], Time: when, Value: value, Tags: s.table.From(tags)}
}

func newScript() *script { return &script{metric.NewTags(), map[string]*metric.Metric{}} }

// TestSeriesAreK6s has names, labels and values that k6 1.8.1 sent, but for the count of times: k6 divides that by 1000, too.
func TestSeriesAreK6s(t *testing.T) {
	t.Parallel()
	srv, s := serve(t), newScript()
	tags := map[string]string{"scenario": "default", "empty": "", "Zone": "a", "odd-key.x": "v\\", "nl": "a\nb", "__name__": "x"}
	play(t, env("SERVER_URL", srv.URL, "TREND_STATS", "count,sum,min,max,avg,med,p(99),p(99.9),p(50)"), []metric.Sample{
		s.sample("my_counter", metric.Counter, metric.Default, 2.5, tags), s.sample("my_counter", metric.Counter, metric.Default, 2.5, tags),
		s.sample("c_time", metric.Counter, metric.Time, 1500, nil), s.sample("my_data_total", metric.Counter, metric.Data, 5, nil),
		s.sample("g_time", metric.Gauge, metric.Time, 7, nil), s.sample("g_time", metric.Gauge, metric.Time, 1500, nil),
		s.sample("my_rate", metric.Rate, metric.Default, 0, nil), s.sample("my_rate", metric.Rate, metric.Default, 3, nil),
		s.sample("tr", metric.Trend, metric.Default, 1, nil), s.sample("tr", metric.Trend, metric.Default, 2, nil),
		s.sample("tr_time", metric.Trend, metric.Time, 100, nil), s.sample("tr_time", metric.Trend, metric.Time, 300, nil),
	})
	const labelled = `{Zone="a",nl="a\nb",odd-key.x="v\\",scenario="default"}`
	want := map[string]float64{
		"k6_my_counter_total" + labelled: 5, "k6_c_time_total{}": 1500, "k6_my_data_total_total{}": 5, "k6_g_time{}": 1500, "k6_my_rate_rate{}": 0.5,
		"k6_tr_count{}": 2, "k6_tr_sum{}": 3, "k6_tr_min{}": 1, "k6_tr_max{}": 2, "k6_tr_avg{}": 1.5, "k6_tr_med{}": 1.5, "k6_tr_p50{}": 1.5, "k6_tr_p99{}": 1.99, "k6_tr_p999{}": 1.999,
		"k6_tr_time_count{}": 2, "k6_tr_time_sum{}": 0.4, "k6_tr_time_min{}": 0.1, "k6_tr_time_max{}": 0.3, "k6_tr_time_avg{}": 0.2, "k6_tr_time_med{}": 0.2,
		"k6_tr_time_p50{}": 0.2, "k6_tr_time_p99{}": 0.298, "k6_tr_time_p999{}": 0.2998,
	}
	got := srv.all()
	for name, value := range want {
		if v, ok := got[name]; !ok || math.Abs(v-value) > 1e-12 {
			t.Errorf("%s is %v, %v; want %v", name, v, ok, value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d series came, want %d: %v", len(got), len(want), got)
	}
	h := srv.header[0]
	if h.Get("Content-Encoding") != "snappy" || h.Get("Content-Type") != "application/x-protobuf" || h.Get("X-Prometheus-Remote-Write-Version") != "0.1.0" || h.Get("User-Agent") != "throng-test" {
		t.Errorf("header: %v", h)
	}
}

// TestTimesOfASeriesGrow sends samples of one instant again and again, and one from before it.
func TestTimesOfASeriesGrow(t *testing.T) {
	t.Parallel()
	srv, s := serve(t), newScript()
	early := s.sample("c", metric.Counter, metric.Default, 1, nil)
	early.Time = when.Add(-time.Second)
	c := s.sample("c", metric.Counter, metric.Default, 1, nil)
	other := s.sample("other", metric.Counter, metric.Default, 1, nil)
	play(t, env("SERVER_URL", srv.URL), []metric.Sample{c}, []metric.Sample{c}, []metric.Sample{early}, []metric.Sample{other})
	var times, values []string
	for _, r := range srv.got {
		for _, d := range r {
			if d.labels == "k6_c_total{}" {
				times, values = append(times, fmt.Sprint(d.time-when.UnixMilli())), append(values, fmt.Sprint(d.value))
			}
		}
	}
	if fmt.Sprint(times, values) != "[0 1 2] [1 2 3]" {
		t.Errorf("c came at %v as %v", times, values)
	}
}

func TestTheEndIsMarkedWhereItIsWanted(t *testing.T) {
	t.Parallel()
	for _, native := range []string{"false", "true"} {
		srv, s := serve(t), newScript()
		play(t, env("SERVER_URL", srv.URL, "STALE_MARKERS", "true", "TREND_AS_NATIVE_HISTOGRAM", native),
			[]metric.Sample{s.sample("c", metric.Counter, metric.Default, 1, nil)}, []metric.Sample{s.sample("t", metric.Trend, metric.Time, 1, nil)})
		last := srv.got[len(srv.got)-1]
		if len(last) != 2 {
			t.Errorf("native %s: the last request has %v", native, last)
		}
		for _, d := range last {
			if math.Float64bits(d.value) != 0x7ff0000000000002 || d.time <= when.UnixMilli() {
				t.Errorf("native %s: %s is %x at %d", native, d.labels, math.Float64bits(d.value), d.time-when.UnixMilli())
			}
		}
	}
}

// TestNativeHistogramsAreK6s has the buckets that a server had of k6 1.8.1.
func TestNativeHistogramsAreK6s(t *testing.T) {
	t.Parallel()
	srv, s := serve(t), newScript()
	var all []metric.Sample
	for _, ms := range []float64{1500, -2, 0, 3000} {
		all = append(all, s.sample("tr_time", metric.Trend, metric.Time, ms, nil))
	}
	play(t, env("SERVER_URL", srv.URL, "TREND_AS_NATIVE_HISTOGRAM", "true"), append(all, s.sample("tr_data", metric.Trend, metric.Data, 1, nil)))
	d := srv.got[0][0]
	if d.labels != "k6_tr_time_seconds{}" || d.hist.count != 4 || d.hist.zeros != 1 || math.Abs(d.hist.sum-4.498) > 1e-12 || d.time != when.UnixMilli() ||
		fmt.Sprint(d.hist.positive) != "map[5:1 13:1]" || fmt.Sprint(d.hist.negative) != "map[-71:1]" {
		t.Errorf("%+v %+v", d, d.hist)
	}
	if d := srv.got[0][1]; d.labels != "k6_tr_data{}" {
		t.Errorf("then %+v", d)
	}
}

func TestLabelsAreAddedUnlessTheScriptHasThem(t *testing.T) {
	t.Parallel()
	srv, s := serve(t), newScript()
	e := env("SERVER_URL", srv.URL, "LABELS", "env=prod,node=static,empty=,=x,__name__=y")
	e.Tags = []metric.Tag{{Key: "node", Value: "h1"}}
	play(t, e, []metric.Sample{s.sample("a", metric.Gauge, metric.Default, 1, map[string]string{"scenario": "s"}), s.sample("b", metric.Gauge, metric.Default, 1, map[string]string{"env": "mine"})})
	got := srv.all()
	for _, want := range []string{`k6_a{env="prod",node="h1",scenario="s"}`, `k6_b{env="mine",node="h1"}`} {
		if _, ok := got[want]; !ok {
			t.Errorf("%s did not come: %v", want, got)
		}
	}
}

func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	s := newScript()
	var log bytes.Buffer
	e := env("SERVER_URL", "http://127.0.0.1:1/")
	e.Log = slog.New(slog.NewTextHandler(&log, nil))
	o, err := New("", e)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Start(stream.Definitions{}); err != nil {
		t.Fatal(err)
	}
	for i := range maxSeries + 10 {
		o.Add([]metric.Sample{s.sample("c", metric.Counter, metric.Default, 1, map[string]string{"i": fmt.Sprint(i)})})
	}
	if len(o.order) != maxSeries {
		t.Errorf("%d series are kept", len(o.order))
	}
	if err := o.Stop(); err != nil {
		t.Error(err)
	}
	if text := log.String(); !strings.Contains(text, "100010 of 100010 samples were not written") {
		t.Errorf("the log has %s", text)
	}
}

func TestHowOneSignsIn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		vars []string
		want string
	}{
		{[]string{"USERNAME", "u", "PASSWORD", "p"}, "Basic dTpw"},
		{[]string{"USERNAME", "u", "PASSWORD", "p", "BEARER_TOKEN", "tok"}, "Bearer tok"},
		{[]string{"HEADERS_Authorization", "Custom x"}, "Custom x"},
		{[]string{"HTTP_HEADERS", "Authorization:Other, X-Scope:team"}, "Other"},
		{nil, ""},
	} {
		srv, s := serve(t), newScript()
		play(t, env(append(tt.vars, "SERVER_URL", srv.URL)...), []metric.Sample{s.sample("c", metric.Counter, metric.Default, 1, nil)})
		if got := srv.header[0].Get("Authorization"); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.vars, got, tt.want)
		}
	}
}

func TestARefusalIsToldOnceWithoutSecrets(t *testing.T) {
	t.Parallel()
	srv, s := serve(t), newScript()
	srv.code = http.StatusUnauthorized
	var log bytes.Buffer
	e := env("SERVER_URL", strings.Replace(srv.URL, "://", "://ana:hunter2@", 1)+"/api/v1/write")
	e.Log = slog.New(slog.NewTextHandler(&log, nil))
	c := s.sample("c", metric.Counter, metric.Default, 1, nil)
	play(t, e, []metric.Sample{c}, []metric.Sample{c})
	if text := log.String(); strings.Count(text, "\n") != 2 || strings.Count(text, "output Prometheus remote write ("+srv.URL+"/api/v1/write): ") != 2 ||
		!strings.Contains(text, "2 of 2 samples were not written: the server answered 401 Unauthorized") || strings.Contains(text, "hunter2") {
		t.Errorf("the log has %s", text)
	}
}

func TestBadSettingsGetOneSentence(t *testing.T) {
	t.Parallel()
	for _, tt := range [][3]string{
		{"SERVER_URL", "://x", `parse "://x": missing protocol scheme`},
		{"SERVER_URL", "ftp://h/", "an address such as http://localhost:9090/api/v1/write would be right"},
		{"SERVER_URL", "http://u:secret@h:x/", "the address is malformed (it is not shown because it may hold a password)"},
		{"TREND_STATS", "zz", "invalid trend stat 'zz': count, sum, min, max, avg, med or p(95) would be right"},
		{"TREND_STATS", "p(101)", "invalid percentile trend stat value 'p(101)', provide a number between 0 and 100"},
		{"TREND_STATS", "p(nan)", "invalid percentile trend stat value 'p(nan)', provide a number between 0 and 100"},
		{"TREND_STATS", "p(95", "invalid trend stat 'p(95': count, sum, min, max, avg, med or p(95) would be right"},
		{"PUSH_INTERVAL", "x", `"x": a duration such as 5s would be right`},
		{"TLS_MINIMUM_VERSION", "1.1", `"1.1": 1.2 or 1.3 would be right`},
		{"STALE_MARKERS", "maybe", `"maybe": true or false would be right`},
		{"HTTP_HEADERS", "secret", "key1:value1,key2:value2 would be right (it is not shown because it may hold a password)"},
		{"LABELS", "a", `"a": key1=value1,key2=value2 would be right`},
		{"SIGV4_REGION", "x", "requests signed for AWS are not there yet: put a proxy in between that signs them"},
	} {
		if _, err := New("", env(tt[0], tt[1])); err == nil || err.Error() != prefix+tt[0]+": "+tt[2] {
			t.Errorf("%s=%s: %v", tt[0], tt[1], err)
		}
	}
	for want, vars := range map[string][]string{
		"K6_PROMETHEUS_RW_PASSWORD needs K6_PROMETHEUS_RW_USERNAME":                                        {"PASSWORD", "p"},
		"K6_PROMETHEUS_RW_CLIENT_CERTIFICATE and K6_PROMETHEUS_RW_CLIENT_CERTIFICATE_KEY need one another": {"CLIENT_CERTIFICATE", "c"},
	} {
		if _, err := New("", env(vars...)); err == nil || err.Error() != want {
			t.Errorf("%v: %v", vars, err)
		}
	}
	o, err := New("http://h/w", env("CLIENT_CERTIFICATE", "/nowhere/c", "CLIENT_CERTIFICATE_KEY", "/nowhere/k"))
	if err != nil || o.Describe() != "Prometheus remote write (http://h/w)" {
		t.Fatal(o, err)
	}
	if err := o.Start(stream.Definitions{}); err == nil || !strings.HasPrefix(err.Error(), "load the client certificate: ") {
		t.Errorf("Start: %v", err)
	}
	if !slices.IsSorted([]string{nameLabel, "a"}) || "Z" > nameLabel {
		t.Error("the order of labels is not that of their bytes")
	}
}
