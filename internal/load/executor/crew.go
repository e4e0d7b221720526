package executor

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

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
	quota     int64 // how many iterations it may begin, where each VU has a number of its own
	_         [48]byte
}

func newCrew(b *base, regular time.Duration) crew {
	vus := b.tuple.Scale(b.scenario.VUs)
	b.most = vus
	return crew{base: b, vus: vus, regular: regular, members: make([]member, vus)}
}

// run gives every VU to loop in a goroutine of its own, and returns when all are back: loop must end soon after stop is
// true or an iteration was cut off.
func (c *crew) run(ctx context.Context, loop func(m *member, vu VU)) error {
	start := c.begin()
	if c.nothing(c.regular) || !c.admitted(ctx) {
		return c.end(ctx)
	}
	inner, cut := context.WithCancel(ctx)
	defer cut()
	getting, enough := c.untilYield(inner)
	defer enough()
	over := time.NewTimer(time.Until(start.Add(c.regular)))
	defer over.Stop()

	quiet := make(chan struct{})
	go func() {
		defer close(quiet)
		var wg sync.WaitGroup
		defer wg.Wait()
		for i := range c.members {
			vu, err := c.env.GetPlanned(getting)
			if err != nil {
				c.fail(getting, err)
				return
			}
			wg.Go(func() { c.serve(inner, vu, &c.members[i], loop) })
		}
	}()

	select {
	case <-quiet:
	case <-ctx.Done():
	case <-c.yielded.Done():
		c.halt(enough)
		select {
		case <-quiet:
		case <-ctx.Done():
		}
	case <-over.C:
		c.halt(enough)
		over.Reset(c.scenario.GracefulStop)
		select {
		case <-quiet:
		case <-ctx.Done():
		case <-over.C:
		}
	}
	c.halt(cut)
	<-quiet
	return c.end(ctx)
}

// serve gives one VU to loop.
func (c *crew) serve(ctx context.Context, vu VU, m *member, loop func(m *member, vu VU)) {
	if c.enter(ctx, vu) {
		loop(m, vu)
		c.leave(vu)
	}
	c.env.Return(vu)
}

// halt lets no iteration begin any more.
func (c *crew) halt(also context.CancelFunc) {
	c.stop.Store(true)
	c.phase.Store(stopping)
	if c.gate != nil {
		c.gate.close()
	}
	also()
}

func (c *crew) completed() (n int64) {
	for i := range c.members {
		n += c.members[i].completed.Load()
	}
	return n
}

// dropRest reports what never began, unless the whole run was cut short, or others will begin it.
func (c *crew) dropRest(ctx context.Context) {
	if left := c.total - min(c.total, c.begun.Load()); left > 0 && ctx.Err() == nil && !c.hasYielded() {
		c.drop(left)
	}
}
