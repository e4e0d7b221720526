package summary_test

import (
	"testing"
	"time"

	"throng/internal/metric"
	"throng/internal/sketch"
	"throng/internal/threshold"
	"throng/internal/view/summary"
)

// recorder is a dumb twin of the meter: it folds samples one by one into every series that they belong to.
type recorder struct {
	reg   *metric.Registry
	tags  *metric.Tags
	snap  metric.Snapshot
	at    map[string]int
	subs  []metric.Selector
	clock int64
}

func newRecorder() *recorder {
	r := &recorder{reg: metric.NewRegistry(), tags: metric.NewTags(), at: map[string]int{}}
	metric.NewBuiltin(r.reg)
	r.subs = []metric.Selector{{Metric: "http_req_duration", Tags: []metric.Tag{{Key: "expected_response", Value: "true"}}}}
	return r
}

func (r *recorder) define(t *testing.T, name string, k metric.Kind, c metric.Contains) {
	t.Helper()
	if _, err := r.reg.Define(name, k, c); err != nil {
		t.Fatal(err)
	}
}

// add folds v; tags are key, value, key, value.
func (r *recorder) add(name string, v float64, tags ...string) {
	set := r.tags.Empty()
	for i := 0; i < len(tags); i += 2 {
		set = set.With(tags[i], tags[i+1])
	}
	r.fold(metric.Total, metric.Selector{Metric: name}, v)
	for _, s := range r.subs {
		if s.Metric == name && set.Contains(s.Tags) {
			r.fold(metric.Submetric, s, v)
		}
	}
	tag := func(key string) metric.Tag { v, _ := set.Get(key); return metric.Tag{Key: key, Value: v} }
	group, scenario, check := tag("group"), tag("scenario"), tag("check")
	if name == "checks" {
		sel := metric.Selector{Metric: name, Tags: []metric.Tag{group, check}}
		if _, known := r.at[string(rune(metric.CheckPart))+sel.ID()]; !known {
			r.snap.Checks = append(r.snap.Checks, sel)
		}
		r.fold(metric.CheckPart, sel, v)
		if scenario.Value != "" {
			r.fold(metric.ScenarioCheck, metric.Selector{Metric: name, Tags: []metric.Tag{scenario, group, check}}, v)
		}
	}
	if group.Value != "" {
		r.fold(metric.GroupPart, metric.Selector{Metric: name, Tags: []metric.Tag{group, scenario}}, v)
	}
	if scenario.Value != "" {
		r.fold(metric.ScenarioPart, metric.Selector{Metric: name, Tags: []metric.Tag{scenario}}, v)
	}
}

func (r *recorder) fold(role metric.Role, sel metric.Selector, v float64) {
	key := string(rune(role)) + sel.ID()
	i, known := r.at[key]
	if !known {
		m := r.reg.Get(sel.Metric)
		i = len(r.snap.Series)
		r.at[key] = i
		s := metric.Series{Selector: sel, Role: role, Kind: m.Kind, Contains: m.Contains, Min: v, Max: v}
		if m.Kind == metric.Trend {
			s.Trend = new(sketch.Trend)
		}
		r.snap.Series = append(r.snap.Series, s)
	}
	s := &r.snap.Series[i]
	r.clock++
	s.Sum += v
	s.Count++
	if v != 0 {
		s.Trues++
	}
	s.Last, s.LastAt, s.Min, s.Max = v, r.clock, min(s.Min, v), max(s.Max, v)
	if s.Trend != nil {
		s.Trend.Add(v)
	}
}

func (r *recorder) group(path string) { r.snap.Groups = append(r.snap.Groups, path) }

func (r *recorder) thresholds(t *testing.T, m map[string][]string) threshold.Set {
	t.Helper()
	in := map[string][]threshold.Threshold{}
	for key, sources := range m {
		for _, s := range sources {
			in[key] = append(in[key], threshold.Threshold{Source: s})
		}
	}
	set, err := threshold.ParseSet(in)
	if err != nil {
		t.Fatal(err)
	}
	if set, err = set.Resolve(r.reg.Get); err != nil {
		t.Fatal(err)
	}
	r.subs = append(r.subs, set.Submetrics()...)
	return set
}

func (r *recorder) report(set threshold.Set) summary.Report {
	const elapsed = 2 * time.Second
	return summary.Report{Snapshot: r.snap, Verdicts: set.Judge(r.snap, elapsed, true), Elapsed: elapsed, NoColor: true}
}

// iteration adds what every iteration measures.
func (r *recorder) iteration(scenario string) {
	r.add("iterations", 1, "scenario", scenario)
	r.add("iteration_duration", 12.5, "scenario", scenario)
	r.add("data_sent", 0, "scenario", scenario)
	r.add("data_received", 0, "scenario", scenario)
}
