package executor

import (
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/plan"
)

func TestVUsTakeTurns(t *testing.T) {
	for _, tt := range []struct {
		name      string
		rate      int64
		inTurn    bool // each VU works once in every round
		unlikeAny int64
	}{
		{"one by one", 200, true, 1},
		{"several at a time", 4000, false, 3 * turnsInARow},
	} {
		synctest.Test(t, func(t *testing.T) {
			const vus = 20
			l := newLab(vus, sleeps(100*time.Microsecond))
			s := plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: tt.rate, TimeUnit: sec, Duration: sec, PreAllocatedVUs: vus, MaxVUs: vus, GracefulStop: sec}
			if err := mustNew(t, s, nil, l).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			count, times := map[int]int64{}, map[int]int{}
			var order []int
			for _, b := range l.begun {
				if count[b.vu]++; times[b.vu] == 0 {
					order = append(order, b.vu)
				}
				times[b.vu]++
			}
			if len(order) != vus {
				t.Errorf("%s: %d of %d VUs had work", tt.name, len(order), vus)
			}
			for vu, n := range count {
				if want := tt.rate / vus; n < want-tt.unlikeAny || n > want+tt.unlikeAny {
					t.Errorf("%s: VU %d had %d iterations, want about %d", tt.name, vu, n, want)
				}
			}
			if !tt.inTurn {
				return
			}
			for i := vus; i < len(l.begun); i++ {
				if l.begun[i].vu != l.begun[i-vus].vu {
					t.Fatalf("%s: iteration %d is VU %d's, and %d VU %d's: they do not go round", tt.name, i, l.begun[i].vu, i-vus, l.begun[i-vus].vu)
				}
			}
		})
	}
}
