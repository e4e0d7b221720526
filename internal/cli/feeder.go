package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"throng/internal/metric"
	"throng/internal/run"
	"throng/internal/run/pipe"
	"throng/internal/view/output"
)

// drainEvery is how often raw samples are taken to the outputs.
const drainEvery = 100 * time.Millisecond

// feeder takes samples to outputs until ctx ends.
type feeder struct {
	ctx     context.Context
	outputs []output.Output
	drain   func() []metric.Sample
	log     *slog.Logger
	busy    sync.WaitGroup

	feeding sync.Mutex // held while samples are taken: outputs take them one at a time
}

// remoteOutputs are a job's outputs: lines of files go to the node, and what goes to a server goes there from here.
func remoteOutputs(job run.Job, up *pipe.Up, log *slog.Logger) (all []output.Output, err error) {
	lookup := func(name string) (string, bool) {
		v, ok := job.OutputEnv[name]
		return v, ok
	}
	environ := func() (all []string) {
		for _, name := range slices.Sorted(maps.Keys(job.OutputEnv)) {
			all = append(all, name+"="+job.OutputEnv[name])
		}
		return all
	}
	var tags []metric.Tag
	for _, key := range slices.Sorted(maps.Keys(job.OutputTags)) {
		tags = append(tags, metric.Tag{Key: key, Value: job.OutputTags[key]})
	}
	for i, spec := range job.Outputs {
		o, err := output.Make(spec, output.Env{Lookup: lookup, Environ: environ, Sink: up.Lines(i), Log: log, Tags: tags, UserAgent: userAgent})
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// start begins to feed the outputs.
func (f *feeder) start(r run.Ready) error {
	if len(f.outputs) == 0 {
		return nil
	}
	defs := definitions(r)
	for _, o := range f.outputs {
		if err := o.Start(defs); err != nil {
			return fmt.Errorf("start the output %s: %w", o.Describe(), err)
		}
		f.busy.Go(func() {
			if err := o.Run(f.ctx); err != nil {
				f.log.Error("output " + o.Describe() + ": " + err.Error())
			}
		})
	}
	f.busy.Go(func() {
		tick := time.NewTicker(drainEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				f.feed()
			case <-f.ctx.Done():
				f.feed()
				return
			}
		}
	})
	return nil
}

// definitions is what outputs must know of a run before its samples come.
func definitions(r run.Ready) output.Definitions {
	defs := output.Definitions{Thresholds: r.Thresholds, SystemTags: r.Options.SystemTags}
	if slices.Contains(r.Options.SystemTags, "expected_response") {
		defs.Submetrics = []metric.Selector{{Metric: "http_req_duration", Tags: []metric.Tag{{Key: "expected_response", Value: "true"}}}}
	}
	return defs
}

func (f *feeder) feed() {
	f.feeding.Lock()
	defer f.feeding.Unlock()
	samples := f.drain()
	for _, o := range f.outputs {
		o.Add(samples)
	}
}

// Flush has all outputs write all samples that there are.
func (f *feeder) Flush(context.Context) error {
	f.feed()
	return f.each(output.Output.Flush, func(_ output.Output, err error) error { return err })
}

// stop waits until nothing is fed any more, ctx having ended, and closes the outputs.
func (f *feeder) stop() {
	f.busy.Wait()
	_ = f.each(output.Output.Stop, func(o output.Output, err error) error { // told
		f.log.Error("output " + o.Describe() + ": " + err.Error())
		return nil
	})
}

// each does to all outputs at once what may take its time, and returns what handle makes of the errors.
func (f *feeder) each(do func(output.Output) error, handle func(output.Output, error) error) error {
	errs := make([]error, len(f.outputs))
	var busy sync.WaitGroup
	for i, o := range f.outputs {
		busy.Go(func() {
			if err := do(o); err != nil {
				errs[i] = handle(o, err)
			}
		})
	}
	busy.Wait()
	return errors.Join(errs...)
}
