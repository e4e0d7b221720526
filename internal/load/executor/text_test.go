package executor

import (
	"testing"
	"time"

	"throng/internal/plan"
)

func TestDescriptionsAreThoseOfK6(t *testing.T) {
	scale := mustTuple(t, "3/5", "")
	for _, tt := range []struct {
		s    plan.Scenario
		part bool
		want string
	}{
		{plan.Scenario{Executor: plan.RampingArrivalRate, StartRate: 1, TimeUnit: sec, Stages: []plan.Stage{{Duration: 900 * ms, Target: 3}}, PreAllocatedVUs: 2, MaxVUs: 2, GracefulStop: 30 * sec}, false,
			"Up to 3.00 iterations/s for 900ms over 1 stages (maxVUs: 2, gracefulStop: 30s)"},
		{plan.Scenario{Executor: plan.SharedIterations, VUs: 2, Iterations: 4, MaxDuration: 5 * sec, Exec: "other", GracefulStop: 30 * sec}, false,
			"4 iterations shared among 2 VUs (maxDuration: 5s, exec: other, gracefulStop: 30s)"},
		{plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 30, TimeUnit: time.Minute, Duration: sec, PreAllocatedVUs: 1, MaxVUs: 3, GracefulStop: 30 * sec}, false,
			"0.50 iterations/s for 1s (maxVUs: 1-3, gracefulStop: 30s)"},
		{plan.Scenario{Executor: plan.ConstantVUs, VUs: 1, Duration: sec, Exec: "pause"}, false, "1 looping VUs for 1s (exec: pause)"},
		{plan.Scenario{Executor: plan.ConstantVUs, VUs: 1, Duration: sec, Exec: "default"}, false, "1 looping VUs for 1s"},
		{plan.Scenario{Executor: plan.RampingVUs, Stages: []plan.Stage{{Duration: 500 * ms, Target: 2}, {Duration: 500 * ms}}, GracefulRampDown: sec, Exec: "pause", GracefulStop: 30 * sec}, false,
			"Up to 2 looping VUs for 1s over 2 stages (gracefulRampDown: 1s, exec: pause, gracefulStop: 30s)"},
		{plan.Scenario{Executor: plan.PerVUIterations, VUs: 1, Iterations: 3, MaxDuration: 10 * time.Minute, StartTime: 100 * ms, GracefulStop: 5 * sec}, false,
			"3 iterations for each of 1 VUs (maxDuration: 10m0s, startTime: 100ms, gracefulStop: 5s)"},
		{plan.Scenario{Executor: plan.ExternallyControlled, VUs: 2, MaxVUs: 5}, false,
			"Externally controlled execution with 2 VUs, 5 max VUs, infinite duration"},
		{plan.Scenario{Executor: plan.ExternallyControlled, VUs: 2, MaxVUs: 5, Duration: 100 * time.Hour, Exec: "foo", StartTime: time.Hour}, true,
			"Externally controlled execution with 2 VUs, 5 max VUs, 100h0m0s duration"},
		{plan.Scenario{Executor: plan.ConstantArrivalRate, Rate: 30, TimeUnit: sec, Duration: 1010 * ms, PreAllocatedVUs: 7, MaxVUs: 30, GracefulStop: 30 * sec}, true,
			"18.00 iterations/s for 1.01s (maxVUs: 4-18, gracefulStop: 30s)"},
		{plan.Scenario{Executor: plan.SharedIterations, VUs: 5, Iterations: 13, MaxDuration: 10 * time.Minute, Exec: "b", GracefulStop: 30 * sec}, true,
			"8 iterations shared among 3 VUs (maxDuration: 10m0s, exec: b, gracefulStop: 30s)"},
		{plan.Scenario{Executor: plan.PerVUIterations, VUs: 5, Iterations: 13, MaxDuration: sec, Exec: "b"}, true,
			"13 iterations for each of 3 VUs (maxDuration: 1s, exec: b)"},
		{plan.Scenario{Executor: plan.RampingArrivalRate, StartRate: 3, TimeUnit: sec, Stages: []plan.Stage{{Duration: sec, Target: 17}, {Duration: time.Minute}}, PreAllocatedVUs: 5, MaxVUs: 8, StartTime: 100 * sec}, true,
			"Up to 10.20 iterations/s for 1m1s over 2 stages (maxVUs: 3-5, startTime: 1m40s)"},
	} {
		tu := scale
		if !tt.part {
			tu = nil
		}
		if got := Describe(&tt.s, tu); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestClockHasTheWidthOfTheWhole(t *testing.T) {
	for _, tt := range []struct {
		d, whole time.Duration
		want     string
	}{
		{1050 * ms, sec, "1.0s"},
		{9 * sec, 13 * sec, "09.0s"},
		{sec, 90 * sec, "0m01.0s"},
		{0, 10 * time.Minute, "00m00.0s"},
		{sec, 61 * time.Minute, "0h00m01.0s"},
		{61 * time.Minute, 61 * time.Minute, "1h01m00.0s"},
		{sec, 30 * time.Hour, "0d00h00m01.0s"},
		{25*time.Hour + 62*sec, 30 * time.Hour, "1d01h01m02.0s"},
	} {
		if got := clock(tt.d, tt.whole); got != tt.want {
			t.Errorf("%v of %v: %s, want %s", tt.d, tt.whole, got, tt.want)
		}
	}
}
