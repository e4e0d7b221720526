package tally

import (
	"slices"

	"throng/internal/metric"
)

// Life is what is known of a runner beside its snapshots.
type Life struct {
	Of    string // the lost runner whose share, or a cut of it, it has taken over; "" for none
	Lost  bool   // it is no more: it has no virtual users any more
	Exact bool   // it was lost in good order, so that those who took over began where it stopped
}

// Know says which runners are lost and who has taken over from whom; who is not named is as any other. A share has virtual users once
// at any time: those of a lost runner and of its takers are not added.
func (t *Tally) Know(lives map[string]Life) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lives = lives
}

// fleet corrects what Merge, and fold, say about virtual users where runners were lost.
func (t *Tally) fleet(out *metric.Snapshot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lost := false
	first := map[string]bool{} // those who had the shares first
	for id, l := range t.lives {
		lost = lost || l.Lost
		if l.Of == "" {
			first[id] = true
		}
	}
	for id := range t.parts {
		if t.lives[id].Of == "" {
			first[id] = true
		}
	}
	if !lost {
		return
	}
	out.Series = slices.Clone(out.Series)
	for i := range out.Series {
		s := &out.Series[i]
		if s.Kind != metric.Gauge || s.Metric != "vus" && s.Metric != "vus_max" || s.Count == 0 {
			continue
		}
		counted := t.numbers(seriesKey{s.Role, s.ID()})
		var sum number
		for id := range first {
			sum = sum.and(t.share(id, counted))
		}
		s.Last, s.Min, s.Max = sum.last, sum.low, sum.high
	}
	for id, p := range t.parts {
		if t.lives[id].Lost {
			load := p.snap.Load
			if p.encoded != nil {
				load = p.encoded.Load
			}
			out.Load.VUs -= load.VUs
			out.Load.VUsMax -= load.VUsMax
		}
	}
}

// number is how many virtual users there are, and have been at least and at most; known says that anybody has counted them.
type number struct {
	last, low, high float64
	known           bool
}

// and is of two shares at the same time.
func (n number) and(o number) number {
	return number{n.last + o.last, n.low + o.low, n.high + o.high, n.known || o.known}
}

// share is the number of a runner's share, whoever has it. The caller holds mu.
func (t *Tally) share(id string, counted map[string]number) number {
	own, life := counted[id], t.lives[id]
	if !life.Lost {
		return own
	}
	var takers number
	for heir, l := range t.lives {
		if l.Of == id {
			takers = takers.and(t.share(heir, counted))
		}
	}
	out := number{takers.last, own.low, max(own.high, takers.high), own.known || takers.known}
	switch {
	case !life.Exact:
		out.low = 0 // until somebody had taken over
	case !own.known:
		out.low = takers.low
	case takers.known:
		out.low = min(own.low, takers.low)
	}
	return out
}

// numbers are what every runner's series says. The caller holds mu.
func (t *Tally) numbers(key seriesKey) map[string]number {
	out := map[string]number{}
	for id, p := range t.parts {
		take := func(s *metric.Series) {
			if s.Count > 0 && (seriesKey{s.Role, s.ID()}) == key {
				out[id] = number{s.Last, s.Min, s.Max, true}
			}
		}
		if p.encoded != nil {
			p.encoded.Each(func(_ int, s *metric.Series, _ []byte) { take(s) })
			continue
		}
		for i := range p.snap.Series {
			take(&p.snap.Series[i])
		}
	}
	return out
}
