package scheduler

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"throng/internal/load/executor"
	"throng/internal/metric"
)

// safe keeps what each snapshot has reserved until it is known that a second host holds it.
type safe struct {
	mu    sync.Mutex // held while a snapshot is made, so that later ones never reserve less
	asked []reserved // in order of seq; those that nobody has acknowledged
}

// reserved is what one snapshot has reserved of each scenario, in order of the executors.
type reserved struct {
	seq   uint64
	below []int64
}

// maxAsked bounds what is kept of snapshots that are not acknowledged: an acknowledgement of one that was forgotten is as good as none,
// the next one makes up for it.
const maxAsked = 256

// Snapshot returns what was measured so far.
func (s *Scheduler) Snapshot() metric.Snapshot {
	if s.test.Meter == nil {
		return metric.Snapshot{}
	}
	s.safe.mu.Lock()
	defer s.safe.mu.Unlock()
	s.mu.Lock()
	executors, guarded := s.executors, s.course != nil && s.course.guarded
	s.mu.Unlock()
	snap := s.test.Meter.Snapshot()
	snap.Load = s.Load()
	if executors == nil {
		return snap
	}
	snap.Reserved = make(map[string]int64, len(executors))
	r := reserved{seq: snap.Seq}
	for i, e := range executors {
		n := e.Reserve(time.Now())
		snap.Reserved[s.ready.Scenarios[i].Name] = n
		snap.Scenarios = append(snap.Scenarios, e.Count())
		r.below = append(r.below, n)
	}
	if guarded {
		s.safe.asked = append(s.safe.asked, r)
		s.safe.asked = s.safe.asked[max(0, len(s.safe.asked)-maxAsked):]
	}
	return snap
}

// Acknowledge lets begin what the snapshots up to number seq have reserved.
func (s *Scheduler) Acknowledge(seq uint64) {
	s.safe.mu.Lock()
	defer s.safe.mu.Unlock()
	n, found := slices.BinarySearchFunc(s.safe.asked, seq, func(r reserved, seq uint64) int { return cmp.Compare(r.seq, seq) })
	if found {
		n++
	}
	if n == 0 {
		return
	}
	newest := s.safe.asked[n-1]
	s.safe.asked = slices.Delete(s.safe.asked, 0, n)
	s.mu.Lock()
	executors := s.executors
	s.mu.Unlock()
	for i, below := range newest.below {
		executors[i].Allow(below)
	}
}

// Urgent receives when a snapshot is wanted before its time.
func (s *Scheduler) Urgent() <-chan struct{} { return s.urgent }

func (s *Scheduler) askForSnapshot() {
	select {
	case s.urgent <- struct{}{}:
	default: // it has been asked for
	}
}

// Yield lets no iteration begin any more, gives those that run until the end of ctx, and returns the last snapshot.
func (s *Scheduler) Yield(ctx context.Context) (metric.Snapshot, error) {
	s.mu.Lock()
	first, c := !s.yielded, s.course
	s.yielded = true
	s.mu.Unlock()
	if c == nil {
		return s.Snapshot(), nil
	}
	if first {
		close(c.yielded)
		s.each(executor.Executor.Yield)
	}
	select {
	case <-c.over:
	case <-ctx.Done():
		s.guard.end(errYielded)
		<-c.over
	}
	return s.Snapshot(), nil
}

// leave says that nobody waits for the scenarios any more.
func (s *Scheduler) leave() { s.each(executor.Executor.Leave) }

func (s *Scheduler) each(do func(executor.Executor)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.executors {
		do(e)
	}
}
