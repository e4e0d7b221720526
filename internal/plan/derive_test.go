package plan

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"throng/internal/fault"
)

func TestShortcutsBecomeScenarios(t *testing.T) {
	shared := func(vus, n int64, limit time.Duration) Scenario {
		return Scenario{Executor: SharedIterations, VUs: vus, Iterations: n, MaxDuration: limit}
	}
	for _, tt := range []struct {
		in, warning string
		want        Scenario
	}{
		{`{}`, "", Scenario{Executor: PerVUIterations, VUs: 1, Iterations: 1, MaxDuration: 10 * time.Minute}},
		{`{"iterations": 5}`, "", shared(1, 5, 10*time.Minute)},
		{`{"vus": 2, "iterations": 5, "duration": "7s"}`, "", shared(2, 5, 7*time.Second)},
		{`{"duration": "5s", "vus": 3}`, "", Scenario{Executor: ConstantVUs, VUs: 3, Duration: 5 * time.Second}},
		{`{"stages": [], "duration": "5s"}`, "", Scenario{Executor: ConstantVUs, VUs: 1, Duration: 5 * time.Second}},
		{`{"vus": 4, "stages": [{"duration": "1s", "target": 2}]}`, "", Scenario{Executor: RampingVUs, StartVUs: 4, GracefulRampDown: 30 * time.Second, Stages: []Stage{{time.Second, 2}}}},
		{`{"vus": 3}`, "", shared(3, 3, 10*time.Minute)},
		{`{"vus": 3, "scenarios": {"heavy": {"executor": "constant-vus", "duration": "1h"}}}`, "`vus=3` overrides scenarios configuration", shared(3, 3, 10*time.Minute)},
		{`{"stages": []}`, "`stages` was explicitly set to an empty value", Scenario{Executor: PerVUIterations, VUs: 1, Iterations: 1, MaxDuration: 10 * time.Minute}},
		{`{"scenarios": {}}`, "`scenarios` was explicitly set to an empty value", Scenario{Executor: PerVUIterations, VUs: 1, Iterations: 1, MaxDuration: 10 * time.Minute}},
	} {
		o := parse(t, tt.in)
		with, warnings, err := o.WithScenarios()
		if err != nil || !strings.Contains(strings.Join(warnings, "\n"), tt.warning) || (tt.warning == "") != (len(warnings) == 0) {
			t.Errorf("%s: %q %v", tt.in, warnings, err)
		}
		tt.want.Name, tt.want.Exec, tt.want.GracefulStop = "default", "default", 30*time.Second
		if got, err := Derive(o); err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], tt.want) {
			t.Errorf("%s: %+v %v", tt.in, got, err)
		}
		if got := with.Derived(); len(got) != 1 || !reflect.DeepEqual(got[0], tt.want) {
			t.Errorf("%s: derived once more: %+v", tt.in, got)
		}
	}
}

func TestShortcutsThatExcludeEachOtherAreRefused(t *testing.T) {
	for in, want := range map[string]string{
		`{"vus": 2, "duration": "1s", "stages": [{"duration": "1s", "target": 2}]}`: "using `duration` and `stages` options simultaneously is not allowed",
		`{"iterations": 2, "stages": [{"duration": "1s", "target": 2}]}`:            "using `iterations` and `stages` options simultaneously is not allowed",
		`{"iterations": 2, "scenarios": {}}`:                                        "using `iterations` and `scenarios` options simultaneously is not allowed",
		`{"duration": "1s", "scenarios": {}}`:                                       "using `duration` and `scenarios` options simultaneously is not allowed",
		`{"stages": [{"duration": "1s", "target": 2}], "scenarios": {}}`:            "using `stages` and `scenarios` options simultaneously is not allowed",
		`{"duration": 0}`: "`duration` option should be more than 0, for infinite duration use the externally-controlled executor",
	} {
		_, err := Derive(parse(t, in))
		if err == nil || err.Error() != want || fault.KindOf(err) != fault.InvalidConfig {
			t.Errorf("%s: %v", in, err)
		}
		if err := Validate(parse(t, in), nil); err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.InvalidConfig {
			t.Errorf("%s: Validate says %v", in, err)
		}
	}
}

func TestScenariosGetTheirDefaults(t *testing.T) {
	got, err := Derive(parse(t, `{"scenarios": {
		"b": {"executor": "constant-arrival-rate", "rate": 5, "duration": "1s", "preAllocatedVUs": 2, "gracefulStop": "0s"},
		"a": {"executor": "ramping-arrival-rate", "stages": [{"duration": "1s", "target": 2}], "preAllocatedVUs": 2, "maxVUs": 3, "options": {"browser": {"type": "chromium"}}},
		"c": {"executor": "externally-controlled", "duration": "0s", "vus": 2}}}`))
	want := []Scenario{
		{Name: "a", Executor: RampingArrivalRate, Exec: "default", GracefulStop: 30 * time.Second, TimeUnit: time.Second, Stages: []Stage{{time.Second, 2}},
			PreAllocatedVUs: 2, MaxVUs: 3, Browser: map[string]any{"type": "chromium"}},
		{Name: "b", Executor: ConstantArrivalRate, Exec: "default", Rate: 5, TimeUnit: time.Second, Duration: time.Second, PreAllocatedVUs: 2, MaxVUs: 2},
		{Name: "c", Executor: ExternallyControlled, Exec: "default", VUs: 2, MaxVUs: 2},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\n%v", got, err)
	}
	if got[0].Length() != time.Second || got[2].Length() != 0 {
		t.Errorf("lengths %v %v", got[0].Length(), got[2].Length())
	}
}

func TestValidateTellsEverythingAtOnce(t *testing.T) {
	err := Validate(parse(t, `{"scenarios": {
		"bad name!": {"executor": "shared-iterations"},
		"few": {"executor": "shared-iterations", "vus": 5, "iterations": 2},
		"none": {"executor": "per-vu-iterations", "vus": 0},
		"endless": {"executor": "constant-vus", "vus": 1},
		"blink": {"executor": "constant-vus", "vus": 1, "duration": "300ms"},
		"rateless": {"executor": "constant-arrival-rate", "duration": "5s"},
		"shrinking": {"executor": "constant-arrival-rate", "rate": 1, "duration": "5s", "preAllocatedVUs": 5, "maxVUs": 2},
		"stageless": {"executor": "ramping-vus"},
		"aimless": {"executor": "ramping-arrival-rate", "preAllocatedVUs": 1, "stages": [{"duration": "1s"}]},
		"early": {"executor": "shared-iterations", "startTime": "-1s"},
		"lost": {"executor": "shared-iterations", "exec": "nowhere"}}, "setupTimeout": -1, "summaryTrendStats": ["foo"]}`),
		func(name string) bool { return name == "default" })
	if fault.KindOf(err) != fault.InvalidConfig {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"There were problems with the specified script configuration:\n\t- setupTimeout must be positive\n\t- scenario aimless has",
		"scenario bad name! has configuration errors: the scenario name should contain only numbers, latin letters, underscores, and dashes",
		"the number of iterations (2) can't be less than the number of VUs (5)", "the number of VUs must be more than 0", "the duration is unspecified",
		"the duration must be at least 1s, but is 300ms", "the iteration rate isn't specified, the number of preAllocatedVUs isn't specified",
		"maxVUs can't be less than preAllocatedVUs", "at least one stage has to be specified", "stage 1 doesn't have a target",
		"the startTime can't be negative", "executor lost: function 'nowhere' not found in exports", "invalid trend stat 'foo', unknown format"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in\n%v", want, err)
		}
	}
}

func TestScenarioMistakesReadAsInK6(t *testing.T) {
	for in, want := range map[string]string{
		`"executor":"shared-iterations","gracefulStop":"-1s","startTime":"-1s","exec":""`:                                                           "exec value cannot be empty, the startTime can't be negative, the gracefulStop timeout can't be negative",
		`"executor":"per-vu-iterations","iterations":0,"vus":-3,"maxDuration":1`:                                                                    "the number of VUs must be more than 0, the number of iterations must be more than 0, the maxDuration must be at least 1s, but is 1ms",
		`"executor":"constant-vus","vus":-1,"duration":"1ms"`:                                                                                       "the number of VUs must be more than 0, the duration must be at least 1s, but is 1ms",
		`"executor":"ramping-vus","startVUs":-1,"stages":[{"duration":"1s","target":-1},{"duration":-1,"target":1},{"target":1},{"duration":1}]`:    "the number of start VUs can't be negative, the target for stage 1 can't be negative, the duration for stage 2 can't be negative, stage 3 doesn't have a duration, stage 4 doesn't have a target",
		`"executor":"ramping-vus","startVUs":0,"stages":[{"duration":"1s","target":0}]`:                                                             "either startVUs or one of the stages' target values must be greater than 0",
		`"executor":"ramping-vus","startVUs":200000000,"stages":[{"duration":"1s","target":200000000}]`:                                             "the startVUs exceed max limit of 100000000, target for stage 1 exceeds max limit of 100000000",
		`"executor":"constant-arrival-rate","rate":-1,"duration":-1,"timeUnit":-1,"preAllocatedVUs":-1,"maxVUs":-1`:                                 "the iteration rate must be more than 0, the timeUnit must be more than 0, the duration must be at least 1s, but is -1ms, the number of preAllocatedVUs can't be negative",
		`"executor":"constant-arrival-rate"`:                                                                                                        "the iteration rate isn't specified, the duration is unspecified, the number of preAllocatedVUs isn't specified",
		`"executor":"ramping-arrival-rate"`:                                                                                                         "at least one stage has to be specified, the number of preAllocatedVUs isn't specified",
		`"executor":"ramping-arrival-rate","startRate":-1,"timeUnit":-1,"preAllocatedVUs":-1,"maxVUs":-5,"stages":[{"duration":-1,"target":-1},{}]`: "the startRate value can't be negative, the timeUnit must be more than 0, the duration for stage 1 can't be negative, the target for stage 1 can't be negative, stage 2 doesn't have a duration, stage 2 doesn't have a target, the number of preAllocatedVUs can't be negative, maxVUs can't be less than preAllocatedVUs",
		`"executor":"externally-controlled"`:                                                                                                        "the duration must be specified, for infinite duration use 0",
		`"executor":"externally-controlled","vus":5,"duration":"10s","maxVUs":3,"gracefulStop":"5s"`:                                                "the number of active VUs (5) must be less than or equal to the number of maxVUs (3), gracefulStop is not supported by the externally controlled executor",
	} {
		err := Validate(parse(t, `{"scenarios": {"a": {`+in+`}}}`), nil)
		want = "There were problems with the specified script configuration:\n\t- scenario a has configuration errors: " + want
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n%v\nwant\n%s", in, err, want)
		}
	}
}

func TestOtherMistakesAreRefused(t *testing.T) {
	for in, want := range map[string]string{
		`{"batch": 0}`: "batch must be more than 0", `{"batchPerHost": -1}`: "batchPerHost can't be negative", `{"summaryTimeUnit": "h"}`: "invalid summary time unit 'h'",
		`{"tlsVersion": {"min": "tls1.3", "max": "tls1.0"}}`: "min (tls1.3) can't be above max (tls1.0)", `{"tlsAuth": [{}]}`: "tlsAuth[0]: tls: failed to find any PEM data",
		`{"tlsAuth": [{"password": "p"}]}`: "failed to decode PEM key", `{"iterations": 0}`: "the number of iterations (0) can't be less than the number of VUs (1)",
		`{"vus": 0}`: "the number of VUs must be more than 0", `{"scenarios": {"": {"executor": "shared-iterations"}}}`: "scenario name can't be empty",
		`{"executionSegmentSequence": "0,1/2,1"}`:                              "provided segment 0:1 can't be found in sequence 0,1/2,1",
		`{"executionSegment": "0:1/3", "executionSegmentSequence": "0,1/2,1"}`: "provided segment 0:1/3 can't be found in sequence 0,1/2,1",
	} {
		if err := Validate(parse(t, in), nil); err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.InvalidConfig {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
	for in, want := range map[string]string{"foo": "invalid trend stat 'foo', unknown format", "p(101)": "invalid percentile trend stat value 'p(101)'", "p(x)": "invalid percentile"} {
		err := Validate(Options{SummaryTrendStats: []string{"avg", "p(99.9)", in}}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Other {
			t.Errorf("%s: %v", in, err)
		}
	}
	if err := Validate(parse(t, inspected), nil); err != nil {
		t.Errorf("good options: %v", err)
	}
}
