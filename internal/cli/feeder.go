package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// remoteOutputs are a job's outputs: their lines go to the node.
func remoteOutputs(job run.Job, up *pipe.Up) (all []output.Output, err error) {
	lookup := func(name string) (string, bool) {
		v, ok := job.OutputEnv[name]
		return v, ok
	}
	for i, spec := range job.Outputs {
		o, err := output.Make(spec, output.Env{Lookup: lookup, Sink: up.Lines(i)})
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
	var errs []error
	for _, o := range f.outputs {
		errs = append(errs, o.Flush())
	}
	return errors.Join(errs...)
}

// stop waits until nothing is fed any more, ctx having ended, and closes the outputs.
func (f *feeder) stop() {
	f.busy.Wait()
	for _, o := range f.outputs {
		if err := o.Stop(); err != nil {
			f.log.Error("output " + o.Describe() + ": " + err.Error())
		}
	}
}
