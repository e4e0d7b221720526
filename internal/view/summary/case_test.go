package summary_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"throng/internal/metric"
	"throng/internal/view/summary"
)

// caseStdout is what k6 printed in a compat case, masks applied.
func caseStdout(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../../test/compat/cases", name, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ Stdout string }
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	return want.Stdout
}

var (
	clocked  = regexp.MustCompile(`(?m)^( *(?:iteration_duration|group_duration|http_reqs|http_req_[a-eg-z]\w+|\{ expected_response:true \}|data_sent|data_received)\.+:) .*$`)
	reqs     = regexp.MustCompile(`(?m)^( *http_reqs\.+:) .*$`)
	rates    = regexp.MustCompile(`\S+/s(\s|$)`)
	spaces   = regexp.MustCompile(`(\S) +`)
	trailing = regexp.MustCompile(`(?m) +$`)
)

// mask is what the case's masks do to a run's output.
func mask(s string) string {
	s = clocked.ReplaceAllStringFunc(s, func(line string) string {
		if reqs.MatchString(line) {
			return line
		}
		return line[:strings.Index(line, ":")] + afterDots(line)
	})
	s = rates.ReplaceAllString(s, "N/s$1")
	return trailing.ReplaceAllString(spaces.ReplaceAllString(s, "$1 "), "")
}

func afterDots(line string) string {
	i := strings.Index(line, ".:")
	return line[strings.Index(line, ":"):i+2] + " ..."
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got = mask(got); got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("line %d differs\n got: %q\nwant: %q\n%s", i+1, at(g, i), at(w, i), got)
		}
	}
}

func at(s []string, i int) string {
	if i < len(s) {
		return s[i]
	}
	return "(no line)"
}

func TestCompactTextIsK6s(t *testing.T) {
	r := newRecorder()
	r.define(t, "sold", metric.Counter, metric.Default)
	r.define(t, "seconds_spent", metric.Counter, metric.Time)
	r.define(t, "stock", metric.Gauge, metric.Default)
	r.define(t, "happy_customers", metric.Rate, metric.Default)
	r.define(t, "basket_size", metric.Trend, metric.Default)
	r.define(t, "wait_time", metric.Trend, metric.Time)
	set := r.thresholds(t, map[string][]string{
		"sold": {"count==48", "count<5"}, "basket_size{kind:big}": {"avg<2000", "p(95)<100"}, "checks": {"rate>0.5"},
		"wait_time": {"max<1000", "med<=1000"}, "stock": {"value>100"}, "happy_customers": {"rate>0.1"}, "http_req_failed": {"rate<0.5"},
	})
	is := map[bool]float64{true: 1}
	for i := range 4 {
		r.add("sold", 12)
		r.add("seconds_spent", 45250)
		r.add("stock", 7.25-float64(i))
		for _, v := range []float64{1, 0, 1} {
			r.add("happy_customers", v)
		}
		r.add("basket_size", 5, "kind", "small")
		r.add("basket_size", 1234.5678, "kind", "big")
		for _, v := range []float64{1500, 0.5, 61001} {
			r.add("wait_time", v)
		}
		r.add("checks", 1, "check", "always passes")
		r.add("checks", is[i == 0], "check", "passes once")
		r.add("checks", 0, "check", "never passes")
		r.add("http_reqs", 1)
		r.add("http_req_failed", 0)
		r.add("http_req_duration", 1.5, "expected_response", "true")
		r.add("http_req_waiting", 1.5)
		r.add("checks", 1, "check", "in a nested group", "group", "::shop::cart")
		r.add("group_duration", 3, "group", "::shop")
		r.iteration("default")
	}
	same(t, summary.Text(r.report(set)), caseStdout(t, "cli/summary-compact"))
}

func TestFullTextIsK6s(t *testing.T) {
	r := newRecorder()
	r.define(t, "sold", metric.Counter, metric.Default)
	r.define(t, "price", metric.Trend, metric.Default)
	set := r.thresholds(t, map[string][]string{"sold": {"count==6"}, "price{kind:tea}": {"max<1"}})
	for _, g := range []string{"::shop", "::shop::tea corner", "::window"} {
		r.group(g)
	}
	is := map[bool]float64{true: 1}
	for i := range 2 {
		r.add("checks", 1, "check", "came in", "scenario", "buyers")
		r.add("checks", is[i == 0], "check", "shop is open", "group", "::shop", "scenario", "buyers")
		r.add("sold", 3, "group", "::shop::tea corner", "scenario", "buyers")
		r.add("price", 2.5, "kind", "tea", "group", "::shop::tea corner", "scenario", "buyers")
		r.add("checks", 1, "check", "tea is hot", "group", "::shop::tea corner", "scenario", "buyers")
		r.add("group_duration", 1, "group", "::shop::tea corner", "scenario", "buyers")
		r.add("group_duration", 2, "group", "::shop", "scenario", "buyers")
		r.iteration("buyers")
	}
	r.add("checks", 1, "check", "nice things", "group", "::window", "scenario", "lookers")
	r.add("group_duration", 2, "group", "::window", "scenario", "lookers")
	r.add("price", 10, "scenario", "lookers")
	r.iteration("lookers")
	report := r.report(set)
	report.Full = true
	same(t, summary.Text(report), caseStdout(t, "cli/summary-full"))
	// A meter may leave a group's scenario out where no two scenarios share the group.
	for i, s := range report.Snapshot.Series {
		if s.Role == metric.GroupPart {
			report.Snapshot.Series[i].Tags = s.Tags[:1]
		}
	}
	same(t, summary.Text(report), caseStdout(t, "cli/summary-full"))
}

func TestTrendStatsAndTimeUnitAreK6s(t *testing.T) {
	r := newRecorder()
	r.define(t, "wait_time", metric.Trend, metric.Time)
	r.define(t, "size", metric.Trend, metric.Default)
	r.define(t, "time_spent", metric.Counter, metric.Time)
	set := r.thresholds(t, map[string][]string{"wait_time": {"med<1", "p(99.9)>1"}})
	for _, v := range []float64{1500, 0.5, 61001, 20} {
		r.add("wait_time", v)
	}
	for _, v := range []float64{1, 2, 3, 4.123456789} {
		r.add("size", v)
	}
	r.add("time_spent", 1234.5)
	r.iteration("default")
	report := r.report(set)
	report.TrendStats, report.TimeUnit = []string{"count", "p(99.9)", "min", "med", "p(50)"}, "ms"
	same(t, summary.Text(report), caseStdout(t, "cli/summary-options"))
}
