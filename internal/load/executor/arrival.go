package executor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"throng/internal/metric"
	"throng/internal/pace"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/segment"
)

// arrivals is an executor whose iterations begin when a curve says so, whatever became of those before.
//
// Work is not pushed: a VU that finishes an iteration looks for the next due one itself and only parks when there is none.
// The dispatcher, Run's own goroutine, sleeps until something is due, hands it to parked VUs, first come first served, and
// drops what nobody can take.
type arrivals struct {
	*base
	schedule pace.Curve // when what is due
	regular  time.Duration
	pre, max int64
	missed   int64 // arrivals below this one were due before this life of the share
	wg       sync.WaitGroup

	mu       sync.Mutex    // held for a few instructions, never over a callback
	curve    pace.Curve    // when what is given out: the schedule, or a way to catch up with it
	late     bool          // it is a way to catch up
	planned  time.Duration // when this dispatch should have been: from there, not from now, so that lateness does not add up
	ahead    int64         // index of the first arrival that is neither taken nor dropped
	due      time.Duration
	more     bool          // due is when ahead is given out; false after the last one
	watched  int64         // arrivals below this one will be dropped
	patience time.Duration // at this instant, if nobody takes them before
	crowded  bool          // several arrivals share a wake-up of the dispatcher
	idle     parked        // VUs that wait
	vus      int64         // VUs that there are, or are being made
	making   bool          // one is being made: never two at once
	warned   bool          // that there are too few
	closed   bool          // nothing is given out any more
}

// seat is where one VU waits for work. Its channel has room for one, so handing over never blocks.
type seat struct {
	wake  chan time.Duration
	turns int // how often in a row it has waited at the front
}

func newArrivals(b *base, curve pace.Curve, regular time.Duration) (*arrivals, error) {
	numbers, err := arrivalsOf(b.scenario, b.tuple)
	if err != nil {
		return nil, fmt.Errorf("share the arrivals of %s: %w", b.scenario.Name, err)
	}
	a := &arrivals{base: b, regular: regular}
	a.pre, a.max = vusOf(b.scenario, b.tuple)
	b.most = a.max
	b.deal(numbers)
	if !b.tuple.IsWhole() {
		curve = pace.Shared{Curve: curve, Share: b.tuple}
	}
	a.schedule, a.curve = curve, curve
	// No former life can have begun what was not due yet, so nothing needs to be known of it. Iterations get the numbers from
	// here on too: one for each that is begun, so that none is used that a former life may have used.
	if b.from.Skip > 0 {
		a.missed = curve.Due(b.from.Skip)
	}
	b.startAt(a.missed)
	if b.from.Exact {
		b.startAt(min(b.from.Used, curve.Count()))
		a.late = b.first < a.missed
	}
	if a.late {
		a.curve = pace.CatchUp{Curve: curve, First: b.first, Missed: a.missed}
	}
	a.ahead = b.first
	a.due, a.more = a.curve.At(a.ahead)
	return a, nil
}

// arrivalsOf returns the tuple that arrivals are dealt out by. Between the cuts of a share they go by VUs: who has no VU has no
// arrivals either. k6 goes by the lengths of its segments, and what falls to one without a VU never begins.
func arrivalsOf(s *plan.Scenario, tuple *segment.Tuple) (*segment.Tuple, error) {
	return tuple.ResegmentCuts(s.MaxVUs)
}

// vusOf returns how many of our VUs are made before arrivals begin, and how many there may be. Who may have one in a share has
// one from the start: making the first takes time, and meanwhile arrivals would be dropped that others could have begun.
func vusOf(s *plan.Scenario, tuple *segment.Tuple) (pre, most int64) {
	pre, most = tuple.Scale(s.PreAllocatedVUs), tuple.Scale(s.MaxVUs)
	if pre == 0 && most > 0 && s.PreAllocatedVUs > 0 && tuple.IsCut() {
		pre = 1
	}
	return pre, most
}

// Run implements Executor.
func (a *arrivals) Run(ctx context.Context) error {
	inner, cut := context.WithCancel(ctx)
	defer cut()
	start := a.begin()
	if !a.nothing(a.regular) {
		a.run(ctx, inner, start)
	}
	cut()
	a.wg.Wait()
	a.dropRest(ctx)
	return a.end(ctx)
}

// run gives out arrivals until the schedule is over, and returns once the VUs are back or have had their time; inner is to be
// cut then.
func (a *arrivals) run(ctx, inner context.Context, start time.Time) {
	getting, enough := context.WithCancel(inner)
	defer enough()
	making, unhook := a.untilYield(inner)
	defer unhook()
	a.man(inner, getting, start)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for over := false; !over; {
		var next time.Duration
		if next, over = a.dispatch(inner, making, time.Since(start)); over {
			break
		}
		timer.Reset(next - time.Since(start))
		select {
		case <-timer.C:
		case <-a.yielded.Done():
			over = true
		case <-ctx.Done():
			over = true
		}
	}
	a.close()
	enough()
	quiet := make(chan struct{})
	go func() { a.wg.Wait(); close(quiet) }()
	grace := timer.C
	timer.Reset(a.scenario.GracefulStop)
	if a.hasYielded() {
		grace = nil
	}
	select {
	case <-quiet:
	case <-grace:
	case <-ctx.Done():
	}
}

// man sets the VUs to work that were made ready before.
func (a *arrivals) man(inner, getting context.Context, start time.Time) {
	a.mu.Lock()
	a.vus = a.pre
	a.mu.Unlock()
	a.wg.Go(func() {
		for range a.pre {
			vu, err := a.env.GetPlanned(getting)
			if err != nil {
				a.fail(getting, err)
				return
			}
			a.wg.Go(func() { a.serve(inner, vu, start) })
		}
	})
}

// dropRest drops what a life that was late had no time for; without one there is nothing left at the end.
func (a *arrivals) dropRest(ctx context.Context) {
	a.mu.Lock()
	left := a.schedule.Count() - a.ahead
	if left > 0 && a.from.Exact && ctx.Err() == nil && !a.hasYielded() {
		a.ahead += left
	} else {
		left = 0
	}
	a.mu.Unlock()
	if left > 0 {
		a.drop(left)
	}
}

// serve lets one VU work.
func (a *arrivals) serve(ctx context.Context, vu VU, start time.Time) {
	if a.enter(ctx, vu) {
		a.work(start, vu)
		a.leave(vu)
	}
	a.env.Return(vu)
}

// work is the life of one VU.
func (a *arrivals) work(start time.Time, vu VU) {
	s := &seat{wake: make(chan time.Duration, 1)}
	for {
		due, ok := a.wait(start, s)
		if !ok {
			return
		}
		it := a.numbered(a.next())
		it.Due = start.Add(due)
		if !vu.Iterate(it) {
			return
		}
	}
}

// wait returns what is due, parking the VU until something is; false when there will be no more. A parked VU does not count
// as active.
func (a *arrivals) wait(start time.Time, s *seat) (due time.Duration, ok bool) {
	a.mu.Lock()
	if a.more && !a.closed && a.due <= time.Since(start) {
		due = a.take()
		a.mu.Unlock()
		return due, true
	}
	if a.closed {
		a.mu.Unlock()
		return 0, false
	}
	a.park(s)
	a.mu.Unlock()

	a.activate(-1)
	due, ok = <-s.wake
	a.activate(1)
	return due, ok
}

// park lets a VU wait behind all others, or for some turns in front of them. The caller holds mu.
func (a *arrivals) park(s *seat) {
	if s.turns++; a.crowded && s.turns < turnsInARow {
		a.idle.pushFront(s)
		return
	}
	s.turns = 0
	a.idle.push(s)
}

// close sends all parked VUs home; the others go when they come back from their iteration.
func (a *arrivals) close() {
	a.phase.Store(stopping)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for a.idle.len() > 0 {
		close(a.idle.pop().wake)
	}
}

// Reserve implements Executor.
func (a *arrivals) Reserve(now time.Time) int64 {
	if a.over() {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.ahead
	}
	l := &a.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	elapsed := a.elapsed()
	if a.phase.Load() == waiting && !a.from.At.IsZero() {
		elapsed = max(0, now.Sub(a.from.At))
	}
	return l.reserve(a.schedule.Due(elapsed+foresight), 0)
}

// Count implements Executor.
func (a *arrivals) Count() metric.ScenarioCount {
	c := a.base.Count()
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed && a.hasYielded():
		c.Due = a.ahead - a.first
	case a.phase.Load() != waiting:
		c.Due = max(a.first, a.schedule.Due(min(a.elapsed(), a.regular))) - a.first
	}
	return c
}

// Done implements Executor.
func (a *arrivals) Done() float64 { return a.share(a.regular) }

// Progress implements Executor.
func (a *arrivals) Progress() run.Progress {
	a.mu.Lock()
	vus := a.vus
	a.mu.Unlock()
	rate := a.curve.Rate(min(a.elapsed(), a.regular)) * a.tuple.Segment().Share()
	return a.progress(a.Done(), vusText(a.active.Load(), vus, a.max), a.spent(a.regular), run.Column{Layout: "%r iters/s", Numbers: []float64{rate}})
}
