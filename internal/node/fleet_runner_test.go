//go:build unix

package node

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"throng/internal/grid/worker"
	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/threshold"
)

// dummy is a runner that only tells numbers.
type dummy struct {
	f       *fleet
	i       int
	fresh   func()
	seq     atomic.Uint64
	running atomic.Bool
	gone    chan struct{}
	once    sync.Once
	mu      sync.Mutex
	last    metric.Snapshot
}

func (f *fleet) start(i int) func(context.Context, worker.Start) (worker.Runner, error) {
	return func(_ context.Context, s worker.Start) (worker.Runner, error) {
		d := &dummy{f: f, i: i, fresh: s.Fresh, gone: make(chan struct{})}
		return d, nil
	}
}

const fleetOptions = `{"scenarios":{"shoppers":{"executor":"ramping-vus","startVUs":50000,"stages":[{"target":50000,"duration":"1h"}]}},
	"thresholds":{"http_req_duration":["p(95)<100000","avg<100000"],"checks":["rate>0.1"],"http_req_duration{name:https://shop.example/api/v1/products/1}":["p(99)<100000"]}}`

func (d *dummy) Init(context.Context) (run.Ready, error) {
	opts, _, err := plan.ParseJSON([]byte(fleetOptions), "script")
	if err != nil {
		return run.Ready{}, err
	}
	r := run.Ready{Options: opts, Functions: []string{"default"}, Metrics: []metric.Metric{{Name: "http_req_duration", Kind: metric.Trend}, {Name: "checks", Kind: metric.Rate}}}
	set, err := threshold.ParseSet(opts.Thresholds)
	if err == nil {
		r.Thresholds, err = set.Resolve(func(name string) *metric.Metric {
			i := slices.IndexFunc(r.Metrics, func(m metric.Metric) bool { return m.Name == name })
			if i < 0 {
				return nil
			}
			return &r.Metrics[i]
		})
	}
	if err != nil {
		return r, err
	}
	if r.Scenarios, err = plan.Derive(opts); err != nil {
		return r, err
	}
	r.Segment, err = opts.Tuple()
	return r, err
}

func (d *dummy) Setup(context.Context) ([]byte, error) { return nil, nil }

func (d *dummy) Run(ctx context.Context, b run.Begin) error {
	pause(time.Until(b.At))
	d.running.Store(true)
	d.f.atWork.Add(1)
	defer d.f.atWork.Add(-1)
	select { // not all at one instant
	case <-time.After(time.Duration(rand.Int64N(int64(time.Second)))):
	case <-ctx.Done():
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		d.step()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-d.gone:
			return errors.New("killed")
		}
	}
}

func (d *dummy) step() {
	s := d.f.shops[d.i%len(d.f.shops)].Snapshot(d.seq.Add(1))
	d.mu.Lock()
	d.last = s
	d.mu.Unlock()
	d.f.told.Add(1)
	d.fresh()
}

func (d *dummy) Snapshot() metric.Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.last
	out.Reserved = maps.Clone(out.Reserved)
	return out
}

func (d *dummy) Progress() []run.Progress {
	if !d.running.Load() {
		return nil
	}
	return []run.Progress{{
		Scenario: "shoppers", Executor: "ramping-vus", State: "running", Done: 0.1, Started: true,
		Right: []run.Column{{Layout: "%w/%d VUs", Numbers: []float64{50, 50}}, {Layout: "0m10s/1h0m0s"}},
	}}
}

func (d *dummy) Yield(context.Context) (metric.Snapshot, error) { return d.Snapshot(), nil }
func (d *dummy) Teardown(context.Context, []byte) error         { return nil }
func (d *dummy) Summary(context.Context, []byte) (map[string][]byte, error) {
	return nil, nil
}
func (d *dummy) Acknowledge(uint64)      {}
func (d *dummy) Urgent() <-chan struct{} { return nil }
func (d *dummy) MarkedAsFailed() bool    { return false }
func (d *dummy) Kill()                   { d.once.Do(func() { close(d.gone) }) }
func (d *dummy) Done() <-chan struct{}   { return d.gone }
func (d *dummy) Err() error              { return nil }
