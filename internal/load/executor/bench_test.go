package executor

import (
	"context"
	"testing"
	"time"

	"throng/internal/plan"
)

// idler is a VU and an Env whose iterations cost nothing, so what is left is what the executor costs.
type idler struct{}

func (idler) Activate(context.Context, *plan.Scenario) error { return nil }
func (idler) Deactivate()                                    {}
func (idler) Iterate(Iteration) bool                         { return true }

func (i idler) GetPlanned(context.Context) (VU, error)    { return i, nil }
func (i idler) InitUnplanned(context.Context) (VU, error) { return i, nil }
func (idler) Return(VU)                                   {}
func (idler) Dropped(int64, *plan.Scenario)               {}
func (idler) VUActive(int64)                              {}
func (idler) Urgent()                                     {}

// BenchmarkLoop is what one iteration of a looping VU costs.
func BenchmarkLoop(b *testing.B) {
	s := plan.Scenario{Executor: plan.SharedIterations, VUs: 2, Iterations: int64(b.N) + 2, MaxDuration: time.Hour}
	e := mustNew(b, s, nil, idler{})
	b.ReportAllocs()
	if err := e.Run(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkArrival is what one arrival costs when work is always due.
func BenchmarkArrival(b *testing.B) {
	s := plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 1e9, TimeUnit: time.Second, Duration: time.Duration(b.N), PreAllocatedVUs: 2, MaxVUs: 2}
	e := mustNew(b, s, nil, idler{})
	b.ReportAllocs()
	if err := e.Run(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkArrivalTaken is what it costs a VU to get an arrival that is due, and its number.
func BenchmarkArrivalTaken(b *testing.B) {
	s := plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 1e9, TimeUnit: time.Second, Duration: time.Hour, PreAllocatedVUs: 2, MaxVUs: 2}
	a := mustNew(b, s, nil, idler{}).(*arrivals)
	start, s1 := time.Now().Add(-time.Hour), &seat{wake: make(chan time.Duration, 1)}
	b.ReportAllocs()
	for b.Loop() {
		due, ok := a.wait(start, s1)
		if it := a.numbered(a.next()); !ok || it.InInstance < 0 || due < 0 {
			b.Fatal("there is no more")
		}
	}
}

func TestAnIterationAllocatesNothing(t *testing.T) {
	for _, s := range []plan.Scenario{
		{Executor: plan.SharedIterations, VUs: 1, MaxDuration: time.Hour},
		{Executor: plan.PerVUIterations, VUs: 1, MaxDuration: time.Hour},
		{Executor: plan.ConstantArrivalRate, Rate: 1e9, TimeUnit: time.Second, PreAllocatedVUs: 1, MaxVUs: 1},
	} {
		cost := func(n int64) float64 {
			return testing.AllocsPerRun(3, func() {
				s.Iterations, s.Duration = n, time.Duration(n)
				if err := mustNew(t, s, nil, idler{}).Run(context.Background()); err != nil {
					t.Fatal(err)
				}
			})
		}
		if few, many := cost(100), cost(100_000); many > few+20 {
			t.Errorf("%s: %v allocations for 100 iterations, %v for 100000", s.Executor, few, many)
		}
	}
}
