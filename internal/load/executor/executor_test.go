package executor

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/plan"
	"throng/internal/segment"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

func TestExecutorsCountAsK6(t *testing.T) {
	for _, tt := range []struct {
		name     string
		s        plan.Scenario
		vus      int
		takes    time.Duration
		done     int
		cut      int
		dropped  int64
		at       time.Duration // when Run returns
		progress string
	}{
		{"constant-vus finishes what began in time", plan.Scenario{Executor: plan.ConstantVUs, VUs: 3, Duration: sec, GracefulStop: 4 * sec},
			3, 400 * ms, 9, 0, 0, 1200 * ms, "✓ [3 VUs 1s]"},
		{"gracefulStop cuts", plan.Scenario{Executor: plan.ConstantVUs, VUs: 2, Duration: sec, GracefulStop: 100 * ms},
			2, 400 * ms, 4, 2, 0, 1100 * ms, "✓ [2 VUs 1s]"},
		{"no gracefulStop cuts at once", plan.Scenario{Executor: plan.ConstantVUs, VUs: 2, Duration: sec}, 2, 400 * ms, 4, 2, 0, sec, "✓ [2 VUs 1s]"},
		{"shared-iterations at maxDuration", plan.Scenario{Executor: plan.SharedIterations, VUs: 2, Iterations: 11, MaxDuration: sec, GracefulStop: 3 * sec},
			2, 700 * ms, 4, 0, 7, 1400 * ms, "✓ [2 VUs 1s 04/11 shared iters]"},
		{"per-vu-iterations at maxDuration", plan.Scenario{Executor: plan.PerVUIterations, VUs: 2, Iterations: 6, MaxDuration: sec},
			2, 700 * ms, 2, 2, 8, sec, "✓ [2 VUs 1s 02/12 iters, 6 per VU]"},
		{"shared-iterations ends early", plan.Scenario{Executor: plan.SharedIterations, VUs: 2, Iterations: 5, MaxDuration: time.Minute},
			2, 200 * ms, 5, 0, 0, 600 * ms, "✓ [2 VUs 0m00.6s/1m0s 5/5 shared iters]"},
		{"per-vu-iterations ends early", plan.Scenario{Executor: plan.PerVUIterations, VUs: 3, Iterations: 4, MaxDuration: 10 * time.Minute},
			3, 200 * ms, 12, 0, 0, 800 * ms, "✓ [3 VUs 00m00.8s/10m0s 12/12 iters, 4 per VU]"},
		{"constant rate", plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 10, TimeUnit: sec, Duration: 1950 * ms, PreAllocatedVUs: 3, MaxVUs: 3},
			3, 0, 20, 0, 0, 1950 * ms, "✓ [0/3 VUs 1.95s 10.00 iters/s]"},
		{"one VU for a rate that is too high", plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 10, TimeUnit: sec, Duration: 1050 * ms, PreAllocatedVUs: 1, MaxVUs: 1, GracefulStop: 4 * sec},
			1, 2500 * ms, 1, 0, 10, 2500 * ms, "✓ [0/1 VUs 1.05s 10.00 iters/s]"},
		{"VUs are made one at a time", plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 5, TimeUnit: sec, Duration: 1900 * ms, PreAllocatedVUs: 1, MaxVUs: 3, GracefulStop: 4 * sec},
			1, 2500 * ms, 3, 0, 7, 3300 * ms, "✓ [0/3 VUs 1.9s 5.00 iters/s]"},
		{"a VU that is just fast enough gets every beat", plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 10, TimeUnit: sec, Duration: sec, PreAllocatedVUs: 1, MaxVUs: 1, GracefulStop: sec},
			1, 100 * ms, 10, 0, 0, sec, "✓ [0/1 VUs 1s 10.00 iters/s]"},
		{"ramping rate", plan.Scenario{Executor: plan.RampingArrivalRate, TimeUnit: sec, Stages: []plan.Stage{{Duration: sec, Target: 20}, {Duration: 475 * ms, Target: 20}}, PreAllocatedVUs: 3, MaxVUs: 3},
			3, ms, 19, 0, 0, 1475 * ms, "✓ [0/3 VUs 1.475s 20.00 iters/s]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(tt.vus, sleeps(tt.takes))
				e := mustNew(t, tt.s, nil, l)
				if err := e.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if l.completed != tt.done || l.cut != tt.cut || l.dropped != tt.dropped || time.Since(epoch()) != tt.at {
					t.Errorf("%d completed, %d cut, %d dropped at %v; want %d, %d, %d at %v",
						l.completed, l.cut, l.dropped, time.Since(epoch()), tt.done, tt.cut, tt.dropped, tt.at)
				}
				p := e.Progress()
				if got := fmt.Sprint(p.State, " ", p.Right); got != tt.progress {
					t.Errorf("progress %q, want %q", got, tt.progress)
				}
				l.checkQuiet(t)
			})
		})
	}
}

func TestEndOfContextCutsAtOnceAndDropsNothing(t *testing.T) {
	for _, s := range everyExecutor() {
		t.Run(s.Executor, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(4, sleeps(300*ms))
				ctx, cancel := context.WithTimeout(t.Context(), 1700*ms)
				defer cancel()
				e := mustNew(t, s, nil, l)
				if err := e.Run(ctx); err != nil {
					t.Fatal(err)
				}
				if at := time.Since(epoch()); at != 1700*ms || l.dropped != 0 || l.cut == 0 {
					t.Errorf("back at %v, %d dropped, %d cut", at, l.dropped, l.cut)
				}
				if p := e.Progress(); p.State != "✗" || !p.Ended {
					t.Errorf("progress %+v", p)
				}
				l.checkQuiet(t)
			})
		})
	}
}

func everyExecutor() []plan.Scenario {
	return []plan.Scenario{
		{Executor: plan.ConstantVUs, VUs: 4, Duration: 10 * sec, GracefulStop: sec},
		{Executor: plan.SharedIterations, VUs: 4, Iterations: 100, MaxDuration: 10 * sec, GracefulStop: sec},
		{Executor: plan.PerVUIterations, VUs: 4, Iterations: 100, MaxDuration: 10 * sec, GracefulStop: sec},
		{Executor: plan.RampingVUs, StartVUs: 1, Stages: []plan.Stage{{Duration: sec, Target: 4}, {Duration: 9 * sec, Target: 0}}, GracefulStop: sec, GracefulRampDown: sec},
		{Executor: plan.ConstantArrivalRate, Rate: 10, TimeUnit: sec, Duration: 10 * sec, PreAllocatedVUs: 4, MaxVUs: 4, GracefulStop: sec},
		{Executor: plan.RampingArrivalRate, StartRate: 10, TimeUnit: sec, Stages: []plan.Stage{{Duration: 10 * sec, Target: 5}}, PreAllocatedVUs: 4, MaxVUs: 4, GracefulStop: sec},
		{Executor: plan.ExternallyControlled, VUs: 3, MaxVUs: 4},
	}
}

func TestSegmentsAddUp(t *testing.T) {
	for _, s := range everyExecutor() {
		if s.Executor == plan.ExternallyControlled {
			s.Duration = 5 * sec
		}
		t.Run(s.Executor, func(t *testing.T) {
			run := func(tu *segment.Tuple) (l *lab) {
				synctest.Test(t, func(t *testing.T) {
					l = newLab(4, sleeps(270*ms)) // never ends just when time is up
					if HasWork(&s, tu) {
						if err := mustNew(t, s, tu, l).Run(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					l.checkQuiet(t)
				})
				return l
			}
			whole := run(nil)
			var at []time.Duration
			numbers := map[int64]bool{}
			for _, seg := range []string{"0:1/2", "1/2:3/4", "3/4:1"} {
				l := run(mustTuple(t, seg, "0,1/2,3/4,1"))
				at = append(at, l.starts()...)
				for _, b := range l.begun {
					if numbers[b.it.InTest] {
						t.Errorf("number %d is given twice", b.it.InTest)
					}
					numbers[b.it.InTest] = true
				}
			}
			slices.Sort(at)
			if s.Executor == plan.SharedIterations && len(at) == len(whole.begun) {
				return // how fast a pool empties depends on who shares it
			}
			if !slices.Equal(at, whole.starts()) {
				t.Errorf("starts\n%v, the whole's are\n%v", at, whole.starts())
			}
		})
	}
}

func TestRampingVUsComeGoAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(5, sleeps(700*ms))
		s := plan.Scenario{Executor: plan.RampingVUs, StartVUs: 1, GracefulRampDown: 500 * ms, GracefulStop: 200 * ms, Stages: []plan.Stage{
			{Duration: 400 * ms, Target: 5}, // one more every 100 ms
			{Duration: 50 * ms, Target: 5},
			{Duration: 0, Target: 2}, // at 450: three wind up
			{Duration: 100 * ms, Target: 2},
			{Duration: 0, Target: 3}, // at 550: one goes on as if nothing had been
			{Duration: 1000 * ms, Target: 3},
		}}
		e := mustNew(t, s, nil, l)
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := map[int][]time.Duration{}
		for _, b := range l.begun {
			got[b.vu] = append(got[b.vu], b.at)
		}
		want := map[int][]time.Duration{
			1: {0, 700 * ms, 1400 * ms}, 2: {100 * ms, 800 * ms, 1500 * ms}, 3: {200 * ms, 900 * ms},
			4: {300 * ms}, 5: {400 * ms},
		}
		for id := range want {
			if !slices.Equal(got[id], want[id]) {
				t.Errorf("VU %d began at %v, want %v", id, got[id], want[id])
			}
		}
		// VUs 4 and 5 would have ended at 1000 and 1100, but their ramp-down ended at 950; 3 fits; 1 and 2 are cut at 1750.
		if l.cut != 4 || time.Since(epoch()) != 1750*ms {
			t.Errorf("%d cut, over at %v", l.cut, time.Since(epoch()))
		}
		l.checkQuiet(t)
	})
}

func TestArrivalsBeginWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(20, sleeps(ms))
		s := plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 7, TimeUnit: sec, Duration: 3 * sec, PreAllocatedVUs: 20, MaxVUs: 20}
		if err := mustNew(t, s, nil, l).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, b := range l.begun {
			if b.at != b.it.Due.Sub(epoch()) || b.it.InTest != int64(i) {
				t.Errorf("%d: due at %v, began at %v as %d", i, b.it.Due.Sub(epoch()), b.at, b.it.InTest)
			}
		}
		if len(l.begun) != 21 {
			t.Errorf("%d began", len(l.begun))
		}
		l.checkQuiet(t)
	})
}

func TestNoArrivalIsLostHoweverHighTheRate(t *testing.T) {
	for _, vus := range []int64{1, 3, 50} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(int(vus), sleeps(3*ms))
			s := plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 12345, TimeUnit: sec, Duration: sec, PreAllocatedVUs: vus, MaxVUs: vus, GracefulStop: sec}
			if err := mustNew(t, s, nil, l).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := int64(len(l.begun)) + l.dropped; got != 12345 {
				t.Errorf("%d VUs: %d began, %d dropped: %d in all", vus, len(l.begun), l.dropped, got)
			}
			for _, b := range l.begun {
				if late := b.at - b.it.Due.Sub(epoch()); late < 0 || late > 2*handOver+quantum {
					t.Fatalf("%d VUs: late by %v", vus, late)
				}
			}
			l.checkQuiet(t)
		})
	}
}

func TestALateDispatcherDoesNotBlameTheVUs(t *testing.T) {
	// The process was stopped: 50 arrivals are due at once, or 500, and 10 VUs.
	for _, stop := range []time.Duration{50 * ms, 500 * ms} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(10, sleeps(0))
			s := plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 1000, TimeUnit: sec, Duration: sec, PreAllocatedVUs: 10, MaxVUs: 10, GracefulStop: sec}
			a := mustNew(t, s, nil, l).(*arrivals)
			for range 10 {
				a.idle.push(&seat{wake: make(chan time.Duration, 1)})
			}
			a.dispatch(t.Context(), t.Context(), stop)
			if a.ahead != 10 || l.dropped != 0 {
				t.Errorf("%d handed out, %d dropped", a.ahead, l.dropped)
			}
			until := stop + min(stop, maxExcuse) + handOver
			for now := stop + handOver; now < until; now += handOver {
				if next, _ := a.dispatch(t.Context(), t.Context(), now); l.dropped != 0 || next > now+handOver {
					t.Errorf("%v after the stop: %d dropped before the VUs had as long as it took; next look at %v", now-stop, l.dropped, next)
				}
			}
			a.dispatch(t.Context(), t.Context(), until)
			if want := int64(stop/ms) + 1 - 10; l.dropped != want {
				t.Errorf("%d dropped, want the %d that nobody took", l.dropped, want)
			}
		})
	}
}

func TestExternallyControlledObeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(4, sleeps(1300*ms))
		s := plan.Scenario{Executor: plan.ExternallyControlled, VUs: 2, MaxVUs: 4, Duration: 9 * sec}
		e := mustNew(t, s, nil, l).(*ExternallyControlled)
		over := make(chan error)
		go func() { over <- e.Run(t.Context()) }()
		set := func(at time.Duration, c Control) {
			time.Sleep(at - time.Since(epoch()))
			if err := e.SetControl(c); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		check := func(active int64, made, cut int) {
			t.Helper()
			synctest.Wait()
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.active != active || l.made != made || l.cut != cut {
				t.Errorf("%d active of %d, %d cut; want %d of %d, %d cut", l.active, l.made, l.cut, active, made, cut)
			}
		}
		synctest.Wait()
		check(2, 4, 0)
		set(1500*ms, Control{VUs: 4, MaxVUs: 4})
		check(4, 4, 0)
		set(2500*ms, Control{VUs: 1, MaxVUs: 4})
		check(1, 4, 3)
		set(3000*ms, Control{VUs: 5, MaxVUs: 6})
		check(5, 6, 3)
		set(4000*ms, Control{VUs: 5, MaxVUs: 6, Paused: true})
		time.Sleep(1500 * ms)
		check(0, 6, 3)
		set(6000*ms, Control{VUs: 5, MaxVUs: 6})
		check(5, 6, 3)
		for _, tt := range []struct {
			c    Control
			want string
		}{
			{Control{VUs: 5, MaxVUs: 2}, "invalid configuration supplied: the number of active VUs (5) must be less than or equal to the number of maxVUs (2)"},
			{Control{VUs: 2, MaxVUs: 2}, "the new number of max VUs cannot be lower than the starting number of max VUs (4)"},
			{Control{VUs: -1, MaxVUs: 4}, "invalid configuration supplied: the number of VUs can't be negative"},
		} {
			if err := e.SetControl(tt.c); err == nil || err.Error() != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
		}
		if err := <-over; err != nil {
			t.Error(err)
		}
		// Two seconds of pause do not count.
		if at := time.Since(epoch()); at != 11*sec {
			t.Errorf("over at %v", at)
		}
		l.checkQuiet(t)
	})
}

func TestAVUThatCannotBeActivatedEndsUpInTheError(t *testing.T) {
	for _, s := range everyExecutor() {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(4, sleeps(ms))
			ctx, cancel := context.WithTimeout(t.Context(), sec)
			defer cancel()
			err := mustNew(t, s, nil, broken{l}).Run(ctx)
			if err == nil || err.Error() != "broken" {
				t.Errorf("%s: %v", s.Executor, err)
			}
		})
	}
}

type broken struct{ *lab }

func (b broken) GetPlanned(context.Context) (VU, error) { return nil, fmt.Errorf("broken") }
