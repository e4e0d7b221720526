package promout

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"throng/internal/metric"
)

// prometheus starts Debian's prometheus and returns its address.
func prometheus(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("no prometheus here: apt-get install prometheus")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {scrape_interval: 1m}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr,
		"--web.enable-remote-write-receiver", "--enable-feature=native-histograms")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, read := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "Server is ready to receive web requests") {
				ready <- struct{}{}
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	select {
	case <-ready:
	case <-read:
		t.Fatal("prometheus ended")
	case <-time.After(time.Minute):
		t.Fatal("prometheus is not ready")
	}
	return "http://" + addr
}

// ask returns what a query comes to, one text a series, in order.
func ask(t *testing.T, addr, query string) (out []string) {
	t.Helper()
	res, err := http.Get(addr + "/api/v1/query?" + url.Values{"query": {query}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric    map[string]string
				Value     []any
				Histogram []json.RawMessage
			}
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Error != "" {
		t.Fatal(query, err, answer.Error)
	}
	for _, r := range answer.Data.Result {
		name := r.Metric["__name__"]
		delete(r.Metric, "__name__")
		labels, err := json.Marshal(r.Metric)
		if err != nil {
			t.Fatal(err)
		}
		text := name + string(labels)
		if len(r.Value) == 2 {
			text += fmt.Sprint(" ", r.Value[1])
		}
		if len(r.Histogram) == 2 {
			text += " " + string(r.Histogram[1])
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func TestARealServerStoresWhatWasMeasured(t *testing.T) {
	t.Parallel()
	addr := prometheus(t)
	now := time.Now()
	play2 := func(test string, vars ...string) {
		s := newScript()
		sample := func(name string, kind metric.Kind, contains metric.Contains, value float64) metric.Sample {
			out := s.sample(name, kind, contains, value, map[string]string{"scenario": "default", "test": test, "Zone": "a", "odd key": "\xff", "nl": "a\nb"})
			out.Time = now
			return out
		}
		var first []metric.Sample
		for i := range 1000 {
			first = append(first, sample("reqs", metric.Counter, metric.Default, 2), sample("ok", metric.Rate, metric.Default, float64(i%4)), sample("wait", metric.Trend, metric.Time, float64(i+1)))
		}
		then := []metric.Sample{sample("vus", metric.Gauge, metric.Default, 7), sample("reqs", metric.Counter, metric.Default, 1)}
		play(t, env(append(vars, "SERVER_URL", addr+"/api/v1/write")...), first, then)
	}
	play2("gauges", "TREND_STATS", "count,max,p(99.9)")
	const labels = `{"Zone":"a","nl":"a\nb","odd key":"�","scenario":"default","test":"gauges"}`
	want := []string{"k6_ok_rate" + labels + " 0.75", "k6_reqs_total" + labels + " 2001", "k6_vus" + labels + " 7", "k6_wait_count" + labels + " 1000", "k6_wait_max" + labels + " 1"}
	if got := ask(t, addr, `{test="gauges",__name__!="k6_wait_p999"}`); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := ask(t, addr, `k6_wait_p999{test="gauges"} > 0.996 < 1.001`); len(got) != 1 {
		t.Errorf("p(99.9): %q", ask(t, addr, "k6_wait_p999"))
	}
	play2("native", "TREND_AS_NATIVE_HISTOGRAM", "true")
	if got := ask(t, addr, `histogram_count(k6_wait_seconds{test="native"})`); len(got) != 1 || !strings.HasSuffix(got[0], " 1000") {
		t.Errorf("count: %q", got)
	}
	if got := ask(t, addr, `histogram_sum(k6_wait_seconds{test="native"}) > 500.4 < 500.6`); len(got) != 1 {
		t.Errorf("sum: %q", ask(t, addr, `histogram_sum(k6_wait_seconds{test="native"})`))
	}
	// A bucket is 9 % wide.
	if got := ask(t, addr, `histogram_quantile(0.5, k6_wait_seconds{test="native"}) > 0.45 < 0.55`); len(got) != 1 {
		t.Errorf("median: %q", ask(t, addr, `histogram_quantile(0.5, k6_wait_seconds{test="native"})`))
	}
	play2("stale", "STALE_MARKERS", "true")
	if got := ask(t, addr, `{test="stale"}`); len(got) != 0 {
		t.Errorf("they are not marked as stale: %q", got)
	}
	if got := ask(t, addr, `count(last_over_time({test="stale"}[5m]))`); len(got) != 1 || got[0] != "{} 4" {
		t.Errorf("what was there before: %q", got)
	}
}
