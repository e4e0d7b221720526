package executor

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/metric"
	"throng/internal/plan"
)

func starting(t *testing.T, s plan.Scenario, from Start, l *lab) Executor {
	t.Helper()
	e, err := New(&s, nil, from, l, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// from is a Start of a scenario whose clock has stood at skip when the bubble began.
func from(skip time.Duration) Start { return Start{At: epoch().Add(-skip), Skip: skip} }

func TestAStartInMidScheduleIsAsIfItHadGoneOnFromTheBeginning(t *testing.T) {
	for _, tt := range []struct {
		name  string
		s     plan.Scenario
		from  Start
		takes time.Duration
		begun int           // how many begin
		first int64         // number of the first
		last  time.Duration // of the scenario's clock, when the last begins
		end   time.Duration // of it, when Run returns
		count metric.ScenarioCount
	}{
		{"constant-vus", plan.Scenario{Executor: plan.ConstantVUs, VUs: 2, Duration: 10 * sec, GracefulStop: sec},
			Start{Skip: 6 * sec, Used: 50}, 900 * ms, 10, 50, 9600 * ms, 10500 * ms, metric.ScenarioCount{Begun: 10, Due: 10}},
		{"what is left of maxDuration", plan.Scenario{Executor: plan.SharedIterations, VUs: 2, Iterations: 100, MaxDuration: 10 * sec, GracefulStop: sec},
			Start{Skip: 6 * sec, Used: 30}, 900 * ms, 10, 30, 9600 * ms, 10500 * ms, metric.ScenarioCount{Begun: 10, Due: 10, Dropped: 60}},
		{"what is left of the iterations", plan.Scenario{Executor: plan.SharedIterations, VUs: 2, Iterations: 100, MaxDuration: 10 * sec},
			Start{Skip: 6 * sec, Used: 95}, 900 * ms, 5, 95, 7800 * ms, 8700 * ms, metric.ScenarioCount{Begun: 5, Due: 5}},
		{"what is left is spread over the VUs", plan.Scenario{Executor: plan.PerVUIterations, VUs: 4, Iterations: 5, MaxDuration: 10 * sec},
			Start{Skip: 2 * sec, Used: 7}, 500 * ms, 13, 7, 3500 * ms, 4 * sec, metric.ScenarioCount{Begun: 13, Due: 13}},
		{"more used than there are", plan.Scenario{Executor: plan.PerVUIterations, VUs: 4, Iterations: 5, MaxDuration: 10 * sec},
			Start{Skip: 2 * sec, Used: 27}, 500 * ms, 0, 0, 0, 2 * sec, metric.ScenarioCount{}},
		{"a rate", plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 10, TimeUnit: sec, Duration: 10 * sec, PreAllocatedVUs: 2, MaxVUs: 2},
			Start{Skip: 8050 * ms, Used: 500}, 5 * ms, 19, 81, 9900 * ms, 10 * sec, metric.ScenarioCount{Begun: 19, Due: 19}},
		{"a rate that is handed over", plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 10, TimeUnit: sec, Duration: 10 * sec, PreAllocatedVUs: 2, MaxVUs: 2},
			Start{Skip: 8050 * ms, Used: 78, Exact: true}, 5 * ms, 22, 78, 9900 * ms, 10 * sec, metric.ScenarioCount{Begun: 22, Due: 22}},
		{"a rate that is handed over too late for all", plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 10, TimeUnit: sec, Duration: 10 * sec, PreAllocatedVUs: 2, MaxVUs: 2},
			Start{Skip: 8050 * ms, Used: 3, Exact: true}, 5 * ms, 38, 3, 9900 * ms, 10 * sec, metric.ScenarioCount{Begun: 38, Due: 97, Dropped: 59}},
		{"a clock that is behind that of who yielded", plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 10, TimeUnit: sec, Duration: 10 * sec, PreAllocatedVUs: 2, MaxVUs: 2},
			Start{Skip: 8050 * ms, Used: 84, Exact: true}, 5 * ms, 16, 84, 9900 * ms, 10 * sec, metric.ScenarioCount{Begun: 16, Due: 16}},
		{"a ramp that goes down", plan.Scenario{Executor: plan.RampingVUs, Stages: []plan.Stage{{Duration: 5 * sec, Target: 20}, {Duration: 0, Target: 3}, {Duration: 5 * sec, Target: 3}}, GracefulStop: sec},
			Start{Skip: 8 * sec, Used: 5}, 1500 * ms, 6, 5, 9500 * ms, 11 * sec, metric.ScenarioCount{Begun: 6, Due: 6}},
		{"externally controlled", plan.Scenario{Executor: plan.ExternallyControlled, VUs: 1, MaxVUs: 2, Duration: 10 * sec},
			Start{Skip: 8 * sec, Used: 5}, 900 * ms, 3, 5, 9800 * ms, 10 * sec, metric.ScenarioCount{Begun: 3, Due: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.from.At = epoch().Add(-tt.from.Skip)
				l := newLab(20, sleeps(tt.takes))
				e := starting(t, tt.s, tt.from, l)
				if err := e.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				var last time.Duration
				first := int64(0)
				if len(l.begun) > 0 {
					first = slices.MinFunc(l.begun, func(a, b begun) int { return int(a.it.InTest - b.it.InTest) }).it.InTest
					last = l.starts()[len(l.begun)-1] + tt.from.Skip
				}
				end := time.Since(tt.from.At)
				if len(l.begun) != tt.begun || first != tt.first || last != tt.last || end != tt.end || e.Count() != tt.count || l.dropped != tt.count.Dropped {
					t.Errorf("%d began from number %d on, the last at %v, ended at %v, %+v, %d dropped", len(l.begun), first, last, end, e.Count(), l.dropped)
				}
				if tt.s.Executor == plan.RampingVUs && l.activated != 3 {
					t.Errorf("%d VUs were activated", l.activated)
				}
				if !e.Started().Equal(tt.from.At) {
					t.Errorf("it started at %v", e.Started())
				}
				l.checkQuiet(t)
			})
		})
	}
}

func TestEachVUHasItsPartOfWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(4, func(v *labVU, _ Iteration) { v.sleep(time.Duration(v.id) * 100 * ms) })
		at := from(sec)
		at.Used = 7
		e := starting(t, plan.Scenario{Executor: plan.PerVUIterations, VUs: 4, Iterations: 5, MaxDuration: 10 * sec}, at, l)
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		did := map[int]int{}
		for _, b := range l.begun {
			did[b.vu]++
		}
		if did[1] != 4 || did[2] != 3 || did[3] != 3 || did[4] != 3 {
			t.Errorf("13 iterations are spread as %v", did)
		}
	})
}

func TestWhatIsOverBeforeTheStartIsLeftOut(t *testing.T) {
	for _, s := range everyExecutor() {
		if s.Executor == plan.ExternallyControlled {
			s.Duration = 10 * sec
		}
		synctest.Test(t, func(t *testing.T) {
			l := newLab(4, sleeps(ms))
			e := starting(t, s, from(10*sec), l)
			if err := e.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			var dropped int64
			switch s.Executor { // these have not been done, whoever should have
			case plan.SharedIterations:
				dropped = 100
			case plan.PerVUIterations:
				dropped = 400
			}
			if p := e.Progress(); len(l.begun) != 0 || l.dropped != dropped || time.Since(epoch()) != 0 || !p.Ended || p.State != "✓" {
				t.Errorf("%s: %d began, %d dropped, %v, %+v", s.Executor, len(l.begun), l.dropped, time.Since(epoch()), p)
			}
			l.checkQuiet(t)
		})
	}
}

func TestWhoYieldsFinishesWhatRuns(t *testing.T) {
	for _, s := range everyExecutor() {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(4, sleeps(300*ms))
			e := starting(t, s, Start{}, l)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			over := make(chan error)
			go func() { over <- e.Run(ctx) }()
			time.Sleep(1700 * ms)
			before := e.Reserve(time.Now())
			e.Yield()
			e.Yield()
			if err := <-over; err != nil {
				t.Error(err)
			}
			at := time.Since(epoch())
			if at < 1700*ms || at > 2000*ms || l.dropped != 0 || l.cut != 0 || len(l.begun) == 0 {
				t.Errorf("%s: over at %v, %d began, %d dropped, %d cut", s.Executor, at, len(l.begun), l.dropped, l.cut)
			}
			used := e.Reserve(time.Now())
			if c := e.Count(); used != int64(len(l.begun)) || before < used || c.Begun != used || c.Due != used {
				t.Errorf("%s: %d are used, %d were reserved, %d began, %+v", s.Executor, used, before, len(l.begun), c)
			}
			l.checkQuiet(t)
		})
	}
}

func TestWhoYieldsAndDoesNotEndIsCutOff(t *testing.T) {
	for _, s := range everyExecutor() {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(4, sleeps(time.Hour))
			e := starting(t, s, Start{}, l)
			ctx, cancel := context.WithCancel(t.Context())
			over := make(chan error)
			go func() { over <- e.Run(ctx) }()
			time.Sleep(1700 * ms)
			e.Yield()
			time.Sleep(500 * ms)
			cancel()
			if err := <-over; err != nil {
				t.Error(err)
			}
			if at := time.Since(epoch()); at != 2200*ms || l.dropped > 13 || l.cut != len(l.begun) || e.Reserve(time.Now()) != int64(len(l.begun))+l.dropped {
				t.Errorf("%s: over at %v, %d began, %d dropped, %d cut, %d used", s.Executor, at, len(l.begun), l.dropped, l.cut, e.Reserve(time.Now()))
			}
			l.checkQuiet(t)
		})
	}
}

func TestWhoYieldsBeforeTheStartBeginsNothing(t *testing.T) {
	for _, s := range everyExecutor() {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(4, sleeps(ms))
			at := from(2 * sec)
			at.Used = 15
			e := starting(t, s, at, l)
			e.Yield()
			want := int64(15)
			if a, ok := e.(*arrivals); ok {
				want = a.schedule.Due(2 * sec)
			}
			for range 2 {
				if n := e.Reserve(time.Now()); n != want {
					t.Errorf("%s: %d are used, want %d", s.Executor, n, want)
				}
				if err := e.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if len(l.begun) != 0 || l.dropped != 0 || time.Since(epoch()) != 0 {
				t.Errorf("%s: %d began, %d dropped, after %v", s.Executor, len(l.begun), l.dropped, time.Since(epoch()))
			}
			l.checkQuiet(t)
		})
	}
}

func TestWhoYieldsDoesNotWaitForVUs(t *testing.T) {
	for _, s := range everyExecutor() {
		s.MaxVUs++
		synctest.Test(t, func(t *testing.T) {
			l := newLab(0, sleeps(ms)) // it is to have four
			l.initial = time.Hour
			e := starting(t, s, Start{}, l)
			over := make(chan error)
			go func() { over <- e.Run(t.Context()) }()
			time.Sleep(1010 * ms)
			e.Yield()
			if err := <-over; err != nil {
				t.Error(err)
			}
			if at := time.Since(epoch()); at != 1010*ms || len(l.begun) > 0 {
				t.Errorf("%s: over at %v", s.Executor, at)
			}
		})
	}
}

func TestNothingBeginsThatNobodyElseKnowsOf(t *testing.T) {
	for _, s := range everyExecutor() {
		if s.Executor == plan.ConstantArrivalRate || s.Executor == plan.RampingArrivalRate {
			continue // others know by the time
		}
		synctest.Test(t, func(t *testing.T) {
			l := newLab(4, sleeps(100*ms))
			l.urgent = make(chan struct{}, 1)
			e := starting(t, s, Start{Guarded: true}, l)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			over := make(chan error)
			go func() { over <- e.Run(ctx) }()
			time.Sleep(sec + ms)
			if len(l.begun) != 0 {
				t.Errorf("%s: %d began", s.Executor, len(l.begun))
			}
			e.Allow(e.Reserve(time.Now()))
			time.Sleep(sec)
			synctest.Wait()
			n := len(l.begun)
			if n == 0 {
				t.Errorf("%s: nothing began", s.Executor)
			}
			asked := len(l.urgent) > 0
			switch s.Executor {
			case plan.SharedIterations, plan.PerVUIterations:
				if n != 4 || !asked {
					t.Errorf("%s: %d began of 4 that were reserved; a snapshot was asked for: %v", s.Executor, n, asked)
				}
			default:
				if asked {
					t.Errorf("%s: a snapshot was asked for", s.Executor)
				}
			}
			if s.Executor == plan.SharedIterations { // when time is up, who waits goes
				if err := <-over; err != nil || l.dropped != 96 || time.Since(epoch()) != 10*sec {
					t.Errorf("%v, %d dropped at %v", err, l.dropped, time.Since(epoch()))
				}
				return
			}
			cancel()
			<-over
			l.checkQuiet(t)
		})
	}
}

// TestReservingIsSlowedByNobodyForLong holds that a pool of short iterations is soon reserved in large enough blocks, however long
// a snapshot is on its way.
func TestReservingIsSlowedByNobodyForLong(t *testing.T) {
	for _, delay := range []time.Duration{ms, 50 * ms, 1500 * ms} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(2, sleeps(ms))
			l.urgent = make(chan struct{}, 1)
			e := starting(t, plan.Scenario{Executor: plan.SharedIterations, VUs: 2, Iterations: 1e6, MaxDuration: 40 * sec}, Start{Guarded: true}, l)
			over := make(chan error)
			go func() { over <- e.Run(t.Context()) }()
			quit := make(chan struct{})
			snapshots := 0
			go func() {
				defer close(quit)
				tick := time.NewTicker(sec)
				defer tick.Stop()
				l.Urgent()
				for time.Since(epoch()) < 39*sec {
					select {
					case <-tick.C:
					case <-l.urgent:
					}
					n := e.Reserve(time.Now())
					snapshots++
					time.AfterFunc(delay, func() { e.Allow(n) })
				}
			}()
			time.Sleep(20 * sec)
			l.mu.Lock()
			half := len(l.begun)
			l.mu.Unlock()
			time.Sleep(10 * sec)
			l.mu.Lock()
			rate := (len(l.begun) - half) / 10
			l.mu.Unlock()
			if rate < 1900 {
				t.Errorf("a snapshot takes %v: %d iterations a second, 2000 are possible", delay, rate)
			}
			<-quit
			if err := <-over; err != nil {
				t.Error(err)
			}
			if snapshots > 39*15 {
				t.Errorf("a snapshot takes %v: %d were asked for in 39 s", delay, snapshots)
			}
			if reserved, begun := e.(*sharedIterations).ledger.reserved, int64(len(l.begun)); reserved-begun > 20_000 {
				t.Errorf("a snapshot takes %v: %d are reserved ahead", delay, reserved-begun)
			}
		})
	}
}
