package influxout_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"throng/internal/metric"
	"throng/internal/view/output/influxout"
	"throng/internal/view/output/stream"
)

var when = time.Unix(1795664295, 650639059)

func env(pairs ...string) stream.Env {
	return stream.Env{UserAgent: "throng-test", Lookup: func(k string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == k {
				return pairs[i+1], true
			}
		}
		return "", false
	}}
}

// server is a stand-in for InfluxDB.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
	answer   func(*http.Request) int // nil: 204
}

type request struct {
	path, query, body, user, encoding string
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			var err error
			if body, err = gzip.NewReader(r.Body); err != nil {
				t.Error(err)
				return
			}
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		name, password, _ := r.BasicAuth()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, request{r.URL.Path, r.URL.RawQuery, string(text), name + ":" + password, r.Header.Get("Content-Encoding")})
		code := http.StatusNoContent
		if s.answer != nil {
			code = s.answer(r)
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(s.Close)
	return s
}

// play writes samples through an output, from start to stop.
func play(t *testing.T, arg string, e stream.Env, samples ...metric.Sample) {
	t.Helper()
	o, err := influxout.New(arg, e)
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
	o.Add(samples)
	if err := o.Flush(); err != nil {
		t.Error(err)
	}
	cancel()
	busy.Wait()
	if err := o.Stop(); err != nil {
		t.Error(err)
	}
}

func sample(name string, value float64, tags map[string]string) metric.Sample {
	return metric.Sample{Metric: &metric.Metric{Name: name}, Time: when, Value: value, Tags: metric.NewTags().From(tags)}
}

// TestLinesAreK6s has lines that k6 1.8.1 sent.
func TestLinesAreK6s(t *testing.T) {
	t.Parallel()
	s := serve(t)
	play(t, strings.Replace(s.URL, "://", "://ana:hunter2@", 1)+"/some", env(),
		sample("my_counter", 2.5, map[string]string{"run": `a b,c=d"e`, "scenario": "default", "vu2": "1", "empty": ""}),
		sample("http_reqs", 1, map[string]string{"group": "::g one", "name": "http://127.0.81.9:1/x?y=1&z=2", "url": "http://127.0.81.9:1/x?y=1&z=2", "uml üml": "é"}),
		sample("cc", 1, map[string]string{"iter": "4", "vu": "3", "i": "9"}),
		sample("http_req_duration", 0.000123, nil),
		sample("data_sent", 12345678901, nil))
	want := `my_counter,run=a\ b\,c\=d"e,scenario=default,vu2=1 value=2.5 1795664295650639059
http_reqs,group=::g\ one,name=http://127.0.81.9:1/x?y\=1&z\=2,uml\ üml=é url="http://127.0.81.9:1/x?y=1&z=2",value=1 1795664295650639059
cc,i=9 iter="4",vu="3",value=1 1795664295650639059
http_req_duration value=0.000123 1795664295650639059
data_sent value=12345678901 1795664295650639059
`
	if len(s.requests) != 2 {
		t.Fatalf("requests: %+v", s.requests)
	}
	if r := s.requests[0]; r.path != "/query" || r.query != "q=CREATE+DATABASE+%22some%22" || r.user != "ana:hunter2" {
		t.Errorf("first: %+v", r)
	}
	if r := s.requests[1]; r.path != "/write" || r.query != "db=some&precision=ns" || r.user != "ana:hunter2" || r.encoding != "gzip" || r.body != want {
		t.Errorf("then: %+v\nwant:\n%s", r, want)
	}
}

// TestNoTagSpoilsAPoint: with line breaks, and backslashes at the end, k6's points are refused.
func TestNoTagSpoilsAPoint(t *testing.T) {
	t.Parallel()
	s := serve(t)
	play(t, s.URL, env("K6_INFLUXDB_TAGS_AS_FIELDS", "f:float,b:bool,n:int,s,x:int"),
		sample("m", 1, map[string]string{"nl": "a\nb", "end": `v\\`, "only": `\`, "mid": `a\b`, "nul": "\x00", "bad": "\xff", "time": "x"}),
		sample("m", 2, map[string]string{"f": "1.50", "b": "true", "n": "-7", "s": "q\"\\\n", "x": "no number"}),
		sample("m", math.NaN(), nil), sample("m", math.Inf(1), nil))
	want := `m,bad=�,end=v,mid=a\b,nl=a\ b,nul=\  value=1 1795664295650639059
m b=true,f=1.5,n=-7i,s="q\"\\ ",value=2 1795664295650639059
`
	if got := s.requests[len(s.requests)-1].body; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestSettingsAreReadAsInK6(t *testing.T) {
	t.Parallel()
	s := serve(t)
	vars := []string{
		"K6_INFLUXDB_ADDR", s.URL + "/prefix/", "K6_INFLUXDB_DB", "d", "K6_INFLUXDB_USERNAME", "u", "K6_INFLUXDB_PASSWORD", "p", "K6_INFLUXDB_PRECISION", "s",
		"K6_INFLUXDB_RETENTION", "rp1", "K6_INFLUXDB_CONSISTENCY", "all", "K6_INFLUXDB_PUSH_INTERVAL", "2s", "K6_INFLUXDB_CONCURRENT_WRITES", "2", "K6_INFLUXDB_INSECURE", "true",
	}
	for _, tt := range []struct {
		arg, path, query, user string
	}{
		{"", "/prefix/write", "consistency=all&db=d&precision=s&rp=rp1", "u:p"},
		{"other", "/prefix/write", "consistency=all&db=other&precision=s&rp=rp1", "u:p"},
		{s.URL + "/x/y?precision=ms&retention=r2", "/x/write", "consistency=all&db=y&precision=ms&rp=r2", "u:p"},
		{strings.Replace(s.URL, "://", "://a:b@", 1) + "/x/?consistency=one", "/x/write", "consistency=one&db=d&precision=s&rp=rp1", "a:b"},
	} {
		play(t, tt.arg, env(vars...), sample("m", 1, nil))
		r := s.requests[len(s.requests)-1]
		if r.path != tt.path || r.query != tt.query || r.user != tt.user {
			t.Errorf("%q: %+v", tt.arg, r)
		}
	}
	for arg, want := range map[string]string{"": "InfluxDBv1 (http://localhost:8086)", "http://ana:hunter2@h:1/db": "InfluxDBv1 (http://h:1)", "https://h/p/db?insecure=true": "InfluxDBv1 (https://h/p)"} {
		o, err := influxout.New(arg, env())
		if err != nil || o.Describe() != want {
			t.Errorf("%q: %v, want %s", arg, err, want)
		}
	}
}

func TestBadSettingsGetOneSentence(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{
		"://x":                         `parse "://x": missing protocol scheme`,
		"http://h/db?foo=1":            "unknown query parameter: foo",
		"http://h/db?pushInterval=zz":  `pushInterval: "zz": a duration such as 5s would be right`,
		"http://h/db?precision=w":      `precision: "w": ns, u, ms, s, m or h would be right`,
		"http://h/db?tagsAsFields=a:b": `tagsAsFields: "a:b": a field is a string, int, float or bool`,
		"ftp://h/x":                    `the address of InfluxDB begins with "ftp": http://, https:// or udp:// would be right`,
		"http:///x":                    "the address of InfluxDB names no host",
		"udp://h/x":                    "an address of InfluxDB that begins with udp:// needs a port",
		"http://a:secret@h:x/db":       "the address is malformed (it is not shown because it may hold a password)",
	} {
		if _, err := influxout.New(arg, env()); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", arg, err, want)
		}
	}
	for name, value := range map[string]string{
		"CONCURRENT_WRITES": "0", "PAYLOAD_SIZE": "x", "INSECURE": "maybe", "PUSH_INTERVAL": "-1s", "PRECISION": "1ns", "PROXY": "://u:secret@", "ADDR": "http://u:secret@[",
	} {
		_, err := influxout.New("", env("K6_INFLUXDB_"+name, value))
		if err == nil || !strings.HasPrefix(err.Error(), "K6_INFLUXDB_"+name+": ") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAServerThatTakesNoGzipGetsPlainLines(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.answer = func(r *http.Request) int {
		if r.Header.Get("Content-Encoding") == "gzip" {
			return http.StatusUnsupportedMediaType
		}
		return http.StatusNoContent
	}
	var log bytes.Buffer
	e := env()
	e.Log = slog.New(slog.NewTextHandler(&log, nil))
	play(t, s.URL, e, sample("m", 1, nil))
	if r := s.requests[len(s.requests)-1]; r.encoding != "" || !strings.HasPrefix(r.body, "m value=1 ") || log.Len() > 0 {
		t.Errorf("last: %+v; the log has %s", r, log.String())
	}
}

func TestARefusalIsToldOnceWithoutSecrets(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.answer = func(*http.Request) int { return http.StatusUnauthorized }
	var log bytes.Buffer
	e := env("K6_INFLUXDB_USERNAME", "ana", "K6_INFLUXDB_PASSWORD", "hunter2")
	e.Log = slog.New(slog.NewTextHandler(&log, nil))
	play(t, s.URL+"/db", e, sample("m", 1, nil), sample("m", 2, nil))
	text := log.String()
	if strings.Count(text, "\n") != 2 || !strings.Contains(text, "the server answered 401 Unauthorized; the run goes on") ||
		!strings.Contains(text, "2 of 2 samples were not written: the server answered 401 Unauthorized") || strings.Contains(text, "hunter2") {
		t.Errorf("the log has %s", text)
	}
}

func TestTheNodesTagIsAddedUnlessTheScriptHasOne(t *testing.T) {
	t.Parallel()
	s := serve(t)
	e := env()
	e.Tags = []metric.Tag{{Key: "node", Value: "h1"}}
	play(t, s.URL, e, sample("m", 1, map[string]string{"a": "1", "z": "2"}), sample("m", 1, map[string]string{"node": "mine"}), sample("m", 1, nil))
	want := []string{"m,a=1,node=h1,z=2 value", "m,node=mine value", "m,node=h1 value"}
	for i, line := range strings.Split(strings.TrimSpace(s.requests[len(s.requests)-1].body), "\n") {
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("%s, want %s", line, want[i])
		}
	}
}

func TestPacketsHoldWholeLines(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var samples []metric.Sample
	for range 10 {
		samples = append(samples, sample("m", 1, map[string]string{"a": strings.Repeat("x", 60)}))
	}
	samples = append(samples, sample("m", 1, map[string]string{"a": strings.Repeat("y", 600)}))
	play(t, "udp://"+conn.LocalAddr().String()+"/?payload_size=256", env(), samples...)
	lines, buf := 0, make([]byte, 2048)
	for lines < 11 {
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatalf("%d lines came: %v", lines, err)
		}
		text := string(buf[:n])
		if !strings.HasSuffix(text, "\n") || !strings.HasPrefix(text, "m,a=") || n > 256 && strings.Count(text, "\n") > 1 {
			t.Errorf("a packet of %d bytes: %q", n, text)
		}
		lines += strings.Count(text, "\n")
	}
}
