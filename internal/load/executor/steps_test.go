package executor

import (
	"math/rand/v2"
	"testing"
	"time"

	"throng/internal/plan"
)

func rv(start int64, ramp, stop time.Duration, stages ...plan.Stage) plan.Scenario {
	return plan.Scenario{Name: "r", Executor: plan.RampingVUs, StartVUs: start, Stages: stages, GracefulRampDown: ramp, GracefulStop: stop}
}

func TestRequirementsAreThoseOfK6(t *testing.T) {
	cv := func(name string, vus int64, start time.Duration) plan.Scenario {
		return plan.Scenario{Name: name, Executor: plan.ConstantVUs, VUs: vus, Duration: sec, StartTime: start}
	}
	car := func(name string, pre, most int64, start time.Duration) plan.Scenario {
		return plan.Scenario{Name: name, Executor: plan.ConstantArrivalRate, Rate: 1, TimeUnit: sec, Duration: sec, PreAllocatedVUs: pre, MaxVUs: most, StartTime: start}
	}
	probe := func(start time.Duration, r plan.Scenario) []plan.Scenario {
		return []plan.Scenario{r, cv("p", 100000, start)}
	}
	for _, tt := range []struct {
		name string
		all  []plan.Scenario
		most int64
		end  time.Duration
	}{
		{"touching", []plan.Scenario{cv("a", 3, 0), cv("b", 4, sec)}, 4, 2 * sec},
		{"unplanned, then planned", []plan.Scenario{car("a", 1, 10, 0), cv("b", 5, 5*sec)}, 10, 6 * sec},
		{"three", []plan.Scenario{car("a", 1, 10, 0), car("b", 5, 7, 5*sec), car("c", 3, 30, 10*sec)}, 30, 11 * sec},
		{"endless", []plan.Scenario{{Executor: plan.ExternallyControlled, VUs: 2, MaxVUs: 9}}, 9, 0},
		{"external", []plan.Scenario{{Executor: plan.ExternallyControlled, VUs: 2, MaxVUs: 9, Duration: 5 * sec}, cv("b", 3, sec)}, 12, 5 * sec},
		{"ramp shortcut", []plan.Scenario{rv(4, 30*sec, 30*sec, plan.Stage{Duration: 10 * sec, Target: 20}, plan.Stage{Duration: time.Minute, Target: 20}, plan.Stage{Duration: 5 * sec, Target: 0})}, 20, 105 * sec},
		{"ramp to zero without ramp-down", []plan.Scenario{rv(0, 0, 30*sec, plan.Stage{Duration: 2 * sec, Target: 5}, plan.Stage{Duration: 2 * sec, Target: 0})}, 5, 4 * sec},
		{"ramp-down is cut by the stop", []plan.Scenario{rv(0, 30*sec, 0, plan.Stage{Duration: 2 * sec, Target: 5}, plan.Stage{Duration: 2 * sec, Target: 0})}, 5, 4 * sec},
		{"up, 0 s", probe(0, rv(1, 0, 0, plan.Stage{Duration: 4 * sec, Target: 5})), 100001, 4 * sec},
		{"up, 1 s", probe(sec, rv(1, 0, 0, plan.Stage{Duration: 4 * sec, Target: 5})), 100003, 4 * sec},
		{"up, 1.5 s", probe(1500*ms, rv(1, 0, 0, plan.Stage{Duration: 4 * sec, Target: 5})), 100003, 4 * sec},
		{"held, 4 s", probe(4*sec, rv(5, 3*sec, 2*sec, plan.Stage{Duration: sec, Target: 5}, plan.Stage{Duration: 2 * sec, Target: 1})), 100005, 5 * sec},
		{"held, 4.5 s", probe(4500*ms, rv(5, 3*sec, 2*sec, plan.Stage{Duration: sec, Target: 5}, plan.Stage{Duration: 2 * sec, Target: 1})), 100004, 5500 * ms},
		{"held, 5 s", probe(5*sec, rv(5, 3*sec, 2*sec, plan.Stage{Duration: sec, Target: 5}, plan.Stage{Duration: 2 * sec, Target: 1})), 100000, 6 * sec},
	} {
		planned, most, end := Requirements(tt.all, nil)
		if most != tt.most || end != tt.end || planned > most {
			t.Errorf("%s: %d VUs (%d planned) for %v, want %d for %v", tt.name, most, planned, end, tt.most, tt.end)
		}
	}
}

func randomRamp(r *rand.Rand) plan.Scenario {
	s := rv(r.Int64N(8), time.Duration(r.IntN(4))*sec, time.Duration(r.IntN(4))*sec)
	for range 1 + r.IntN(5) {
		s.Stages = append(s.Stages, plan.Stage{Duration: time.Duration(r.IntN(4)) * sec, Target: r.Int64N(8)})
	}
	return s
}

// at returns the value of a step function.
func at(steps []Step, t time.Duration) (n int64) {
	for _, s := range steps {
		if s.TimeOffset <= t {
			n = s.PlannedVUs
		}
	}
	return n
}

func TestReservationAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		s := randomRamp(r)
		raw := rawSteps(&s, nil)
		steps := reserved(&s, raw)
		whole := length(s.Stages)
		for now := time.Duration(0); now < whole+5*sec; now += 97 * ms {
			// The most that was wanted within the last gracefulRampDown, and at its beginning.
			var want int64
			for i, c := range raw {
				ends := whole + s.GracefulStop
				if i+1 < len(raw) {
					ends = min(ends, raw[i+1].at+s.GracefulRampDown)
				}
				if c.at <= now && now < ends {
					want = max(want, c.n)
				}
			}
			if got := at(steps, now); got != want {
				t.Fatalf("%+v at %v: %d reserved, want %d\nraw %v\nsteps %v", s, now, got, want, raw, steps)
			}
		}
		for i := 1; i < len(steps); i++ {
			if steps[i].TimeOffset < steps[i-1].TimeOffset {
				t.Fatalf("%v", steps)
			}
		}
		if last := steps[len(steps)-1]; last.PlannedVUs != 0 && last.TimeOffset > 0 {
			t.Fatalf("%+v: needs %d for ever: %v", s, last.PlannedVUs, steps)
		}
	}
}

func TestSegmentsOfARampTile(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	value := func(raw []count, t time.Duration) (n int64) {
		for _, c := range raw {
			if c.at <= t {
				n = c.n
			}
		}
		return n
	}
	for range 200 {
		s := randomRamp(r)
		whole := rawSteps(&s, nil)
		var parts [][]count
		for _, seg := range []string{"0:1/5", "1/5:3/5", "3/5:1"} {
			parts = append(parts, rawSteps(&s, mustTuple(t, seg, "0,1/5,3/5,1")))
		}
		for now := time.Duration(0); now < length(s.Stages)+sec; now += 83 * ms {
			var sum int64
			for _, p := range parts {
				sum += value(p, now)
			}
			if want := value(whole, now); sum != want {
				t.Fatalf("%+v at %v: %d, want %d", s, now, sum, want)
			}
		}
	}
}
