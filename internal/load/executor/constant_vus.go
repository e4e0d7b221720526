package executor

import (
	"context"

	"throng/internal/run"
)

// constantVUs keeps a number of VUs looping for a duration.
type constantVUs struct{ crew }

func newConstantVUs(b *base) *constantVUs { return &constantVUs{newCrew(b, b.scenario.Duration)} }

// Run implements Executor.
func (e *constantVUs) Run(ctx context.Context) error {
	return e.run(ctx, func(_ *member, vu VU) {
		for !e.stop.Load() && vu.Iterate(e.numbered(e.next())) {
		}
	})
}

// Done implements Executor.
func (e *constantVUs) Done() float64 { return e.share(e.regular) }

// Progress implements Executor.
func (e *constantVUs) Progress() run.Progress {
	return e.progress(e.Done(), vusColumn(e.vus), e.spent(e.regular))
}
