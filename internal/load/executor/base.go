package executor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/segment"
)

// The phases of a run, as progress shows them.
const (
	waiting int32 = iota
	running
	stopping    // no iteration begins any more
	done        // all that began has ended
	interrupted // the whole run was cut short
)

// base is what all executors have in common.
type base struct {
	scenario *plan.Scenario
	tuple    *segment.Tuple
	env      Env
	log      *slog.Logger

	phase  atomic.Int32
	start  atomic.Pointer[time.Time]
	ended  atomic.Int64 // nanoseconds after start, once Run has returned
	begun  atomic.Int64 // iterations that began
	active atomic.Int64 // VUs that are active
	failed atomic.Pointer[error]
}

func (b *base) begin() time.Time {
	now := time.Now()
	b.start.Store(&now)
	b.phase.Store(running)
	return now
}

// end closes a run: it must have the ctx that Run was given, to tell an end from an interruption.
func (b *base) end(ctx context.Context) error {
	b.ended.Store(int64(max(1, b.elapsed())))
	if ctx.Err() != nil {
		b.phase.Store(interrupted)
	} else {
		b.phase.Store(done)
	}
	if err := b.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Started implements Executor.
func (b *base) Started() time.Time {
	if t := b.start.Load(); t != nil {
		return *t
	}
	return time.Time{}
}

// elapsed is how long the run has taken so far.
func (b *base) elapsed() time.Duration {
	if d := b.ended.Load(); d > 0 {
		return time.Duration(d)
	}
	if t := b.start.Load(); t != nil {
		return time.Since(*t)
	}
	return 0
}

// share returns how much of whole has elapsed.
func (b *base) share(whole time.Duration) float64 {
	if whole <= 0 || b.elapsed() >= whole {
		return 1
	}
	return float64(b.elapsed()) / float64(whole)
}

// next numbers an iteration that is about to begin.
func (b *base) next() Iteration {
	n := b.begun.Add(1) - 1
	return Iteration{InInstance: n, InTest: b.tuple.Global(n)}
}

// fail keeps the first error; one that only says that the run is over is none.
func (b *base) fail(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		b.failed.CompareAndSwap(nil, &err)
	}
}

func (b *base) progress(share float64, right ...string) run.Progress {
	phase := b.phase.Load()
	return run.Progress{
		Scenario: b.scenario.Name, Executor: b.scenario.Executor,
		State: [...]string{"•", " ", "↓", "✓", "✗"}[phase],
		Done:  share, Started: phase >= running, Ended: phase >= done,
		Right: right,
	}
}

// crew is the fixed set of VUs of an executor in which every VU does the same until time is up.
type crew struct {
	*base
	vus     int64
	regular time.Duration // iterations may begin until then
	stop    atomic.Bool
	members []member
}

// member counts what one VU completed. Only its VU writes it, so it has a cache line to itself.
type member struct {
	completed atomic.Int64
	_         [56]byte
}

// run gives every VU to loop in a goroutine of its own, and returns when all are back: loop must end soon after stop is
// true or an iteration was cut off.
func (c *crew) run(ctx context.Context, loop func(m *member, vu VU)) error {
	c.begin()
	inner, cut := context.WithCancel(ctx)
	defer cut()
	over := time.NewTimer(c.regular)
	defer over.Stop()

	quiet := make(chan struct{})
	go func() {
		defer close(quiet)
		var wg sync.WaitGroup
		defer wg.Wait()
		for i := range c.members {
			vu, err := c.env.GetPlanned(inner)
			if err != nil {
				c.fail(inner, err)
				return
			}
			wg.Go(func() { c.use(inner, vu, func() { loop(&c.members[i], vu) }) })
		}
	}()

	select {
	case <-quiet:
	case <-ctx.Done():
	case <-over.C:
		c.stop.Store(true)
		c.phase.Store(stopping)
		over.Reset(c.scenario.GracefulStop)
		select {
		case <-quiet:
		case <-ctx.Done():
		case <-over.C:
		}
	}
	c.stop.Store(true)
	cut()
	<-quiet
	return c.end(ctx)
}

// use activates a VU for the duration of work and gives it back.
func (b *base) use(ctx context.Context, vu VU, work func()) {
	b.with(ctx, vu, work)
	b.env.Return(vu)
}

// with activates a VU for the duration of work.
func (b *base) with(ctx context.Context, vu VU, work func()) {
	if err := vu.Activate(ctx, b.scenario); err != nil {
		b.fail(ctx, err)
		return
	}
	b.activate(1)
	work()
	b.activate(-1)
	vu.Deactivate()
}

func (b *base) activate(delta int64) {
	b.active.Add(delta)
	b.env.VUActive(delta)
}

func (c *crew) completed() (n int64) {
	for i := range c.members {
		n += c.members[i].completed.Load()
	}
	return n
}

// drop reports what of total never began, unless the whole run was cut short.
func (c *crew) drop(ctx context.Context, total int64) {
	if left := total - min(total, c.begun.Load()); left > 0 && ctx.Err() == nil {
		c.env.Dropped(left, c.scenario)
	}
}
