package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"throng/internal/metric"
	"throng/internal/run"
	"throng/internal/view/output"
)

// drainEvery is how often raw samples are taken to the outputs.
const drainEvery = 100 * time.Millisecond

// feeder takes samples to outputs until ctx ends.
type feeder struct {
	ctx     context.Context
	outputs []output.Output
	servers []output.Output // those of outputs that write to servers
	drain   func() []metric.Sample
	log     *slog.Logger
	busy    sync.WaitGroup

	feeding sync.Mutex // held while samples are taken: outputs take them one at a time
}

// remoteOutputs are a job's outputs: the lines of files go to the node, by the writer that lines has for each, and what goes to a server
// goes there from here.
func remoteOutputs(job run.Job, lines func(output int) io.Writer, log *slog.Logger) (all, servers []output.Output, err error) {
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
		o, err := output.Make(spec, output.Env{Lookup: lookup, Environ: environ, Sink: lines(i), Log: log, Tags: tags, UserAgent: userAgent})
		if err != nil {
			return nil, nil, err
		}
		all = append(all, o)
		if kind, _ := output.Find(spec); kind.Network {
			servers = append(servers, o)
		}
	}
	return all, servers, nil
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

// Flush has the outputs that write lines for the node write all samples that there are.
func (f *feeder) Flush(context.Context) error {
	f.feed()
	var errs []error
	for _, o := range f.outputs {
		if !slices.Contains(f.servers, o) {
			errs = append(errs, o.Flush())
		}
	}
	return errors.Join(errs...)
}

// Drain has the outputs that write to servers send all samples that there are, as far as the servers take them in time.
func (f *feeder) Drain(context.Context) {
	f.feed()
	each(f.servers, func(o output.Output) {
		if err := o.Flush(); err != nil {
			f.log.Error("output " + o.Describe() + ": " + err.Error())
		}
	})
}

// stop waits until nothing is fed any more, ctx having ended, and closes the outputs.
func (f *feeder) stop() {
	f.busy.Wait()
	each(f.outputs, func(o output.Output) {
		if err := o.Stop(); err != nil {
			f.log.Error("output " + o.Describe() + ": " + err.Error())
		}
	})
}

// each does to all outputs at once what may take its time.
func each(outputs []output.Output, do func(output.Output)) {
	var busy sync.WaitGroup
	for _, o := range outputs {
		busy.Go(func() { do(o) })
	}
	busy.Wait()
}
