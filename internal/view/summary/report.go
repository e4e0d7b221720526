package summary

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"throng/internal/metric"
	"throng/internal/sketch"
	"throng/internal/threshold"
)

// Report is all that a summary is made from.
type Report struct {
	Snapshot metric.Snapshot
	Verdicts threshold.Verdicts // of the end of the run
	// Thresholds are what was judged: a part that a key names shows even if no rule stands under the key.
	Thresholds threshold.Set
	Elapsed    time.Duration // how long the scenarios ran: what rates are per second of

	TrendStats []string // avg, min, med, max, count, p(N); nil: DefaultTrendStats
	TimeUnit   string   // s, ms, us; "": whatever suits each value
	Full       bool     // sections for groups and scenarios too

	NoColor   bool // what the option says; Text is coloured when it is unset and StdoutTTY is set
	StdoutTTY bool
	StderrTTY bool

	SetupData []byte           // JSON; nil when setup returned nothing
	Lateness  *metric.Lateness // nil unless it shall be reported

	Script      string // the script's source, for Machine
	Version     string // for Machine
	GeneratedAt time.Time
}

// DefaultTrendStats are the statistics of a trend unless others are asked for.
func DefaultTrendStats() []string { return []string{"avg", "min", "med", "max", "p(90)", "p(95)"} }

func (r Report) stats() []string {
	if r.TrendStats == nil {
		return DefaultTrendStats()
	}
	return r.TrendStats
}

func (r Report) perSecond(v float64) float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return v / r.Elapsed.Seconds()
}

// entry is one metric, or a part of one, with the verdicts of the thresholds on it.
type entry struct {
	metric.Series
	name     string
	verdicts []threshold.Verdict
	parts    []entry // submetrics
}

// entries are the metrics with samples and those with a threshold on them or on a part of them, in order of name, each
// with its parts below it. A part shows when it has a threshold or samples.
func (r Report) entries() []entry {
	tops, parts := map[string]*entry{}, map[string]*entry{}
	for _, s := range r.Snapshot.Series {
		switch {
		case s.Count == 0:
		case s.Role == metric.Total:
			tops[s.Metric] = &entry{Series: s, name: s.Metric}
		case s.Role == metric.Submetric:
			parts[s.ID()] = &entry{Series: s, name: s.Selector.String()}
		}
	}
	for _, v := range r.Verdicts.All {
		if tops[v.Selector.Metric] == nil {
			top := metric.Series{Selector: metric.Selector{Metric: v.Selector.Metric}, Kind: v.Kind, Contains: v.Contains}
			tops[v.Selector.Metric] = &entry{Series: top, name: v.Selector.Metric}
		}
		e := tops[v.Selector.Metric]
		if len(v.Selector.Tags) > 0 {
			id := v.Selector.ID()
			if parts[id] == nil {
				parts[id] = &entry{Series: metric.Series{Selector: v.Selector, Role: metric.Submetric, Kind: v.Kind, Contains: v.Contains}}
			}
			e = parts[id]
			e.name = v.Name
		}
		e.verdicts = append(e.verdicts, v)
	}
	for _, t := range r.Thresholds.Entries {
		id := t.Selector.ID()
		if len(t.Selector.Tags) == 0 || parts[id] != nil {
			continue
		}
		parts[id] = &entry{Series: metric.Series{Selector: t.Selector, Role: metric.Submetric, Kind: t.Kind, Contains: t.Contains}, name: t.Name}
		if tops[t.Selector.Metric] == nil {
			top := metric.Series{Selector: metric.Selector{Metric: t.Selector.Metric}, Kind: t.Kind, Contains: t.Contains}
			tops[t.Selector.Metric] = &entry{Series: top, name: t.Selector.Metric}
		}
	}
	byName := func(a, b entry) int { return compareNames(a.name, b.name) }
	for _, id := range slices.Sorted(maps.Keys(parts)) {
		if top := tops[parts[id].Metric]; top != nil {
			top.parts = append(top.parts, *parts[id])
		}
	}
	var out []entry
	for _, e := range tops {
		slices.SortFunc(e.parts, byName)
		out = append(out, *e)
	}
	slices.SortFunc(out, byName)
	return out
}

// flat lists the entries with their parts behind them.
func (r Report) flat() []entry {
	var out []entry
	for _, e := range r.entries() {
		out = append(append(out, e), e.parts...)
	}
	return out
}

// share is the part of a rate's samples that were not zero; 0 without samples.
func share(trues, count int64) float64 {
	if count == 0 {
		return 0
	}
	return float64(trues) / float64(count)
}

// stat is one statistic of t; false when nothing is called that. Without samples every statistic is 0.
func stat(t *sketch.Trend, name string) (float64, bool) {
	if t == nil {
		t = new(sketch.Trend)
	}
	empty := t.Count() == 0
	switch name {
	case "count":
		return float64(t.Count()), true
	case "avg", "min", "med", "max":
		if empty {
			return 0, true
		}
	}
	switch name {
	case "avg":
		return t.Avg(), true
	case "min":
		return t.Min(), true
	case "med":
		return t.Quantile(0.5), true
	case "max":
		return t.Max(), true
	}
	inner, ok := strings.CutPrefix(name, "p(")
	p, err := strconv.ParseFloat(strings.TrimSuffix(inner, ")"), 64)
	if !ok || err != nil {
		return 0, false
	}
	if empty {
		return 0, true
	}
	return t.Quantile(max(0, min(1, p/100))), true
}

// check is one check's count, in one group.
type check struct {
	name, group   string
	passes, fails int64
}

// checks are the counts of every check, in order of first appearance, of which keep says yes.
func (r Report) checks(role metric.Role, keep func(metric.Selector) bool) []check {
	counts := map[string]metric.Series{}
	var order []metric.Selector
	if role == metric.CheckPart {
		order = r.Snapshot.Checks
	}
	listed := map[string]bool{}
	for _, c := range order {
		listed[c.ID()] = true
	}
	for _, s := range r.Snapshot.Series {
		if s.Role != role || !keep(s.Selector) {
			continue
		}
		counts[s.ID()] = s
		if !listed[s.ID()] {
			order = append(order[:len(order):len(order)], s.Selector)
		}
	}
	var out []check
	for _, sel := range order {
		if !keep(sel) {
			continue
		}
		s := counts[sel.ID()]
		c := check{passes: s.Trues, fails: s.Count - s.Trues}
		c.name, _ = sel.Tag("check")
		c.group, _ = sel.Tag("group")
		out = append(out, c)
	}
	return out
}
