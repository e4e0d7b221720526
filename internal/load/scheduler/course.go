package scheduler

import (
	"context"
	"errors"
	"time"

	"throng/internal/load/executor"
	"throng/internal/plan"
	"throng/internal/run"
)

// course is how the scenarios of a run go over time.
type course struct {
	setup   []byte
	at      time.Time     // their clocks show zero
	late    time.Duration // how long that had been so when the run was told to begin; not positive: it had not
	used    map[string]int64
	exact   bool
	guarded bool

	yielded chan struct{} // closed when the runner has yielded
	over    chan struct{} // closed when all scenarios have ended
}

// newCourse reads a Begin that was given at now. A time from another process has no monotonic clock; measured from now it has.
func newCourse(b run.Begin, now time.Time) *course {
	c := &course{
		setup: b.Setup, at: now, used: b.Used, exact: b.Exact, guarded: b.Reserve,
		yielded: make(chan struct{}), over: make(chan struct{}),
	}
	if !b.At.IsZero() {
		c.late = now.Sub(b.At)
		c.at = now.Add(-c.late)
	}
	return c
}

// from says where in its schedule a scenario begins.
func (c *course) from(s *plan.Scenario) executor.Start {
	return executor.Start{
		At: c.at.Add(s.StartTime), Skip: max(0, c.late-s.StartTime),
		Used: c.used[s.Name], Exact: c.exact, Guarded: c.guarded,
	}
}

// wait returns true at an instant, or at once if it is over; false if the runner yields, or ctx ends, before.
func (c *course) wait(ctx context.Context, at time.Time) bool {
	if time.Until(at) <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.yielded:
	case <-ctx.Done():
	}
	return ctx.Err() == nil && time.Until(at) <= 0
}

func (c *course) end() { close(c.over) }

// errYielded ends the scenarios of a runner whose time to yield is over. Run does not return it.
var errYielded = errors.New("yielded to another runner")
