package tally

import (
	"maps"
	"slices"

	"throng/internal/metric"
	"throng/internal/sketch"
)

// fold adds up encoded snapshots as Merge does decoded ones, straight from their bytes: nothing is decoded, and where every
// series of every runner belongs is worked out only when a runner has a new one. See TestFoldAgainstMerge and BenchmarkTotal.
type fold struct {
	order   []string // of the runners: floats do not add up the same in every order
	layouts map[string]layout
	sums    []sum
	groups  []string
	checks  []metric.Selector
	late    [3]sketch.Trend
}

// layout says which sum each series of a runner goes to.
type layout struct {
	of *metric.Encoded // bare
	to []int32
}

type sum struct {
	metric.Series
	seen, has bool // has a trend
	trend     sketch.Trend
}

type seriesKey struct {
	role metric.Role
	id   string
}

// total adds parts up.
func (f *fold) total(parts map[string]*metric.Encoded) metric.Snapshot {
	if len(parts) == 1 {
		for _, p := range parts {
			only := p.Snapshot()
			only.Reserved = nil
			return only
		}
	}
	if !f.current(parts) {
		f.lay(parts)
	}
	for i := range f.sums {
		f.sums[i].seen, f.sums[i].has = false, false
		f.sums[i].trend.Reset()
	}
	var out metric.Snapshot
	late := [3]bool{}
	for _, id := range f.order {
		p := parts[id]
		to := f.layouts[id].to
		p.Each(func(i int, s *metric.Series, trend []byte) { f.sums[to[i]].add(s, trend) })
		out.Seq += p.Seq
		out.Load = addLoad(out.Load, p.Load)
		out.Scenarios = addCounts(out.Scenarios, p.Scenarios())
		trends, ok := p.Late()
		if ok && out.Late == nil {
			out.Late = new(metric.Lateness)
		}
		for i, t := range trends {
			if t == nil {
				continue
			}
			if !late[i] {
				f.late[i].Reset()
			}
			late[i] = true
			_ = f.late[i].MergeBinary(t) // it was checked when it was read
		}
	}
	f.show(&out, late)
	return out
}

// show copies the sums to out, which nobody changes any more.
func (f *fold) show(out *metric.Snapshot, late [3]bool) {
	out.Groups, out.Checks = slices.Clone(f.groups), slices.Clone(f.checks)
	if len(f.sums) > 0 {
		out.Series = make([]metric.Series, len(f.sums))
	}
	for i := range f.sums {
		out.Series[i] = f.sums[i].Series
		if f.sums[i].has {
			out.Series[i].Trend = f.sums[i].trend.Clone()
		}
	}
	for i := range late {
		if late[i] {
			*[...]**sketch.Trend{&out.Late.Start, &out.Late.FromDue, &out.Late.FromSend}[i] = f.late[i].Clone()
		}
	}
}

// current reports whether every layout fits.
func (f *fold) current(parts map[string]*metric.Encoded) bool {
	if len(parts) != len(f.layouts) {
		return false
	}
	for id, p := range parts {
		if !p.SameNames(f.layouts[id].of) {
			return false
		}
	}
	return true
}

// lay works out where everything goes: in the order of the first runner that has it.
func (f *fold) lay(parts map[string]*metric.Encoded) {
	*f = fold{order: slices.Sorted(maps.Keys(parts)), layouts: make(map[string]layout, len(parts))}
	at := map[seriesKey]int32{}
	groups, checks := map[string]bool{}, map[string]bool{}
	for _, id := range f.order {
		p := parts[id]
		l := layout{of: p.Bare(), to: make([]int32, len(p.Names()))}
		for i := range p.Names() {
			s := &p.Names()[i]
			k := seriesKey{s.Role, s.ID()}
			n, known := at[k]
			if !known {
				n = int32(len(f.sums))
				at[k] = n
				f.sums = append(f.sums, sum{})
			}
			l.to[i] = n
		}
		f.layouts[id] = l
		f.groups = union(f.groups, groups, p.Groups(), func(g string) string { return g })
		f.checks = union(f.checks, checks, p.Checks(), metric.Selector.ID)
	}
}

// union appends to all what is new of more.
func union[T any](all []T, known map[string]bool, more []T, id func(T) string) []T {
	for _, m := range more {
		if k := id(m); !known[k] {
			known[k] = true
			all = append(all, m)
		}
	}
	return all
}

// add is merge with an encoded trend.
func (a *sum) add(s *metric.Series, trend []byte) {
	switch {
	case !a.seen, a.Count == 0 && s.Count > 0:
		a.Series, a.seen, a.has = *s, true, false
		a.trend.Reset()
	case s.Count == 0 || s.Kind != a.Kind:
		return
	default:
		addNumbers(&a.Series, s)
	}
	if trend != nil {
		a.has = true
		_ = a.trend.MergeBinary(trend) // it was checked when it was read
	}
}
