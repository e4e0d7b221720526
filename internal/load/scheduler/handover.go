package scheduler

import (
	"context"

	"throng/internal/metric"
)

// Acknowledge tells that snapshots are safe.
func (s *Scheduler) Acknowledge(uint64) {}

// Urgent receives when a snapshot is wanted before its time.
func (s *Scheduler) Urgent() <-chan struct{} { return nil }

// Yield cuts off what runs and returns the last snapshot.
func (s *Scheduler) Yield(context.Context) (metric.Snapshot, error) {
	s.abortTest("yielded")
	return s.Snapshot(), nil
}
