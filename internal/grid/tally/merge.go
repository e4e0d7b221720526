package tally

import (
	"cmp"
	"slices"
	"strings"

	"throng/internal/metric"
	"throng/internal/sketch"
)

// Merge adds snapshots of different runners up. Counters, rates and trends add. The gauges vus and vus_max are each
// runner's own number of virtual users, so they add too (their min and max then bound the true ones, since the runners'
// extremes need not fall together); those of a share that was taken over do not (see Know). Of any other gauge the value seen last counts, with the extremes over all.
// Series, groups and checks stand in the order of the first part that has them. The counts of scenarios add. What is Reserved
// are numbers of one runner's share, which have no sum: it is left out. The parts are not changed.
func Merge(parts []metric.Snapshot) metric.Snapshot {
	if len(parts) == 1 {
		only := parts[0]
		only.Reserved = nil
		return only
	}
	var out metric.Snapshot
	at := map[seriesKey]int{}
	owned := map[int]bool{} // series whose Trend is already a copy
	groups, checks := map[string]bool{}, map[string]bool{}
	for _, p := range parts {
		out.Seq += p.Seq
		out.Load = addLoad(out.Load, p.Load)
		out.Late = mergeLate(out.Late, p.Late)
		out.Scenarios = addCounts(out.Scenarios, p.Scenarios)
		out.Groups = union(out.Groups, groups, p.Groups, func(g string) string { return g })
		out.Checks = union(out.Checks, checks, p.Checks, metric.Selector.ID)
		for _, s := range p.Series {
			k := seriesKey{s.Role, s.ID()}
			i, known := at[k]
			if !known {
				at[k] = len(out.Series)
				out.Series = append(out.Series, s)
				continue
			}
			into := &out.Series[i]
			if into.Trend != nil && s.Trend != nil && !owned[i] {
				into.Trend, owned[i] = into.Trend.Clone(), true
			}
			merge(into, s)
		}
	}
	return out
}

func merge(into *metric.Series, s metric.Series) {
	switch {
	case s.Count == 0:
		return
	case into.Count == 0:
		*into = s
		if s.Trend != nil {
			into.Trend = s.Trend.Clone()
		}
		return
	case s.Kind != into.Kind: // runners of one script do not differ in this
		return
	}
	addNumbers(into, &s)
	if s.Trend != nil {
		if into.Trend == nil {
			into.Trend = new(sketch.Trend)
		}
		into.Trend.Merge(s.Trend)
	}
}

// addNumbers adds all of s but its Trend.
func addNumbers(into, s *metric.Series) {
	into.Sum += s.Sum
	into.Trues += s.Trues
	into.Count += s.Count
	if s.Kind != metric.Gauge {
		return
	}
	if s.Metric == "vus" || s.Metric == "vus_max" {
		into.Last += s.Last
		into.Min += s.Min
		into.Max += s.Max
		into.LastAt = max(into.LastAt, s.LastAt)
		return
	}
	into.Min, into.Max = min(into.Min, s.Min), max(into.Max, s.Max)
	if s.LastAt > into.LastAt || s.LastAt == into.LastAt && s.Last > into.Last {
		into.Last, into.LastAt = s.Last, s.LastAt
	}
}

func addLoad(a, b metric.Load) metric.Load {
	return metric.Load{
		VUs: a.VUs + b.VUs, VUsMax: a.VUsMax + b.VUsMax,
		Iterations: a.Iterations + b.Iterations, Interrupted: a.Interrupted + b.Interrupted, Dropped: a.Dropped + b.Dropped,
	}
}

// addCounts adds b to a, by name; both stand in order of name.
func addCounts(a, b []metric.ScenarioCount) []metric.ScenarioCount {
	out := slices.Clone(a)
	for _, c := range b {
		i, known := slices.BinarySearchFunc(out, c.Name, func(o metric.ScenarioCount, name string) int { return strings.Compare(o.Name, name) })
		if !known {
			out = slices.Insert(out, i, c)
			continue
		}
		out[i].Begun += c.Begun
		out[i].Due += c.Due
		out[i].Dropped += c.Dropped
	}
	return out
}

func mergeLate(a, b *metric.Lateness) *metric.Lateness {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	sum := func(x, y *sketch.Trend) *sketch.Trend {
		if x == nil || y == nil {
			return cmp.Or(x, y)
		}
		out := x.Clone()
		out.Merge(y)
		return out
	}
	return &metric.Lateness{Start: sum(a.Start, b.Start), FromDue: sum(a.FromDue, b.FromDue), FromSend: sum(a.FromSend, b.FromSend)}
}
