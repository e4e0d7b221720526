package executor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"throng/internal/run"
)

// Control is what may be changed about an externally controlled scenario while it runs, for the whole test: every segment
// takes its share.
type Control struct {
	VUs, MaxVUs int64
	Paused      bool // VUs finish their iteration and the duration stands still
}

// ExternallyControlled loops as many VUs as it is told to.
type ExternallyControlled struct {
	*base
	slots   []*slot       // Run's; in order of index
	changed chan struct{} // has room for one: that something has changed, not what

	mu      sync.Mutex
	control Control
	spent   time.Duration // without pauses, up to since
	since   time.Time     // when the clock was last set going; zero while it stands
}

// slot is a VU that is ours until the end, and what it does now.
type slot struct {
	vu     VU
	looper *looper
	gone   chan struct{} // closed when the looper has given vu back; nil before the first
}

func newExternallyControlled(b *base) *ExternallyControlled {
	b.most = b.tuple.Scale(b.scenario.MaxVUs)
	return &ExternallyControlled{
		base: b, changed: make(chan struct{}, 1), spent: b.from.Skip,
		control: Control{VUs: b.scenario.VUs, MaxVUs: b.scenario.MaxVUs},
	}
}

// Control returns what was last asked for.
func (e *ExternallyControlled) Control() Control {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.control
}

// SetControl asks for a change. It returns at once; Run carries it out. The errors are those of k6's REST API.
func (e *ExternallyControlled) SetControl(c Control) error {
	switch {
	case c.VUs < 0:
		return errors.New("invalid configuration supplied: the number of VUs can't be negative")
	case c.VUs > c.MaxVUs:
		return fmt.Errorf("invalid configuration supplied: the number of active VUs (%d) must be less than or equal to the number of maxVUs (%d)",
			c.VUs, c.MaxVUs)
	case c.MaxVUs < e.scenario.MaxVUs:
		return fmt.Errorf("the new number of max VUs cannot be lower than the starting number of max VUs (%d)", e.scenario.MaxVUs)
	}
	e.mu.Lock()
	e.control = c
	if !e.since.IsZero() && c.Paused {
		e.spent, e.since = e.spent+time.Since(e.since), time.Time{}
	}
	e.mu.Unlock()
	select {
	case e.changed <- struct{}{}:
	default:
	}
	return nil
}

// clock returns how long the scenario has run without pauses. With set it sets the clock going,
// unless that is paused.
func (e *ExternallyControlled) clock(set bool) (time.Duration, Control) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if set && !e.control.Paused && e.since.IsZero() {
		e.since = time.Now()
	}
	if e.since.IsZero() {
		return e.spent, e.control
	}
	return e.spent + time.Since(e.since), e.control
}

// Run implements Executor.
func (e *ExternallyControlled) Run(ctx context.Context) error {
	e.begin()
	if e.hasYielded() || e.scenario.Duration > 0 && e.nothing(e.scenario.Duration) || !e.admitted(ctx) {
		return e.end(ctx)
	}
	inner, cut := context.WithCancel(ctx)
	defer cut()
	var wg sync.WaitGroup
	timer := time.NewTimer(0)
	defer timer.Stop()
	getting, enough := e.untilYield(inner)
	defer enough()
	for range e.tuple.Scale(e.scenario.MaxVUs) {
		if !e.add(getting, e.env.GetPlanned) {
			break
		}
	}
	for {
		spent, c := e.clock(true)
		if e.scenario.Duration > 0 && spent >= e.scenario.Duration {
			break
		}
		e.apply(inner, getting, c, &wg)
		var over <-chan time.Time
		if e.scenario.Duration > 0 && !c.Paused {
			timer.Reset(e.scenario.Duration - spent)
			over = timer.C
		}
		select {
		case <-over:
			continue
		case <-e.changed:
			continue
		case <-e.yielded.Done():
		case <-ctx.Done():
		}
		break
	}
	e.finish(ctx, cut, &wg)
	for _, s := range e.slots {
		e.env.Return(s.vu)
	}
	return e.end(ctx)
}

// finish lets running iterations end within the graceful stop, which k6 leaves at 0 for this executor; after Yield it lets
// them end.
func (e *ExternallyControlled) finish(ctx context.Context, cut func(), wg *sync.WaitGroup) {
	e.phase.Store(stopping)
	for _, s := range e.slots {
		if s.looper != nil {
			s.looper.wind()
		}
	}
	quiet := make(chan struct{})
	go func() { wg.Wait(); close(quiet) }()
	switch {
	case e.hasYielded():
		select {
		case <-quiet:
		case <-ctx.Done():
		}
	case e.scenario.GracefulStop > 0:
		grace := time.NewTimer(e.scenario.GracefulStop)
		defer grace.Stop()
		select {
		case <-quiet:
		case <-grace.C:
		case <-ctx.Done():
		}
	}
	cut()
	<-quiet
}

func (e *ExternallyControlled) add(ctx context.Context, get func(context.Context) (VU, error)) bool {
	vu, err := get(ctx)
	if err != nil {
		e.fail(ctx, err)
		return false
	}
	e.slots = append(e.slots, &slot{vu: vu})
	return true
}

// apply makes it so: VUs that are too many are cut off, as in k6; those that are paused finish their iteration first.
func (e *ExternallyControlled) apply(ctx, getting context.Context, c Control, wg *sync.WaitGroup) {
	for int64(len(e.slots)) < e.tuple.Scale(c.MaxVUs) && getting.Err() == nil {
		if !e.add(getting, e.env.InitUnplanned) {
			if getting.Err() == nil {
				e.log.Error("more VUs could not be initialized")
			}
			break
		}
	}
	want := e.tuple.Scale(c.VUs)
	for i, s := range e.slots {
		switch {
		case int64(i) >= want:
			if s.looper != nil {
				s.looper.cut()
				s.looper = nil
			}
		case c.Paused:
			if s.looper != nil {
				s.looper.wind()
			}
		case s.looper == nil || s.looper.state.Load() != looping && !s.looper.resume():
			e.wake(ctx, s, wg)
		}
	}
}

func (e *ExternallyControlled) wake(ctx context.Context, s *slot, wg *sync.WaitGroup) {
	before, gone, l := s.gone, make(chan struct{}), newLooper(ctx)
	s.looper, s.gone = l, gone
	wg.Go(func() {
		defer close(gone)
		defer l.cut()
		if before != nil {
			<-before
		}
		if e.enter(l.ctx, s.vu) {
			l.loop(e.base, s.vu)
			e.leave(s.vu)
		}
	})
}

// Done implements Executor.
func (e *ExternallyControlled) Done() float64 {
	if spent, _ := e.clock(false); e.scenario.Duration > 0 {
		return min(1, float64(spent)/float64(e.scenario.Duration))
	}
	return 1
}

// Progress implements Executor.
func (e *ExternallyControlled) Progress() run.Progress {
	spent, c := e.clock(false)
	text := clock(spent, spent)
	if d := e.scenario.Duration; d > 0 {
		if text = d.String(); spent < d {
			text = clock(spent, d) + "/" + text
		}
	}
	most := e.tuple.Scale(c.MaxVUs)
	return e.progress(e.Done(), vusText(e.active.Load(), most, most), run.Text(text))
}
