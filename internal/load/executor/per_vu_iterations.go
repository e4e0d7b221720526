package executor

import (
	"context"
	"fmt"

	"throng/internal/run"
)

// perVUIterations lets every VU run a number of iterations of its own.
type perVUIterations struct {
	crew
	total int64
}

func newPerVUIterations(b *base) *perVUIterations {
	vus := b.tuple.Scale(b.scenario.VUs)
	return &perVUIterations{
		crew{base: b, vus: vus, regular: b.scenario.MaxDuration, members: make([]member, vus)},
		vus * b.scenario.Iterations,
	}
}

// Run implements Executor.
func (e *perVUIterations) Run(ctx context.Context) error {
	err := e.run(ctx, func(m *member, vu VU) {
		for range e.scenario.Iterations {
			if e.stop.Load() || !vu.Iterate(e.next()) {
				return
			}
			m.completed.Store(m.completed.Load() + 1)
		}
	})
	e.drop(ctx, e.total)
	return err
}

// Done implements Executor.
func (e *perVUIterations) Done() float64 { return float64(e.completed()) / float64(max(1, e.total)) }

// Progress implements Executor.
func (e *perVUIterations) Progress() run.Progress {
	return e.progress(e.Done(), fmt.Sprintf("%d VUs", e.vus), e.spent(e.regular),
		fmt.Sprintf("%s iters, %d per VU", outOf(e.completed(), e.total), e.scenario.Iterations))
}
