package scheduler

import (
	"context"
	"time"

	"throng/internal/metric"
	"throng/internal/run"
)

// sampleVUs emits vus and vus_max every second, as k6 does.
func (s *Scheduler) sampleVUs(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	b, m := s.test.Builtin, s.test.Meter
	tags := s.test.RunTags
	vus, most := m.Series(b.VUs, tags), m.Series(b.VUsMax, tags)
	for {
		select {
		case now := <-tick.C:
			m.Add(0, vus, float64(s.loads.vus.Load()), now, nil)
			m.Add(0, most, float64(s.loads.vusMax.Load()), now, nil)
		case <-ctx.Done():
			return
		}
	}
}

// Load says how much is going on.
func (s *Scheduler) Load() metric.Load {
	c := &s.loads
	return metric.Load{
		VUs: c.vus.Load(), VUsMax: c.vusMax.Load(), Iterations: c.iterations.Load(), Interrupted: c.interrupted.Load(), Dropped: c.dropped.Load(),
	}
}

// Drain takes the raw samples since the last call; none unless Config.Raw was set.
func (s *Scheduler) Drain() []metric.Sample {
	if s.test.Meter == nil {
		return nil
	}
	return s.test.Meter.Drain()
}

func (s *Scheduler) mark(t *time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*t = time.Now()
}

// Elapsed is how long the scenarios have been running, or ran.
func (s *Scheduler) Elapsed() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.begun.IsZero():
		return 0
	case s.ended.IsZero():
		return max(0, time.Since(s.begun))
	}
	return max(0, s.ended.Sub(s.begun))
}

// Progress says how far each scenario is.
func (s *Scheduler) Progress() []run.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]run.Progress, len(s.executors))
	for i, e := range s.executors {
		all[i] = e.Progress()
	}
	return all
}
