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
	most   int64
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
	inner, cut := context.WithCancel(ctx)
	defer cut()
	var wg sync.WaitGroup
	slots := make([]*looper, e.most)
	timer := time.NewTimer(0)
	defer timer.Stop()
	quiet := make(chan struct{})
	ending := false
	for loop, busy := int64(0), int64(0); len(e.orders) > 0; {
		now := time.Since(start)
		if now < e.orders[0].at {
			timer.Reset(e.orders[0].at - now)
			select {
			case <-timer.C:
				continue
			case <-quiet:
			case <-ctx.Done():
			}
			break
		}
		o := e.orders[0]
		e.orders = e.orders[1:]
		for ; loop < o.loop; loop++ {
			slots[loop] = e.wake(inner, slots[loop], &wg)
		}
		for ; loop > o.loop; loop-- {
			slots[loop-1].wind()
		}
		for ; busy > o.busy; busy-- {
			if l := slots[busy-1]; l != nil {
				l.cut()
			}
		}
		busy = o.busy
		if o.at >= e.length && !ending {
			ending = true
			e.phase.Store(stopping)
			go func() { wg.Wait(); close(quiet) }()
		}
	}
	for _, l := range slots {
		if l != nil {
			l.cut()
		}
	}
	wg.Wait()
	return e.end(ctx)
}

// wake makes the VU of a slot loop, the same one if it has not left yet.
func (e *rampingVUs) wake(ctx context.Context, l *looper, wg *sync.WaitGroup) *looper {
	if l != nil && l.resume() {
		return l
	}
	l = newLooper(ctx)
	wg.Go(func() {
		defer l.cut()
		vu, err := e.env.GetPlanned(l.ctx)
		if err != nil {
			e.fail(l.ctx, err)
			return
		}
		e.use(l.ctx, vu, func() { l.loop(e.base, vu) })
	})
	return l
}

// Done implements Executor.
func (e *rampingVUs) Done() float64 { return e.share(e.length) }

// Progress implements Executor.
func (e *rampingVUs) Progress() run.Progress {
	return e.progress(e.Done(), vusOf(e.active.Load(), e.most, e.most), e.spentAll(e.length))
}
