package executor

import (
	"context"
	"fmt"

	"throng/internal/run"
)

// perVUIterations lets every VU run a number of iterations of its own.
type perVUIterations struct{ crew }

func newPerVUIterations(b *base) (*perVUIterations, error) {
	// The cuts of a share deal the numbers out by VUs: each runs as many iterations, and what is left of a share is what its
	// VUs have left. k6, which knows one cut only, deals them out by the segment's length.
	numbers, err := b.tuple.ResegmentCuts(b.scenario.VUs)
	if err != nil {
		return nil, fmt.Errorf("share the iterations of %s: %w", b.scenario.Name, err)
	}
	e := &perVUIterations{newCrew(b, b.scenario.MaxDuration)}
	b.deal(numbers)
	b.bound(e.vus * b.scenario.Iterations)
	// Which VU had run which of them nobody knows: what is left is spread evenly.
	left := b.total - b.first
	for i := range e.members {
		e.members[i].quota = left / e.vus
		if int64(i) < left%e.vus {
			e.members[i].quota++
		}
	}
	return e, nil
}

// Run implements Executor.
func (e *perVUIterations) Run(ctx context.Context) error {
	err := e.run(ctx, func(m *member, vu VU) {
		for range m.quota {
			if e.stop.Load() {
				return
			}
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
func (e *perVUIterations) Done() float64 {
	return float64(e.first+e.completed()) / float64(max(1, e.total))
}

// Progress implements Executor.
func (e *perVUIterations) Progress() run.Progress {
	return e.progress(e.Done(), vusColumn(e.vus), e.spent(e.regular),
		outOf(e.first+e.completed(), e.total, fmt.Sprintf("iters, %d per VU", e.scenario.Iterations)))
}
