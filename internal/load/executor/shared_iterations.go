package executor

import (
	"context"
	"errors"
	"fmt"

	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/segment"
)

// sharedIterations lets VUs take iterations from one pool until it is empty.
type sharedIterations struct{ crew }

func newSharedIterations(b *base) (*sharedIterations, error) {
	numbers, err := b.tuple.Resegment(b.scenario.VUs)
	if err != nil {
		return nil, fmt.Errorf("share the iterations of %s: %w", b.scenario.Name, err)
	}
	e := &sharedIterations{newCrew(b, b.scenario.MaxDuration)}
	b.deal(numbers) // by VUs
	b.bound(numbers.Scale(b.scenario.Iterations))
	return e, nil
}

// sharedIterationsOf returns how many VUs and iterations are ours: iterations are dealt out by VUs, so an instance without
// a VU has none.
func sharedIterationsOf(s *plan.Scenario, tuple *segment.Tuple) (vus, iterations int64) {
	re, err := tuple.Resegment(s.VUs)
	if err != nil {
		// A stripe too long to be cut is New's to report; it must not look like no work.
		if errors.Is(err, segment.ErrNoShare) {
			return 0, 0
		}
		return tuple.Scale(s.VUs), tuple.Scale(s.Iterations)
	}
	return tuple.Scale(s.VUs), re.Scale(s.Iterations)
}

// Run implements Executor.
func (e *sharedIterations) Run(ctx context.Context) error {
	err := e.run(ctx, func(m *member, vu VU) {
		for !e.stop.Load() {
			n, ok := e.take()
			if !ok || !vu.Iterate(e.numbered(n)) {
				return
			}
			m.completed.Store(m.completed.Load() + 1)
		}
	})
	e.dropRest(ctx)
	return err
}

// Done implements Executor.
func (e *sharedIterations) Done() float64 {
	return float64(e.first+e.completed()) / float64(max(1, e.total))
}

// Progress implements Executor.
func (e *sharedIterations) Progress() run.Progress {
	return e.progress(e.Done(), vusColumn(e.vus), e.spent(e.regular),
		outOf(e.first+e.completed(), e.total, "shared iters"))
}
