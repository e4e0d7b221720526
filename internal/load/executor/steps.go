package executor

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"throng/internal/plan"
	"throng/internal/segment"
)

// Step says what a scenario needs from an instant on, until the next step.
type Step struct {
	TimeOffset      time.Duration // from the start of the scenario
	PlannedVUs      int64         // VUs that must be ready
	MaxUnplannedVUs int64         // VUs that may be made besides
}

// Steps returns what a scenario needs over time, in order; VUs that may still be busy within a graceful stop or ramp-down
// are needed. The last step needs nothing, but for an executor that never ends.
func Steps(s *plan.Scenario, tuple *segment.Tuple) []Step {
	if !HasWork(s, tuple) {
		return nil
	}
	fixed := func(planned, most int64, regular time.Duration) []Step {
		return []Step{{0, planned, most - planned}, {regular + s.GracefulStop, 0, 0}}
	}
	switch s.Executor {
	case plan.SharedIterations, plan.PerVUIterations:
		return fixed(tuple.Scale(s.VUs), tuple.Scale(s.VUs), s.MaxDuration)
	case plan.ConstantVUs:
		return fixed(tuple.Scale(s.VUs), tuple.Scale(s.VUs), s.Duration)
	case plan.RampingVUs:
		return reserved(s, rawSteps(s, tuple))
	case plan.ConstantArrivalRate:
		pre, most := vusOf(s, tuple)
		return fixed(pre, most, s.Duration)
	case plan.RampingArrivalRate:
		pre, most := vusOf(s, tuple)
		return fixed(pre, most, length(s.Stages))
	case plan.ExternallyControlled:
		all := fixed(tuple.Scale(s.MaxVUs), tuple.Scale(s.MaxVUs), s.Duration)
		if s.Duration == 0 {
			return all[:1]
		}
		return all
	}
	return nil
}

// Requirements returns how many VUs must be ready for all scenarios together, how many there may ever be at once, and how
// long the scenarios take at most, graceful stops included. Like k6 it counts VUs of a scenario that ends at the instant at
// which another begins twice if the ending one began later.
func Requirements(all []plan.Scenario, tuple *segment.Tuple) (maxPlanned, maxPossible int64, end time.Duration) {
	order := make([]*plan.Scenario, len(all))
	for i := range all {
		order[i] = &all[i]
	}
	slices.SortFunc(order, func(a, b *plan.Scenario) int {
		return cmp.Or(cmp.Compare(a.StartTime, b.StartTime), cmp.Compare(a.Name, b.Name))
	})
	type change struct {
		at                 time.Duration
		planned, unplanned int64
	}
	var changes []change
	for _, s := range order {
		var last Step
		for _, st := range Steps(s, tuple) {
			at := s.StartTime + st.TimeOffset
			changes = append(changes, change{at, st.PlannedVUs - last.PlannedVUs, st.MaxUnplannedVUs - last.MaxUnplannedVUs})
			last, end = st, max(end, at)
		}
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	var planned, possible int64
	for _, c := range changes {
		planned += c.planned
		possible += c.planned + c.unplanned
		maxPlanned, maxPossible = max(maxPlanned, planned), max(maxPossible, possible)
	}
	return maxPlanned, maxPossible, end
}

// count is how many VUs there are from an instant on.
type count struct {
	at time.Duration
	n  int64
}

// rawSteps returns how many of our VUs a ramping-vus scenario wants to loop over time: the whole's number is interpolated
// between the stages' targets, and moves by one at equal distances, the last time at the end of the stage.
func rawSteps(s *plan.Scenario, tuple *segment.Tuple) []count {
	steps := []count{{0, tuple.Scale(s.StartVUs)}}
	from, at := s.StartVUs, time.Duration(0)
	ours := steps[0].n
	for _, st := range s.Stages {
		to := st.Target
		switch {
		case to == from:
		case st.Duration == 0:
			if n := tuple.Scale(to); n != ours {
				ours = n
				steps = append(steps, count{at, ours})
			}
		case to > from:
			// Our next VU is there once the whole has one more than its index.
			for g := tuple.Global(ours) + 1; g <= to; g = tuple.Global(ours) + 1 {
				ours++
				steps = append(steps, count{at + portion(st.Duration, g-from, to-from), ours})
			}
		default:
			// Our last VU goes once the whole has no more than its index.
			for ours > 0 && tuple.Global(ours-1) >= to {
				ours--
				steps = append(steps, count{at + portion(st.Duration, from-tuple.Global(ours), from-to), ours})
			}
		}
		from, at = to, at+st.Duration
	}
	return steps
}

// portion returns d*part/whole, part <= whole.
func portion(d time.Duration, part, whole int64) time.Duration {
	hi, lo := bits.Mul64(uint64(d), uint64(part))
	q, _ := bits.Div64(hi, lo, uint64(whole))
	return time.Duration(q)
}

// reserved returns how many VUs may be in use: as many as have been wanted within the last GracefulRampDown, and after the
// last stage those that are left for GracefulStop. See TestReservationAgainstTwin.
func reserved(s *plan.Scenario, raw []count) []Step {
	cut := length(s.Stages) + s.GracefulStop
	var steps []Step
	emit := func(at time.Duration, n int64) {
		if len(steps) == 0 || steps[len(steps)-1].PlannedVUs != n {
			steps = append(steps, Step{TimeOffset: at, PlannedVUs: n})
		}
	}
	// held is a queue of falling numbers: what was wanted and may still be in use, each until the time beside it.
	var held []count
	release := func(now time.Duration) {
		for len(held) > 1 && held[0].at <= now && held[0].at < cut {
			at := held[0].at
			held = held[1:]
			emit(at, held[0].n)
		}
	}
	for i, r := range raw {
		// A VU that comes at the very end counts, as in k6, though it has no time to do anything.
		release(r.at)
		until := cut
		if i+1 < len(raw) {
			until = min(cut, raw[i+1].at+s.GracefulRampDown)
		}
		for len(held) > 0 && held[len(held)-1].n <= r.n {
			held = held[:len(held)-1]
		}
		held = append(held, count{until, r.n})
		release(r.at)
		emit(r.at, held[0].n)
	}
	release(cut)
	if steps[len(steps)-1].PlannedVUs > 0 {
		emit(cut, 0)
	}
	return steps
}
