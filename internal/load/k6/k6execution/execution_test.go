package k6execution

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
	"throng/internal/load/k6/scopetest"
	"throng/internal/metric"
	"throng/internal/plan"
)

func rig(t *testing.T) *scopetest.Rig {
	r := scopetest.New(t)
	r.Scenario = &scope.Scenario{
		Scenario: &plan.Scenario{Name: "s", Executor: "constant-vus"}, Started: func() time.Time { return time.UnixMilli(5) },
		Progress: func() float64 { return 0.5 },
	}
	r.Test.Counts = func() metric.Load { return metric.Load{VUs: 3, VUsMax: 4, Iterations: 5, Interrupted: 6} }
	r.Test.OptionsJSON = func() []byte { return []byte(`{"vus":1,"tags":{"a":"b"}}`) }
	r.Iteration, r.IterationInScenario, r.IterationInInstance, r.IterationInTest = 7, 8, 9, 10
	r.Import(New)
	return r
}

func TestPropertiesAreLive(t *testing.T) {
	r := rig(t)
	src := `JSON.stringify([scenario, vu.idInTest, vu.iterationInInstance, vu.iterationInScenario, instance.vusActive, instance.vusInitialized, instance.iterationsCompleted, instance.iterationsInterrupted])`
	if got, want := r.Run(src), `"[{\"name\":\"s\",\"executor\":\"constant-vus\",\"startTime\":5,\"progress\":0.5,\"iterationInInstance\":9,\"iterationInTest\":10},1,7,8,3,4,5,6]"`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	r.Iteration = 70
	if got := r.Run(`vu.iterationInInstance`); got != "70" {
		t.Errorf("later: %s", got)
	}
}

func TestPropertiesAreReadOnly(t *testing.T) {
	r := rig(t)
	for src, want := range map[string]string{
		`vu.idInTest = 1`:                    "Cannot assign to read only property 'idInTest'",
		`delete scenario.name`:               "Cannot delete property 'name'",
		`vu.metrics.tags = {}`:               "Cannot assign to read only property 'tags'",
		`"use strict"; test.options.vus = 2`: "Cannot assign to read only property 'vus'",
		`vu.tags.x = null`:                   "invalid value for metric tag 'x'",
		`vu.metrics.metadata.x = {}`:         "invalid value for metric metadata 'x'",
	} {
		if got := r.Run(src); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
}

func TestTagsAndMetadataOfTheSamplesToCome(t *testing.T) {
	r := rig(t)
	before := map[string]string{"old": "1"}
	r.Metadata = before
	got := r.Run(`vu.tags.a = 1; vu.metrics.tags.b = true; vu.metrics.metadata.m = 0.5; delete vu.metrics.tags.a; delete vu.metrics.metadata.old;
		[JSON.stringify(vu.tags), "a" in vu.tags, JSON.stringify(vu.metrics.metadata)]`)
	if want := `["{\"b\":\"true\",\"group\":\"\"}",false,"{\"m\":\"0.5\"}"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(before) != 1 || before["old"] != "1" {
		t.Error("metadata that samples share was changed")
	}
}

func TestAbortCannotBeCaught(t *testing.T) {
	r := rig(t)
	var message string
	r.Test.Abort = func(m string) { message = m }
	r.Run(`globalThis.after = 0`)
	_, err := r.Runtime.RunString(`try { test.abort("enough"); after = 1 } catch (e) { after = 2 } finally { after = 3 }`)
	var interrupted *sobek.InterruptedError
	if !errors.As(err, &interrupted) || !errors.Is(interrupted, scope.ErrAborted) || message != "test aborted: enough at <eval>:1:17(5)" {
		t.Errorf("abort: %v, message %q", err, message)
	}
	r.Runtime.ClearInterrupt()
	if got := r.Run(`after`); got != "0" {
		t.Errorf("after = %s", got)
	}
}

func TestInitKnowsNothingOfTheRun(t *testing.T) {
	r := rig(t)
	r.Phase = scope.Init
	for src, want := range map[string]string{
		`vu.idInTest`: "getting VU information in the init context is not supported", `instance.vusActive`: "getting instance information in the init",
		`scenario.name`: "getting scenario information outside of the VU context", `test.options`: "getting test options in the init context",
		`test.fail("x")`: "execution.test.fail() called outside of VU context",
	} {
		if got := r.Run(src); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
}
