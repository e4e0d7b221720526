package conductor

import (
	"fmt"
	"time"

	"throng/internal/metric"
	"throng/internal/plural"
)

// lags remembers when iterations were dropped, so that the report can say that the generator did not keep up with the
// asked rate, by how much and when.
type lags struct {
	dropped, worst int64
	worstAt        time.Duration
	from, to       time.Duration
	last           time.Duration
}

// note takes the state at elapsed; calls come in the order of time.
func (l *lags) note(elapsed time.Duration, snap metric.Snapshot) {
	if n := snap.Load.Dropped - l.dropped; n > 0 {
		if l.dropped == 0 {
			l.from = l.last
		}
		l.to = elapsed
		if n > l.worst {
			l.worst, l.worstAt = n, l.last
		}
		l.dropped = snap.Load.Dropped
	}
	l.last = elapsed
}

// sentence is for the user; "" if nothing was dropped. rated says whether a rate was asked for, or only numbers of iterations.
func (l *lags) sentence(rated bool) string {
	switch {
	case l.dropped == 0:
		return ""
	case !rated:
		return plural.Of(l.dropped, "iteration was", "iterations were") + " never begun, because maxDuration was over; more VUs, more time or a faster target would be needed"
	}
	sec := func(d time.Duration) time.Duration { return d.Round(time.Second) }
	return fmt.Sprintf("the asked rate was not kept up: %s dropped between %v and %v of the run, most at %v (%d within a second); more VUs (maxVUs) or a faster target would be needed",
		plural.Of(l.dropped, "iteration was", "iterations were"), sec(l.from), sec(l.to), sec(l.worstAt), l.worst)
}
