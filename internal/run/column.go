package run

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// Column is one of the texts behind a scenario's bar, as numbers: those of several runners add up.
type Column struct {
	// Layout is the text, with a placeholder for every number: %d a whole one, %w a whole one as wide as the last number (which is not
	// shown), %r one with two decimals.
	Layout  string    `json:"layout"`
	Numbers []float64 `json:"numbers,omitempty"`
}

// Text is a column without numbers.
func Text(s string) Column { return Column{Layout: s} }

// String is the text.
func (c Column) String() string {
	width := 0
	if n := len(c.Numbers); n > 0 {
		width = len(strconv.FormatInt(int64(c.Numbers[n-1]), 10))
	}
	var out []byte
	next := 0
	for i := 0; i < len(c.Layout); i++ {
		if c.Layout[i] != '%' || i+1 == len(c.Layout) || next == len(c.Numbers) {
			out = append(out, c.Layout[i])
			continue
		}
		i++
		n := c.Numbers[next]
		next++
		switch c.Layout[i] {
		case 'd':
			out = strconv.AppendInt(out, int64(n), 10)
		case 'w':
			out = fmt.Appendf(out, "%0*d", width, int64(n))
		case 'r':
			out = fmt.Appendf(out, "%.2f", n)
		}
	}
	return string(out)
}

// MergeProgress puts the progress of several runners together, scenario by scenario, in the order of their names. Numbers add up;
// what is a text is the first runner's. A scenario is as far as its runners are on average, and over when it is for all.
func MergeProgress(runners ...[]Progress) []Progress {
	var out []Progress
	count := map[string]float64{}
	for _, all := range runners {
		for _, p := range all {
			count[p.Scenario]++
			i := slices.IndexFunc(out, func(o Progress) bool { return o.Scenario == p.Scenario })
			if i < 0 {
				p.Right = slices.Clone(p.Right)
				out = append(out, p)
				continue
			}
			out[i].add(p, count[p.Scenario])
		}
	}
	slices.SortFunc(out, func(a, b Progress) int { return cmp.Compare(a.Scenario, b.Scenario) })
	return out
}

// add adds the n-th runner's progress.
func (p *Progress) add(o Progress, n float64) {
	p.Done += (o.Done - p.Done) / n
	if p.Ended && !o.Ended { // those who are still at it say how it is
		p.State = o.State
	}
	p.Started, p.Ended = p.Started || o.Started, p.Ended && o.Ended
	for i := range p.Right {
		if i < len(o.Right) && p.Right[i].Layout == o.Right[i].Layout && len(p.Right[i].Numbers) == len(o.Right[i].Numbers) {
			sum := slices.Clone(p.Right[i].Numbers)
			for k, v := range o.Right[i].Numbers {
				sum[k] += v
			}
			p.Right[i].Numbers = sum
		}
	}
}
