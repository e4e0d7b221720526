package executor

import (
	"testing"
	"time"

	"throng/internal/pace"
	"throng/internal/plan"
)

func TestNoNumberIsBegunTwiceWhoeverDies(t *testing.T) {
	for _, executor := range kindsOfExecutor {
		for seed := range uint64(40) {
			inBubble(t, seed, executor, false, func(t *testing.T, f *fleet) {
				numbers := f.numbers()
				if executor != plan.SharedIterations && executor != plan.PerVUIterations {
					return
				}
				total := f.s.Iterations
				if executor == plan.PerVUIterations {
					total *= f.s.VUs
				}
				for n := range numbers {
					if n < 0 || n >= total {
						t.Errorf("%s: iteration %d of %d was begun", executor, n, total)
					}
				}
			})
		}
	}
}

// TestADeathCostsNoMoreThanWasReserved holds that iterations with an end are done but for those that a dead life had reserved and
// not begun, or had no time for.
func TestADeathCostsNoMoreThanWasReserved(t *testing.T) {
	for _, executor := range []string{plan.SharedIterations, plan.PerVUIterations} {
		for seed := range uint64(60) {
			inBubble(t, seed, executor, false, func(t *testing.T, f *fleet) {
				total, lost := f.s.Iterations, int64(0)
				if executor == plan.PerVUIterations {
					total *= f.s.VUs
				}
				for _, l := range f.lives {
					if !l.died.IsZero() {
						lost += l.held - l.e.Reserve(time.Now())
					}
				}
				if got := int64(len(f.numbers())) + f.dropped() + lost; got != total {
					t.Errorf("%s: %d began, %d were dropped, %d were reserved by the dead: %d, want %d",
						executor, len(f.numbers()), f.dropped(), lost, got, total)
				}
			})
		}
	}
}

func TestNothingIsLostByWhoYields(t *testing.T) {
	for _, executor := range kindsOfExecutor {
		for seed := range uint64(40) {
			inBubble(t, seed, executor, true, func(t *testing.T, f *fleet) {
				numbers := f.numbers()
				switch executor {
				case plan.SharedIterations, plan.PerVUIterations:
					total := f.s.Iterations
					if executor == plan.PerVUIterations {
						total *= f.s.VUs
					}
					if int64(len(numbers))+f.dropped() != total {
						t.Errorf("%s: %d of %d began, %d were dropped", executor, len(numbers), total, f.dropped())
					}
				case plan.ConstantArrivalRate, plan.RampingArrivalRate:
					if want := curveOf(&f.s).Count(); int64(len(numbers))+f.dropped() != want {
						t.Errorf("%s: %d of %d began, %d were dropped", executor, len(numbers), want, f.dropped())
					}
				}
				for _, l := range f.lives {
					if l.lab.cut > 0 && executor != plan.RampingVUs && executor != plan.ExternallyControlled {
						t.Errorf("%s: %d iterations were cut off", executor, l.lab.cut)
					}
				}
			})
		}
	}
}

func curveOf(s *plan.Scenario) pace.Curve {
	if s.Executor == plan.ConstantArrivalRate {
		return pace.Constant{PerUnit: s.Rate, Unit: s.TimeUnit, Length: s.Duration}
	}
	var stages []pace.Stage
	for _, st := range s.Stages {
		stages = append(stages, pace.Stage{Duration: st.Duration, Target: st.Target})
	}
	return pace.NewRamp(s.StartRate, s.TimeUnit, stages)
}

// TestTakersBeginWhatIsDueFromThenOn holds that of a dead life's arrivals those begin that were due before it died or after it was
// taken over, each when it was due.
func TestTakersBeginWhatIsDueFromThenOn(t *testing.T) {
	for _, executor := range []string{plan.ConstantArrivalRate, plan.RampingArrivalRate} {
		for seed := range uint64(60) {
			inBubble(t, seed, executor, false, func(t *testing.T, f *fleet) {
				if n := f.dropped(); n > 0 {
					t.Fatalf("%d were dropped: this test has VUs enough", n)
				}
				numbers, curve, due := f.numbers(), curveOf(&f.s), int64(0)
				for _, l := range f.lives {
					numbering, err := arrivalsOf(&f.s, l.tuple)
					if err != nil {
						t.Fatal(err)
					}
					for k := range numbering.Scale(curve.Count()) {
						g := numbering.Global(k)
						at, _ := curve.At(g)
						if at <= l.from.Skip && l.from.Skip > 0 || !l.died.IsZero() && at >= l.died.Sub(f.zero) {
							continue
						}
						due++
						if b, ok := numbers[g]; !ok || b.at != at || b.it.Due.Sub(f.zero) != at {
							t.Errorf("%s: arrival %d is due at %v, and began: %v at %v", executor, g, at, ok, b.at)
						}
					}
					if c := l.e.Count(); c.Begun != int64(len(l.lab.begun)) || c.Due < c.Begun || l.died.IsZero() && c.Due != c.Begun {
						t.Errorf("%s: counted %+v, %d began", executor, c, len(l.lab.begun))
					}
				}
				if due != int64(len(numbers)) {
					t.Errorf("%s: %d began, %d were due to somebody", executor, len(numbers), due)
				}
			})
		}
	}
}

// TestAHandOverNeverBursts holds that however lives change, in no span of time more arrivals begin than twice what is due in it, and
// none before it is due.
func TestAHandOverNeverBursts(t *testing.T) {
	for _, executor := range []string{plan.ConstantArrivalRate, plan.RampingArrivalRate} {
		for seed := range uint64(60) {
			inBubble(t, seed, executor, true, func(t *testing.T, f *fleet) {
				curve := curveOf(&f.s)
				for _, l := range f.lives {
					numbering, err := arrivalsOf(&f.s, l.tuple)
					if err != nil {
						t.Fatal(err)
					}
					mine := pace.Shared{Curve: curve, Share: numbering}
					at := l.lab.starts()
					for i := range at {
						for j := i; j < len(at); j++ {
							if due := mine.Due(at[j]) - mine.Due(at[i]-1); int64(j-i+1) > 2*due+1 {
								t.Fatalf("%s: %d begin from %v to %v, %d are due", executor, j-i+1, at[i], at[j], due)
							}
						}
					}
					for _, b := range l.lab.begun {
						if due, _ := curve.At(b.it.InTest); l.from.Used == 0 && f.dropped() == 0 && b.at < due {
							t.Fatalf("%s: %d began at %v, it is due at %v", executor, b.it.InTest, b.at, due)
						}
						if b.at < b.it.Due.Sub(f.zero) {
							t.Fatalf("%s: due at %v, began at %v", executor, b.it.Due.Sub(f.zero), b.at)
						}
					}
				}
			})
		}
	}
}

// TestLoopingVUsAreAsManyAsTheScheduleWants looks at fleets after every death was made up for.
func TestLoopingVUsAreAsManyAsTheScheduleWants(t *testing.T) {
	for _, executor := range []string{plan.ConstantVUs, plan.RampingVUs} {
		for seed := range uint64(60) {
			inBubble(t, seed, executor, false, func(t *testing.T, f *fleet) {
				whole := length(f.s.Stages)
				if executor == plan.ConstantVUs {
					whole = f.s.Duration
				}
				var settled time.Duration
				for _, l := range f.lives {
					settled = max(settled, l.from.Skip)
				}
				for at := settled + sec; at < whole; at += 130 * ms {
					// A VU iterates without a pause: those that began one within the last iteration's time are those that loop.
					looping := int64(0)
					for _, l := range f.lives {
						for _, b := range l.lab.begun {
							if b.at > at-f.takes && b.at <= at {
								looping++
							}
						}
					}
					least, most := f.s.VUs, f.s.VUs
					if executor == plan.RampingVUs {
						least, most = wanted(&f.s, at-2*f.takes, at)
					}
					if looping < least || looping > most {
						t.Fatalf("%s at %v: %d VUs loop, %d to %d are wanted", executor, at, looping, least, most)
					}
				}
			})
		}
	}
}

// wanted returns the least and the most VUs that a ramp wants within a span of time.
func wanted(s *plan.Scenario, from, to time.Duration) (least, most int64) {
	least = 1 << 60
	steps := rawSteps(s, nil)
	for i, c := range steps {
		ends := i+1 == len(steps) || steps[i+1].at > from
		if c.at <= to && ends {
			least, most = min(least, c.n), max(most, c.n)
		}
	}
	return least, most
}
