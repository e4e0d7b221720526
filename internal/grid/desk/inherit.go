package desk

import (
	"maps"
	"slices"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/segment"
)

// inherited says which numbers of a part's share its former lives may have used. It is asked when the script has been read: how many of
// them fall to a cut hangs on the scenarios, which a leader that has just taken over does not know before.
func (c *chair) inherited(id string) (map[string]int64, error) {
	rec := c.record()
	p, ok := partOf(rec, id)
	if !ok || p.Of == "" {
		return nil, nil
	}
	lost, _ := partOf(rec, p.Of)
	used, err := c.inherited(lost.ID)
	if err != nil {
		return nil, err
	}
	used = higher(used, lost.Used)
	c.mu.Lock()
	opts := c.ready.Options
	c.mu.Unlock()
	scenarios := opts.Derived()
	if lost.Unknown {
		used = higher(used, beyond(scenarios))
	}
	if len(used) == 0 || p.Share == lost.Share {
		return used, nil
	}
	share, err := segment.ParseShare(p.Share)
	if err != nil {
		return nil, err
	}
	outer, err := opts.Tuple()
	if err != nil {
		return nil, err
	}
	parent, err := share[:len(share)-1].In(outer)
	if err != nil {
		return nil, err
	}
	return run.Inherited(scenarios, parent, share[len(share)-1], used)
}

func partOf(r *cluster.Run, id string) (cluster.Part, bool) {
	i := slices.IndexFunc(r.Parts, func(p cluster.Part) bool { return p.ID == id })
	if i < 0 {
		return cluster.Part{}, false
	}
	return r.Parts[i], true
}

// higher is the higher of two numbers for every scenario.
func higher(a, b map[string]int64) map[string]int64 {
	if len(a) == 0 {
		return b
	}
	out := maps.Clone(a)
	for name, n := range b {
		out[name] = max(out[name], n)
	}
	return out
}

// unused is a number that no test has come to.
const unused = 1 << 40

// beyond are numbers that nobody has used, whatever happened: iterations without an end go on from there, and those that have an
// end are over. Arrivals go by the time, which nobody has lived twice.
func beyond(scenarios []plan.Scenario) map[string]int64 {
	out := map[string]int64{}
	for i := range scenarios {
		switch scenarios[i].Executor {
		case plan.ConstantArrivalRate, plan.RampingArrivalRate:
		default:
			out[scenarios[i].Name] = unused
		}
	}
	return out
}

// mayHaveBegun reports whether a part of which nobody has heard anything may yet have done something: a former leader gave it out, and
// the scenarios have begun.
func (c *chair) mayHaveBegun(id string) bool {
	at := c.began()
	return slices.Contains(c.former, id) && !at.IsZero() && time.Now().After(at)
}
