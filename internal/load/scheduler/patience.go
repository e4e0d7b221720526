package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"throng/internal/fault"
	"throng/internal/load/vu"
	"throng/internal/plan"
)

// errStuck says that a script did not stop when it was told to.
var errStuck = errors.New("the script does not stop: it is inside a built-in function that cannot be interrupted, such as a " +
	"regular expression that backtracks without end, or a huge array that is sorted, filled or joined")

// await waits for the executors, but not for ever: a virtual user inside an endless built-in function must not keep back
// what all others have measured. Its goroutine, which nothing can end, is left behind, and ends with the process.
func (s *Scheduler) await(ctx context.Context, c *course, wait func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- wait() }()
	latest := time.NewTimer(max(0, time.Until(c.at)) + s.ready.MaxDuration + s.cfg.Patience)
	defer latest.Stop()
	over := latest.C
	if slices.ContainsFunc(s.ready.Scenarios, func(sc plan.Scenario) bool { return sc.Executor == plan.ExternallyControlled }) {
		over = nil // its clock may stand still
	}
	select {
	case err := <-ended:
		return err
	case <-over:
	case <-ctx.Done():
		if err, ok := s.within(ended); ok {
			return err
		}
	}
	n := s.loads.vus.Load()
	s.loads.interrupted.Add(n)
	s.cfg.Log.Error(fmt.Sprintf("virtual users left behind: %d; %v", n, errStuck))
	return nil
}

// within waits for an outcome, no longer than patience lasts.
func (s *Scheduler) within(ended <-chan error) (error, bool) {
	patience := time.NewTimer(s.cfg.Patience)
	defer patience.Stop()
	select {
	case err := <-ended:
		return err, true
	case <-patience.C:
		return nil, false
	}
}

// unlessStuck calls f, which runs script code until ctx ends, and leaves it behind if it does not return soon after that.
func (s *Scheduler) unlessStuck(ctx context.Context, f func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- f() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if err, ok := s.within(ended); ok {
		return err
	}
	return errStuck
}

// first makes the virtual user that tells what the script exports.
func (s *Scheduler) first(ctx context.Context) (*vu.VU, error) {
	limit := ctx
	if s.cfg.InitTimeout > 0 {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeout(ctx, s.cfg.InitTimeout)
		defer cancel()
	}
	made := make(chan *vu.VU, 1)
	err := s.unlessStuck(limit, func() error {
		v, err := s.factory.New(ctx, 0, 0)
		made <- v
		return err
	})
	if errors.Is(err, errStuck) {
		return nil, fault.New(fault.GenericTimeout, err)
	}
	return <-made, err
}
