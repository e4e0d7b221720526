package executor

import (
	"testing"
	"time"

	"throng/internal/plan"
)

func TestWhatIsPlannedIsKnownBefore(t *testing.T) {
	for _, tt := range []struct {
		s    plan.Scenario
		want int64
		ok   bool
	}{
		{plan.Scenario{Executor: plan.SharedIterations, VUs: 3, Iterations: 10}, 10, true},
		{plan.Scenario{Executor: plan.PerVUIterations, VUs: 3, Iterations: 10}, 30, true},
		{plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 200, TimeUnit: time.Second, Duration: 10 * time.Second}, 2000, true},
		{plan.Scenario{Executor: plan.RampingArrivalRate, TimeUnit: time.Second, Stages: []plan.Stage{{Duration: 10 * time.Second, Target: 100}}}, 500, true},
		{plan.Scenario{Executor: plan.ConstantVUs, VUs: 3}, 0, false},
	} {
		if n, ok := Planned(&tt.s); n < tt.want-1 || n > tt.want+1 || ok != tt.ok {
			t.Errorf("%s: %d, %v, want %d", tt.s.Executor, n, ok, tt.want)
		}
	}
}
