package vu

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/executor"
	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
	"throng/internal/load/meter"
)

// Iterate runs one iteration. It reports false if the iteration was cut off. What comes before the script and after it
// is done by others, for under this frame virtual users wait by the thousand.
func (v *VU) Iterate(it executor.Iteration) bool {
	if v.ctx.Err() != nil {
		return false // the engine forgets an interruption once it has been carried out
	}
	err := v.begin(&it)
	if err == nil {
		err = v.scope.Loop.Call(v.fn, v.args[:]...)
	}
	return v.end(err)
}

// begin is what comes before the script.
func (v *VU) begin(it *executor.Iteration) (err error) {
	sc, test := v.scope, v.factory.Test
	sc.Iteration++
	sc.IterationInScenario++
	sc.IterationInInstance, sc.IterationInTest = it.InInstance, it.InTest
	if test.SystemTags.Iter || test.SystemTags.VU {
		v.number()
	}
	for _, f := range sc.OnIterationStart {
		f()
	}
	v.start = time.Now()
	sc.Open, sc.Late = !it.Due.IsZero(), 0
	if sc.Open {
		sc.Late = max(0, float64(v.start.Sub(it.Due))/float64(time.Millisecond))
	}
	v.args[0], err = v.setupData()
	return err
}

// end is what comes after the script, which has ended with err.
func (v *VU) end(err error) (complete bool) {
	end := v.start.Add(time.Since(v.start))
	aborted := v.aborted(err)
	complete = aborted || v.ctx.Err() == nil
	if err != nil && complete && !aborted {
		v.report(err)
	}
	if !complete {
		v.cutWith = err
	}
	v.finish(v.start, end, complete)
	if v.shaken = shaken(err); v.shaken && complete && !aborted {
		if v.again() != nil {
			return complete // the executor will hear of it when it activates the virtual user next
		}
	}
	if aborted {
		<-v.ctx.Done() // nothing may begin before everybody has heard of it
		return complete
	}
	if least := v.factory.Test.MinIterationDuration; complete && least > 0 && end.Sub(v.start) < least {
		v.scope.Sleep(least - end.Sub(v.start))
	}
	return complete
}

// CutWith is what the last iteration that was cut off ended with; js.Place tells where it was.
func (v *VU) CutWith() error { return v.cutWith }

// number puts the numbers of the virtual user and its iteration where k6 has them: beside the tags, because no two
// iterations share them.
func (v *VU) number() {
	sc := v.scope
	meta := maps.Clone(sc.Metadata)
	if meta == nil {
		meta = map[string]string{}
	}
	if sc.Test.SystemTags.VU {
		meta["vu"] = fmt.Sprint(sc.ID)
	}
	if sc.Test.SystemTags.Iter {
		meta["iter"] = fmt.Sprint(sc.Iteration)
	}
	sc.Metadata = meta
}

// aborted reports whether the iteration itself ended the test, by exec.test.abort(): k6 counts it as complete.
func (v *VU) aborted(err error) bool {
	if err == nil {
		return false
	}
	var interrupted *sobek.InterruptedError
	return errors.As(err, &interrupted) && errors.Is(interrupted, scope.ErrAborted)
}

// report logs an exception as k6 does: with its stack, the executor and the scenario.
func (v *VU) report(err error) {
	v.factory.Test.Log.Error(js.Describe(err), slog.String("executor", v.scenario.Executor), slog.String("scenario", v.scenario.Name),
		slog.String("source", "stacktrace"))
}

func (v *VU) finish(start, end time.Time, complete bool) {
	sc := v.scope
	if v.seriesFor != sc.Tags {
		v.series, v.seriesFor = sc.Test.Meter.IterationSeries(sc.Tags), sc.Tags
	}
	e := meter.IterationEnd{At: end, Complete: complete, Duration: float64(end.Sub(start)) / float64(time.Millisecond), Open: sc.Open, Late: sc.Late}
	if sc.Traffic != nil {
		e.Sent, e.Received = sc.Traffic()
	}
	sc.Test.Meter.AddIteration(sc.Shard, v.series, &e, sc.Metadata)
}
