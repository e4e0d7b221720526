package api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"throng/internal/metric"
	"throng/internal/sketch"
)

type metricAttributes struct {
	Kind     string            `json:"type"`
	Contains string            `json:"contains"`
	Tainted  *bool             `json:"tainted"` // null: no threshold, or none judged yet
	Sample   map[string]number `json:"sample"`
}

type metricShown = resource[metricAttributes]

func (s *server) getMetrics(w http.ResponseWriter, _ *http.Request) {
	answer(w, textPlain, document[[]metricShown]{shownMetrics(s.Measured())})
}

func (s *server) getMetric(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, "/v1/metrics/")
	for _, m := range shownMetrics(s.Measured()) {
		if m.ID == id {
			answer(w, textPlain, document[metricShown]{m})
			return
		}
	}
	refuse(w, http.StatusNotFound, textPlain, "Not Found", "No metric with that ID was found")
}

// shownMetrics shows what has samples, and what a threshold waits for together with its whole metric, in order of name.
func shownMetrics(m Measured) []metricShown {
	names, tainted := map[string]string{}, taints(m)
	for _, e := range m.Thresholds.Entries {
		names[e.Selector.ID()] = e.Name
	}
	out, have := []metricShown{}, map[string]bool{}
	show := func(id, name string, s metric.Series) {
		if have[id] {
			return
		}
		have[id] = true
		shown := metricShown{Type: "metrics", ID: name, Attributes: metricAttributes{
			Kind: s.Kind.String(), Contains: s.Contains.String(), Sample: sample(s, m.Elapsed),
		}}
		if t, judged := tainted[name]; judged && s.Count > 0 {
			shown.Attributes.Tainted = &t
		}
		out = append(out, shown)
	}
	for _, s := range m.Snapshot.Series {
		if s.Role == metric.Total || s.Role == metric.Submetric {
			show(s.ID(), cmp.Or(names[s.ID()], s.String()), s)
		}
	}
	for _, e := range m.Thresholds.Entries {
		whole := metric.Selector{Metric: e.Selector.Metric}
		show(e.Selector.ID(), e.Name, metric.Series{Selector: e.Selector, Kind: e.Kind, Contains: e.Contains})
		show(whole.ID(), whole.Metric, metric.Series{Selector: whole, Kind: e.Kind, Contains: e.Contains})
	}
	slices.SortStableFunc(out, func(a, b metricShown) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// taints says of each entry that was judged whether any of its rules was crossed.
func taints(m Measured) map[string]bool {
	out := map[string]bool{}
	for _, v := range m.Verdicts.All {
		out[v.Name] = out[v.Name] || v.Crossed
	}
	return out
}

// sample is a metric's value as k6 shows it, whatever statistics the summary is to have.
func sample(s metric.Series, elapsed time.Duration) map[string]number {
	switch s.Kind {
	case metric.Counter:
		rate := 0.0
		if elapsed > 0 {
			rate = s.Sum / elapsed.Seconds()
		}
		return map[string]number{"count": number(s.Sum), "rate": number(rate)}
	case metric.Gauge:
		return map[string]number{"value": number(s.Last)}
	case metric.Rate:
		return map[string]number{"rate": number(float64(s.Trues) / float64(max(1, s.Count)))}
	}
	t := s.Trend
	if t == nil {
		t = new(sketch.Trend)
	}
	return map[string]number{
		"avg": number(t.Avg()), "max": number(t.Max()), "med": number(t.Quantile(0.5)), "min": number(t.Min()),
		"p(90)": number(t.Quantile(0.9)), "p(95)": number(t.Quantile(0.95)),
	}
}
