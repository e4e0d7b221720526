package run_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/segment"
	"throng/internal/threshold"
)

// ready is what a scheduler would say of a script with these options.
func ready(t *testing.T, options, share string, judged bool) run.Ready {
	t.Helper()
	fail := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	o, _, err := plan.ParseJSON([]byte(options), "script")
	fail(err)
	o.LocalIPs, o.ConsoleOutput = plan.Some("127.0.0.1"), plan.Some("log.txt")
	scenarios, err := plan.Derive(o)
	fail(err)
	o, _, err = o.WithScenarios()
	fail(err)
	reg := metric.NewRegistry()
	metric.NewBuiltin(reg)
	_, err = reg.Define("mine", metric.Gauge, metric.Data)
	fail(err)
	r := run.Ready{Options: o, Scenarios: scenarios, MaxVUs: 7, MaxDuration: time.Minute, Functions: []string{"default", "setup"}, HasSetup: true}
	for _, m := range reg.All() {
		r.Metrics = append(r.Metrics, *m)
	}
	if judged {
		r.Thresholds, err = threshold.ParseSet(o.Thresholds)
		fail(err)
		r.Thresholds, err = r.Thresholds.Resolve(reg.Get)
		fail(err)
	}
	outer, err := o.Tuple()
	fail(err)
	part, err := segment.ParseShare(share)
	fail(err)
	r.Segment, err = part.In(outer)
	fail(err)
	return r
}

func TestReadyArrivesAsItWas(t *testing.T) {
	for _, tt := range []struct {
		name, options, share string
		judged               bool
	}{
		{"no options", `{}`, "", false},
		{"a shortcut, which the options keep beside its scenario", `{"vus": 3, "duration": "10s"}`, "", true},
		{"stages", `{"stages": [{"duration": "5s", "target": 10}, {"duration": "0s", "target": 1}]}`, "0@1,2", true},
		{"scenarios and thresholds", `{
			"scenarios": {
				"a": {"executor": "ramping-arrival-rate", "startRate": 5, "timeUnit": "1m", "preAllocatedVUs": 3, "maxVUs": 9, "stages": [{"target": 9, "duration": "1s"}]},
				"b": {"executor": "per-vu-iterations", "env": {"A": "b"}, "tags": {"t": "v"}, "exec": "other", "options": {"browser": {"type": "chromium", "n": 1}}}
			},
			"thresholds": {"http_req_duration{ status:200 }": ["p(95)<200", {"threshold": "avg<100", "abortOnFail": true, "delayAbortEval": "10s"}], "mine": ["value>1"]},
			"systemTags": ["url"], "tags": {"x": "y"}, "tlsAuth": [{"cert": "c", "key": "k"}], "cloud": {"a":1}}`, "1@1x3/0@2,1", true},
		{"thresholds that nobody judges", `{"thresholds": {"nothing_of_the_kind": ["p(95)<200"]}}`, "", false},
		{"a segment in the options, cut further", `{"executionSegment": "1/4:3/4", "executionSegmentSequence": "0,1/4,3/4,1", "vus": 8}`, "1@1x2", false},
	} {
		want := ready(t, tt.options, tt.share, tt.judged)
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var got run.Ready
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v\nbecame\n%+v", tt.name, want, got)
		}
	}
}

func TestAReadyOfAnotherTestIsRefused(t *testing.T) {
	for _, data := range []string{`{`, `{"options": {"vus": "x"}}`, `{"options": {}, "share": "9@1"}`, `{"options": {"thresholds": {"nope": ["value>1"]}}, "judged": true}`} {
		var r run.Ready
		if err := json.Unmarshal([]byte(data), &r); err == nil {
			t.Errorf("%s was read as %+v", data, r)
		}
	}
}
