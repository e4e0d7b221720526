package desk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"throng/internal/grid/worker"
	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/segment"
)

// ready is what every script of the lab is.
func (l *lab) ready() (run.Ready, error) {
	scenario := fmt.Sprintf(`"constant-arrival-rate","rate":%d,"timeUnit":"1s","duration":"%dms","preAllocatedVUs":3600`, int(l.test.rate), l.test.length.Milliseconds())
	switch {
	case l.test.total > 0:
		scenario = fmt.Sprintf(`"shared-iterations","vus":%d,"iterations":%d`, loopers, l.test.total)
	case l.test.loops:
		scenario = fmt.Sprintf(`"constant-vus","vus":%d,"duration":"%dms"`, loopers, l.test.length.Milliseconds())
	}
	opts, _, err := plan.ParseJSON(fmt.Appendf(nil, `{"scenarios":{"s":{"executor":%s}}}`, scenario), "script")
	opts.VUs, opts.Duration = plan.Some(int64(loopers)), plan.Some(l.test.length) // a shortcut stays beside the scenario that it stands for
	return run.Ready{Options: opts, HasSetup: true, HasTeardown: true, HasSummary: true, Functions: []string{"default"}}, err
}

// loopers are the VUs of a scene with loops.
const loopers = 60

// counter is a runner that counts.
type counter struct {
	l     *lab
	h     *host
	tuple *segment.Tuple
	start worker.Start
	gone  chan struct{}
	once  sync.Once
	why   error

	mu    sync.Mutex
	n     int64 // done
	next  int64 // local number of the next
	seq   uint64
	begun time.Time
	yield chan struct{}
	// Of loops: what was reserved, by which snapshot, and what may begin.
	reserved, allowed int64
	asked             map[uint64]int64
}

func (h *host) runner(_ context.Context, s worker.Start) (worker.Runner, error) {
	share, err := segment.ParseShare(s.Job.Share)
	if err != nil {
		return nil, err
	}
	tuple, err := share.Tuple()
	if err != nil {
		return nil, err
	}
	c := &counter{l: h.l, h: h, tuple: tuple, start: s, gone: make(chan struct{}), yield: make(chan struct{}), asked: map[uint64]int64{}}
	h.l.mu.Lock()
	defer h.l.mu.Unlock()
	h.runners[c] = true
	return c, nil
}

func (c *counter) Init(context.Context) (run.Ready, error) {
	if c.l.test.fails == c.h.name {
		return run.Ready{}, errors.New("no such file: only-here.txt")
	}
	return c.l.ready()
}

func (c *counter) call(what string) {
	c.l.mu.Lock()
	c.l.calls = append(c.l.calls, what)
	c.l.mu.Unlock()
	if what == "setup" && c.l.test.setup != nil {
		c.l.test.setup(c.h.name)
	}
}

func (c *counter) Setup(context.Context) ([]byte, error) {
	c.call("setup")
	return []byte(`"s"`), nil
}

func (c *counter) Teardown(_ context.Context, data []byte) error {
	if string(data) != `"s"` {
		c.call("teardown-without-data")
		return fmt.Errorf("teardown gets %q", data)
	}
	c.call("teardown")
	return nil
}

func (c *counter) Summary(context.Context, []byte) (map[string][]byte, error) {
	c.call("summary")
	return map[string][]byte{"stdout": []byte("hello")}, nil
}

func (c *counter) due(d time.Duration) int64 {
	if d < 0 {
		return 0
	}
	return c.tuple.Scale(int64(min(d, c.l.test.length-1).Seconds()*c.l.test.rate) + 1)
}

// loop is Run for loops: at the pace of the share, with numbers from what was used on, and none before it was allowed.
func (c *counter) loop(ctx context.Context, b run.Begin) error {
	tuple, total, end := c.tuple, int64(1)<<60, b.At.Add(c.l.test.length)
	if c.l.test.total > 0 {
		var err error
		if tuple, err = c.tuple.Resegment(loopers); err != nil {
			return nil //nolint:nilerr // nothing falls to so small a share
		}
		total, end = tuple.Scale(c.l.test.total), b.At.Add(time.Hour)
	}
	c.mu.Lock()
	c.begun, c.next = b.At, min(b.Used["s"], total)
	c.mu.Unlock()
	pace := time.Duration(float64(time.Second) / (c.l.test.rate * c.tuple.Segment().Share()))
	for at := b.At; at.Before(end); at = at.Add(pace) {
		if at.Before(time.Now()) {
			at = time.Now()
		}
		select {
		case <-time.After(time.Until(at)):
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.yield:
			return nil
		case <-c.gone:
			return io.EOF
		}
		c.mu.Lock()
		next, allowed := c.next, c.next < c.allowed || !b.Reserve
		c.mu.Unlock()
		switch {
		case next >= total:
			return nil
		case allowed:
			c.did(tuple.Global(next), b.At)
		}
	}
	return nil
}

// did tells the witness of an iteration.
func (c *counter) did(global int64, at time.Time) {
	c.mu.Lock()
	c.n, c.next = c.n+1, c.next+1
	c.mu.Unlock()
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if !c.l.begun.IsZero() && c.l.begun.After(at) || c.l.begun.IsZero() {
		c.l.begun = at
	}
	c.l.done[global]++
	c.l.when = append(c.l.when, time.Now())
	c.l.who[c.h.name]++
}

// spare is how many numbers a snapshot reserves beyond those that were used.
func (c *counter) spare() int64 {
	if c.l.test.total > 0 {
		return 20
	}
	return 1000
}

func (c *counter) Acknowledge(seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s, n := range c.asked {
		if s <= seq {
			c.allowed = max(c.allowed, n)
			delete(c.asked, s)
		}
	}
}

func (c *counter) Run(ctx context.Context, b run.Begin) error {
	if c.l.test.loops {
		return c.loop(ctx, b)
	}
	c.mu.Lock()
	c.begun = b.At
	if elapsed := time.Since(b.At); elapsed > 0 {
		c.next = c.due(elapsed)
	}
	if b.Exact {
		c.next = b.Used["s"]
	}
	c.mu.Unlock()
	for {
		c.mu.Lock()
		global := c.tuple.Global(c.next)
		c.mu.Unlock()
		at := time.Duration(float64(global) / c.l.test.rate * float64(time.Second))
		end := at >= c.l.test.length
		select {
		case <-time.After(time.Until(b.At.Add(min(at, c.l.test.length)))):
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.yield:
			return nil
		case <-c.gone:
			return io.EOF
		}
		if end {
			return nil
		}
		c.did(global, b.At)
	}
}

func (c *counter) Yield(context.Context) (metric.Snapshot, error) {
	close(c.yield)
	return c.Snapshot(), nil
}

func (c *counter) Snapshot() metric.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	reserved := map[string]int64{"s": c.next}
	if c.begun.IsZero() {
		reserved = nil
	} else if c.l.test.loops {
		c.reserved = max(c.reserved, c.next+c.spare())
		c.asked[c.seq] = c.reserved
		select {
		case <-c.yield: // nothing begins any more: now it is exact
		default:
			reserved["s"] = c.reserved
		}
	}
	return metric.Snapshot{
		Seq: c.seq, Load: metric.Load{Iterations: c.n}, Reserved: reserved,
		Series: []metric.Series{{Selector: metric.Selector{Metric: "iterations"}, Kind: metric.Counter, Sum: float64(c.n), Count: c.n}},
	}
}

func (c *counter) Urgent() <-chan struct{}  { return nil }
func (c *counter) Progress() []run.Progress { return nil }
func (c *counter) MarkedAsFailed() bool     { return false }
func (c *counter) Kill()                    { c.once.Do(func() { close(c.gone) }) }
func (c *counter) Done() <-chan struct{}    { return c.gone }
func (c *counter) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}
