package scheduler

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"throng/internal/load/executor"
	"throng/internal/plan"
)

// ErrFixed reports that no scenario lets its virtual users be changed from outside.
var ErrFixed = errors.New("live VU configuration updates are not supported")

// Scale changes how many virtual users the first externally controlled scenario uses, and how many it may; nil leaves a
// number as it is. ErrFixed where there is no such scenario or the scenarios have not begun.
func (s *Scheduler) Scale(vus, most *int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.executors {
		x, ok := e.(*executor.ExternallyControlled)
		if !ok {
			continue
		}
		c := x.Control()
		if vus != nil {
			c.VUs = *vus
		}
		if most != nil {
			c.MaxVUs = *most
		}
		return x.SetControl(c)
	}
	return ErrFixed
}

// Pause holds all scenarios, or lets them go on, once Init is over. Only externally controlled ones can do so once they have begun; the
// first, in order of their start, that cannot is the error.
func (s *Scheduler) Pause(paused bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.inTime() {
		if sc := s.ready.Scenarios[i]; sc.Executor != plan.ExternallyControlled {
			return fmt.Errorf("%s executor '%s' doesn't support pause and resume operations after its start", sc.Executor, sc.Name)
		}
	}
	if len(s.executors) < len(s.ready.Scenarios) {
		return errors.New("the scenarios have not begun")
	}
	for _, e := range s.executors {
		x, ok := e.(*executor.ExternallyControlled)
		if !ok {
			continue
		}
		c := x.Control()
		switch {
		case c.Paused && paused:
			return errors.New("test execution was already paused")
		case !c.Paused && !paused:
			return errors.New("test execution wasn't paused")
		}
		c.Paused = paused
		if err := x.SetControl(c); err != nil {
			return err
		}
	}
	return nil
}

// Paused reports whether any scenario has been held by Pause.
func (s *Scheduler) Paused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.executors, func(e executor.Executor) bool {
		x, ok := e.(*executor.ExternallyControlled)
		return ok && x.Control().Paused
	})
}

// inTime are the indices of the scenarios in order of their start, then of their name.
func (s *Scheduler) inTime() []int {
	order := make([]int, len(s.ready.Scenarios))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(s.ready.Scenarios[a].StartTime, s.ready.Scenarios[b].StartTime)
	})
	return order
}
