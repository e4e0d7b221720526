package executor

import (
	"context"
	"fmt"
	"time"
)

const (
	// handOver is how long an iteration that found no idle VU waits for one before it is dropped. A VU that has just
	// finished takes what is due by itself, so this only has to cover the moment between two iterations: without it,
	// one VU that is exactly fast enough would miss every other beat. See TestNoArrivalIsLostHoweverHighTheRate for how
	// late an iteration can begin because of it.
	handOver = 2 * time.Millisecond
	// maxExcuse bounds how much longer it waits when the dispatcher itself was late: see giveUp. After a longer stop of the
	// process most of what it has missed is dropped: a target is not to pay with a burst for what happened to its tester.
	maxExcuse = 100 * time.Millisecond
	// quantum is the least time between two wake-ups of the dispatcher. Below 667 arrivals a second each has its
	// own; above, several share one and begin up to a quantum late, which is measured, since each knows when it was due.
	quantum = 1500 * time.Microsecond
	// turnsInARow is how many arrivals a VU takes before the next one has its turn, where several arrivals share a wake-up
	// of the dispatcher. All VUs get their share as they do in turn, but what a VU works on is still in the processor's
	// cache the next time. Where arrivals come one by one the VUs take turns, as in k6: a test of few iterations uses many
	// VUs. See TestVUsTakeTurns.
	turnsInARow = 8
)

// dispatch deals with all that is due at now and returns when it must be called again. A VU that it adds works until ctx ends,
// and is not wanted any more if making ends before it is ready.
func (a *arrivals) dispatch(ctx, making context.Context, now time.Duration) (next time.Duration, over bool) {
	a.mu.Lock()
	for a.more && a.due <= now && a.idle.len() > 0 {
		a.idle.pop().wake <- a.take()
	}
	dropped := a.giveUp(now, min(now-a.planned, maxExcuse))
	// One more VU is made each time work was dropped, and only if none is being made yet.
	make1, warn := false, false
	if dropped > 0 && !a.making {
		if a.vus < a.max {
			make1, a.making = true, true
			a.vus++
		} else if !a.warned {
			warn, a.warned = true, true
		}
	}
	vus := a.vus
	switch {
	case a.more && a.due <= now:
		next = min(a.patience, now+handOver) // VUs that have parked again meanwhile do not wait for longer than that
	case a.more:
		next = max(a.due, a.planned+quantum)
		a.crowded = next > a.due
	default:
		next, over = a.regular, now >= a.regular
	}
	a.planned = next
	a.mu.Unlock()

	if dropped > 0 {
		a.drop(dropped)
	}
	if warn {
		a.log.Warn(insufficient(vus))
	}
	if make1 {
		a.wg.Go(func() { a.grow(ctx, making) })
	}
	return next, over
}

// giveUp gives up what no VU was free for since it was noticed, handOver ago, and starts to watch what has become due since.
// It counts from the noticing because a dispatcher that was itself late must not blame the VUs: all may be on the point of
// taking the next one. And by as much as it was late work has piled up, so VUs that keep up may need as long to take it: on a
// virtual machine whose host lets it wait for 30 ms now and then, such piles were all that was dropped. The caller holds mu and
// has handed work to all parked VUs.
func (a *arrivals) giveUp(now, late time.Duration) (dropped int64) {
	if !a.more || a.due > now {
		return 0
	}
	if a.ahead < a.watched {
		if now < a.patience {
			return 0
		}
		dropped = a.watched - a.ahead
		a.ahead = a.watched
		a.due, a.more = a.curve.At(a.ahead)
	}
	a.watched, a.patience = a.curve.Due(now), now+late+handOver
	return dropped
}

func insufficient(vus int64) string {
	return fmt.Sprintf("Insufficient VUs, reached %d active VUs and cannot initialize more", vus)
}

// take gives out the next arrival. The caller holds mu and has seen that there is one.
func (a *arrivals) take() time.Duration {
	due := a.due
	if a.late {
		due, _ = a.schedule.At(a.ahead)
	}
	a.ahead++
	if a.late && a.ahead-a.missed >= (a.ahead-a.first+1)/2 {
		a.curve, a.late = a.schedule, false
	}
	a.due, a.more = a.curve.At(a.ahead)
	return due
}

// grow makes one more VU and lets it work.
func (a *arrivals) grow(ctx, making context.Context) {
	vu, err := a.env.InitUnplanned(making)
	a.mu.Lock()
	a.making = false
	a.mu.Unlock()
	if err != nil {
		a.fail(making, err)
		return
	}
	a.serve(ctx, vu, a.Started())
}

// parked is a ring of VUs, first in first out: as in k6, work goes round all of them.
type parked struct {
	ring        []*seat
	head, count int
}

func (p *parked) len() int { return p.count }

func (p *parked) push(s *seat) {
	p.grow()
	p.ring[(p.head+p.count)%len(p.ring)] = s
	p.count++
}

// pushFront makes s the next one out.
func (p *parked) pushFront(s *seat) {
	p.grow()
	p.head = (p.head + len(p.ring) - 1) % len(p.ring)
	p.ring[p.head] = s
	p.count++
}

// grow makes room for one more.
func (p *parked) grow() {
	if p.count < len(p.ring) {
		return
	}
	bigger := make([]*seat, max(8, 2*p.count))
	n := copy(bigger, p.ring[p.head:])
	copy(bigger[n:], p.ring[:p.head])
	p.ring, p.head = bigger, 0
}

func (p *parked) pop() *seat {
	s := p.ring[p.head]
	p.head = (p.head + 1) % len(p.ring)
	p.count--
	return s
}
