package summary

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/metric"
	"throng/internal/plural"
)

// Plan is how many iterations a scenario was to begin.
type Plan struct {
	Scenario   string
	Iterations int64
}

// Disturbances tells what happened to a run of a grid: what, when, which seconds ran under strength, planned against done, and what
// may be missing in the numbers. began is when the scenarios did. It is empty for a run that nothing happened to.
func Disturbances(began time.Time, snap metric.Snapshot, plans []Plan, all []cluster.Disturbance, colour bool) string {
	if len(all) == 0 {
		return ""
	}
	var b strings.Builder
	title := "  █ DISTURBANCES"
	if colour {
		title = "\x1b[1m" + title + "\x1b[0m"
	}
	b.WriteString("\n" + title + "\n\n")
	weak := underStrength(began, all)
	for i, d := range all {
		fmt.Fprintf(&b, "    %s after the start: %s\n", instant(began, d.At), d.What)
		for _, s := range weak[i] {
			if s.until == forever {
				fmt.Fprintf(&b, "      from %s on the load was %.1f%% of what was asked\n", s.from, 100*(1-s.missing))
			} else {
				fmt.Fprintf(&b, "      from %s to %s the load was %.1f%% of what was asked\n", s.from, s.until, 100*(1-s.missing))
			}
		}
		if d.Unreported > 0 {
			fmt.Fprintf(&b, "      what the node did after that is not in these numbers\n")
		}
	}
	for _, p := range plans {
		for _, s := range snap.Scenarios {
			if s.Name == p.Scenario {
				fmt.Fprintf(&b, "    scenario %s: %s planned; of those in these numbers %d began and %s dropped\n", s.Name,
					plural.Of(p.Iterations, "iteration was", "iterations were"), s.Begun, plural.Of(s.Dropped, "was", "were"))
			}
		}
	}
	b.WriteString("\n")
	return b.String()
}

// stretch is a time in which the same share was missing.
type stretch struct {
	from, until time.Duration // after the start
	missing     float64
}

const forever = time.Duration(math.MaxInt64)

// underStrength tells, by disturbance, in which stretches the load was less than what was asked. What is missing at the same time adds
// up, and is told once: with the last of those disturbances that overlap.
func underStrength(began time.Time, all []cluster.Disturbance) [][]stretch {
	each := make([]stretch, len(all))
	for i, d := range all {
		each[i] = missing(began, d, all)
	}
	out := make([][]stretch, len(all))
	var lost []stretch // of disturbances that overlap one another
	var end time.Duration
	for i, s := range each {
		if s.missing > 0 && s.from < s.until {
			lost, end = append(lost, s), max(end, s.until)
		}
		overlaps := func(later stretch) bool { return later.missing > 0 && later.from < later.until && later.from < end }
		if len(lost) > 0 && !slices.ContainsFunc(each[i+1:], overlaps) {
			out[i], lost, end = sum(lost), nil, 0
		}
	}
	return out
}

// missing is from when to when which share was missing because of a disturbance alone.
func missing(began time.Time, d cluster.Disturbance, all []cluster.Disturbance) stretch {
	s := stretch{instant(began, d.At), forever, d.Share}
	if !d.Until.IsZero() {
		s.until = instant(began, d.Until)
	}
	for _, of := range all {
		switch { // until the share of which this is a part was whole again, it is missing there
		case d.Of == "" || of.Part != d.Of:
		case of.Until.IsZero():
			s.from = forever
		default:
			s.from = max(s.from, instant(began, of.Until))
		}
	}
	return s
}

// sum cuts stretches that overlap into such as do not.
func sum(lost []stretch) (out []stretch) {
	var bounds []time.Duration
	for _, s := range lost {
		bounds = append(bounds, s.from, s.until)
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	for i, from := range bounds[:len(bounds)-1] {
		now := stretch{from, bounds[i+1], 0}
		for _, s := range lost {
			if s.from <= now.from && now.until <= s.until {
				now.missing += s.missing
			}
		}
		now.missing = min(now.missing, 1) // fractions that are rounded
		if n := len(out); n > 0 && out[n-1].missing == now.missing {
			out[n-1].until = now.until
		} else {
			out = append(out, now)
		}
	}
	return out
}

// instant is when something happened, after the start, to a tenth of a second.
func instant(began, at time.Time) time.Duration {
	if began.IsZero() || at.Before(began) {
		return 0
	}
	return at.Sub(began).Round(100 * time.Millisecond)
}
