package executor

import (
	"context"
	"sync"
	"time"

	"throng/internal/run"
)

// rampingVUs changes the number of looping VUs over time. The last to come is the first to go; one that was asked to go
// and is still within its last iteration when it is wanted again goes on as if nothing had been said.
type rampingVUs struct {
	*base
	orders []order
	length time.Duration
}

// order is what must be so from an instant on: VUs with an index below loop are looping, those from busy on are cut off.
type order struct {
	at         time.Duration
	loop, busy int64
}

func newRampingVUs(b *base) *rampingVUs {
	e := &rampingVUs{base: b, length: length(b.scenario.Stages)}
	raw := rawSteps(b.scenario, b.tuple)
	for _, r := range raw {
		e.most = max(e.most, r.n)
	}
	e.orders = orders(raw, reserved(b.scenario, raw), e.length)
	return e
}

// orders merges both lists into one, with the last order at an instant only, and no looping after the last stage.
func orders(raw []count, reserve []Step, length time.Duration) (all []order) {
	raw = append(raw[:len(raw):len(raw)], count{length, 0})
	var now order
	for len(raw) > 0 || len(reserve) > 0 {
		if len(reserve) == 0 || len(raw) > 0 && raw[0].at <= reserve[0].TimeOffset {
			now.at, now.loop = raw[0].at, raw[0].n
			raw = raw[1:]
		} else {
			now.at, now.busy = reserve[0].TimeOffset, reserve[0].PlannedVUs
			reserve = reserve[1:]
		}
		if n := len(all); n > 0 && all[n-1].at == now.at {
			all[n-1] = now
		} else {
			all = append(all, now)
		}
	}
	return all
}

// Run implements Executor.
func (e *rampingVUs) Run(ctx context.Context) error {
	start := e.begin()
	if e.nothing(e.length) || !e.admitted(ctx) {
		return e.end(ctx)
	}
	for e.from.Skip > 0 && len(e.orders) > 1 && e.orders[1].at <= e.from.Skip {
		e.orders = e.orders[1:]
	}
	inner, cut := context.WithCancel(ctx)
	defer cut()
	r := &ramp{rampingVUs: e, ctx: inner, slots: make([]*looper, e.most), quiet: make(chan struct{})}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for over := false; !over && len(e.orders) > 0; {
		now := time.Since(start)
		if now >= e.orders[0].at {
			r.obey(e.orders[0])
			e.orders = e.orders[1:]
			continue
		}
		timer.Reset(e.orders[0].at - now)
		select {
		case <-timer.C:
		case <-e.yielded.Done():
			r.windUp()
			over = true
		case <-r.quiet:
			over = true
		case <-ctx.Done():
			over = true
		}
	}
	r.cut()
	return e.end(ctx)
}

// ramp is a run of rampingVUs.
type ramp struct {
	*rampingVUs
	ctx        context.Context
	slots      []*looper // in order of index
	loop, busy int64     // how many of them loop, and how many may still be in their last iteration
	wg         sync.WaitGroup
	ending     bool
	quiet      chan struct{} // closed when no VU loops any more, after the last stage
}

// obey does what is ordered for an instant.
func (r *ramp) obey(o order) {
	for ; r.loop < o.loop; r.loop++ {
		r.slots[r.loop] = r.wake(r.ctx, r.slots[r.loop], &r.wg)
	}
	for ; r.loop > o.loop; r.loop-- {
		r.slots[r.loop-1].wind()
	}
	for ; r.busy > o.busy; r.busy-- {
		if l := r.slots[r.busy-1]; l != nil {
			l.cut()
		}
	}
	r.busy = o.busy
	if o.at >= r.length {
		r.wait()
	}
}

// wait has quiet closed once all VUs have left. None is woken after it.
func (r *ramp) wait() {
	if !r.ending {
		r.ending = true
		r.phase.Store(stopping)
		go func() { r.wg.Wait(); close(r.quiet) }()
	}
}

// windUp lets running iterations end, after Yield.
func (r *ramp) windUp() {
	for ; r.loop > 0; r.loop-- {
		r.slots[r.loop-1].wind()
	}
	r.wait()
	select {
	case <-r.quiet:
	case <-r.ctx.Done():
	}
}

// cut ends all iterations.
func (r *ramp) cut() {
	for _, l := range r.slots {
		if l != nil {
			l.cut()
		}
	}
	r.wg.Wait()
}

// wake makes the VU of a slot loop, the same one if it has not left yet.
func (e *rampingVUs) wake(ctx context.Context, l *looper, wg *sync.WaitGroup) *looper {
	if l != nil && l.resume() {
		return l
	}
	l = newLooper(ctx)
	wg.Go(func() {
		defer l.cut()
		getting, enough := e.untilYield(l.ctx)
		vu, err := e.env.GetPlanned(getting)
		enough()
		if err != nil {
			e.fail(l.ctx, err)
			return
		}
		if e.enter(l.ctx, vu) {
			l.loop(e.base, vu)
			e.leave(vu)
		}
		e.env.Return(vu)
	})
	return l
}

// Done implements Executor.
func (e *rampingVUs) Done() float64 { return e.share(e.length) }

// Progress implements Executor.
func (e *rampingVUs) Progress() run.Progress {
	return e.progress(e.Done(), vusText(e.active.Load(), e.most, e.most), e.spentAll(e.length))
}
