package executor

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/segment"
)

// Describe returns the words that stand after "* name: " in the header of a run, as k6 puts them.
func Describe(s *plan.Scenario, tuple *segment.Tuple) string {
	perSecond := func(rate int64) float64 {
		part := tuple
		if byVUs, err := arrivalsOf(s, tuple); err == nil {
			part = byVUs
		}
		return float64(rate) * part.Segment().Share() / (float64(s.TimeUnit) / float64(time.Second))
	}
	switch s.Executor {
	case plan.SharedIterations:
		vus, n := sharedIterationsOf(s, tuple)
		return fmt.Sprintf("%d iterations shared among %d VUs", n, vus) + details(s, "maxDuration: "+s.MaxDuration.String())
	case plan.PerVUIterations:
		return fmt.Sprintf("%d iterations for each of %d VUs", s.Iterations, tuple.Scale(s.VUs)) +
			details(s, "maxDuration: "+s.MaxDuration.String())
	case plan.ConstantVUs:
		return fmt.Sprintf("%d looping VUs for %v", tuple.Scale(s.VUs), s.Duration) + details(s)
	case plan.RampingVUs:
		return fmt.Sprintf("Up to %d looping VUs for %v over %d stages", tuple.Scale(maxTarget(s.StartVUs, s.Stages)),
			length(s.Stages), len(s.Stages)) + details(s, "gracefulRampDown: "+s.GracefulRampDown.String())
	case plan.ConstantArrivalRate:
		return fmt.Sprintf("%.2f iterations/s for %v", perSecond(s.Rate), s.Duration) + details(s, maxVUs(s, tuple))
	case plan.RampingArrivalRate:
		return fmt.Sprintf("Up to %.2f iterations/s for %v over %d stages", perSecond(maxTarget(s.StartRate, s.Stages)),
			length(s.Stages), len(s.Stages)) + details(s, maxVUs(s, tuple))
	case plan.ExternallyControlled:
		d := "infinite"
		if s.Duration > 0 {
			d = s.Duration.String()
		}
		return fmt.Sprintf("Externally controlled execution with %d VUs, %d max VUs, %s duration", s.VUs, s.MaxVUs, d)
	}
	return s.Executor
}

// PeakRate is how many iterations a second the whole scenario starts at most; 0 where that is for the target to decide.
func PeakRate(s *plan.Scenario) float64 {
	rate := s.Rate
	if s.Executor == plan.RampingArrivalRate {
		rate = maxTarget(s.StartRate, s.Stages)
	}
	if s.TimeUnit <= 0 {
		return 0
	}
	return float64(rate) / s.TimeUnit.Seconds()
}

func maxVUs(s *plan.Scenario, tuple *segment.Tuple) string {
	from, to := vusOf(s, tuple)
	if from == to {
		return fmt.Sprintf("maxVUs: %d", to)
	}
	return fmt.Sprintf("maxVUs: %d-%d", from, to)
}

// details appends what all executors have in common to first, leaves out what is as usual, and puts it in brackets.
func details(s *plan.Scenario, first ...string) string {
	if s.Exec != "" && s.Exec != "default" {
		first = append(first, "exec: "+s.Exec)
	}
	if s.StartTime > 0 {
		first = append(first, "startTime: "+s.StartTime.String())
	}
	if s.GracefulStop > 0 {
		first = append(first, "gracefulStop: "+s.GracefulStop.String())
	}
	if len(first) == 0 {
		return ""
	}
	return " (" + strings.Join(first, ", ") + ")"
}

// spent is the time column: how much of whole has passed, whole alone once it has.
func (b *base) spent(whole time.Duration) run.Column {
	if b.elapsed() >= whole {
		return run.Text(whole.String())
	}
	return run.Text(clock(b.elapsed(), whole) + "/" + whole.String())
}

// spentAll is spent with both durations at the same width.
func (b *base) spentAll(whole time.Duration) run.Column {
	if b.elapsed() >= whole {
		return run.Text(whole.String())
	}
	return run.Text(clock(b.elapsed(), whole) + "/" + clock(whole, whole))
}

// clock writes d to a tenth of a second, with the units and the width that whole needs, so that columns do not jump.
func clock(d, whole time.Duration) string {
	tenths := int64(d / (time.Second / 10))
	secs, most := tenths/10, int64(whole/time.Second)
	units := []struct {
		name string
		size int64
	}{{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}}
	var b strings.Builder
	for _, u := range units {
		if most < u.size && u.size > 1 && b.Len() == 0 {
			continue
		}
		width := 2
		if b.Len() == 0 {
			width = len(strconv.FormatInt(most/u.size, 10))
		}
		fmt.Fprintf(&b, "%0*d", width, secs/u.size)
		secs %= u.size
		if u.size == 1 {
			fmt.Fprintf(&b, ".%d", tenths%10)
		}
		b.WriteString(u.name)
	}
	return b.String()
}

// outOf writes n/total and then text, n as wide as total.
func outOf(n, total int64, text string) run.Column {
	return run.Column{Layout: "%w/%d " + text, Numbers: []float64{float64(n), float64(total), float64(total)}}
}

// vusColumn writes how many VUs there are.
func vusColumn(n int64) run.Column {
	return run.Column{Layout: "%d VUs", Numbers: []float64{float64(n)}}
}

// vusText writes n/of VUs, both as wide as the most there can be.
func vusText(n, of, most int64) run.Column {
	return run.Column{Layout: "%w/%w VUs", Numbers: []float64{float64(n), float64(of), float64(most)}}
}
