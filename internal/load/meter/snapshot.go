package meter

import (
	"slices"

	"throng/internal/metric"
	"throng/internal/sketch"
)

// Snapshot adds all shards up. Each is locked only while it is copied, so virtual users go on meanwhile; whatever was
// added before the call is in it. The caller fills in Load.
func (m *Meter) Snapshot() metric.Snapshot {
	m.mu.Lock()
	m.seq++
	snap := metric.Snapshot{Seq: m.seq, Groups: slices.Clone(m.groups), Checks: slices.Clone(m.checks)}
	defs := m.defs[:len(m.defs):len(m.defs)]
	m.mu.Unlock()
	sums := make([]sink, len(defs))
	for i := range m.shards {
		sh := &m.shards[i]
		sh.mu.Lock()
		for j := range min(len(sh.sinks), len(sums)) {
			sums[j].merge(&sh.sinks[j])
		}
		if sh.late != nil {
			if snap.Late == nil {
				snap.Late = &metric.Lateness{Start: new(sketch.Trend), FromDue: new(sketch.Trend), FromSend: new(sketch.Trend)}
			}
			snap.Late.Start.Merge(&sh.late.start)
			snap.Late.FromDue.Merge(&sh.late.fromDue)
			snap.Late.FromSend.Merge(&sh.late.fromSend)
		}
		sh.mu.Unlock()
	}
	for i := range sums {
		if k := &sums[i]; k.count > 0 {
			d := defs[i]
			snap.Series = append(snap.Series, metric.Series{
				Selector: metric.Selector{Metric: d.m.Name, Tags: d.tags}, Role: d.role, Kind: d.m.Kind, Contains: d.m.Contains,
				Sum: k.sum, Trues: k.trues, Count: k.count, Last: k.last, LastAt: k.lastAt, Min: k.min, Max: k.max, Trend: k.trend,
			})
		}
	}
	// A check that threw before it was judged has a place, but nothing to show.
	snap.Checks = slices.DeleteFunc(snap.Checks, func(c metric.Selector) bool {
		return !slices.ContainsFunc(snap.Series, func(s metric.Series) bool { return s.Role == metric.CheckPart && slices.Equal(s.Tags, c.Tags) })
	})
	return snap
}

func (k *sink) merge(o *sink) {
	if o.count == 0 {
		return
	}
	if k.count == 0 || o.min < k.min {
		k.min = o.min
	}
	if k.count == 0 || o.max > k.max {
		k.max = o.max
	}
	if k.count == 0 || o.lastAt >= k.lastAt {
		k.last, k.lastAt = o.last, o.lastAt
	}
	k.sum += o.sum
	k.trues += o.trues
	k.count += o.count
	if o.trend != nil {
		if k.trend == nil {
			k.trend = new(sketch.Trend)
		}
		k.trend.Merge(o.trend)
	}
}
