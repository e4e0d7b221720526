package summary

import (
	"fmt"
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
	for _, d := range all {
		fmt.Fprintf(&b, "    %s after the start: %s\n", since(began, d.At), d.What)
		switch {
		case d.Share > 0 && !d.Until.IsZero():
			fmt.Fprintf(&b, "      from %s to %s the load was %.1f%% of what was asked\n", since(began, d.At), since(began, d.Until), 100*(1-d.Share))
		case d.Share > 0:
			fmt.Fprintf(&b, "      from %s on the load was %.1f%% of what was asked\n", since(began, d.At), 100*(1-d.Share))
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

func since(began, at time.Time) string {
	if began.IsZero() || at.Before(began) {
		return "0s"
	}
	return at.Sub(began).Round(100 * time.Millisecond).String()
}
