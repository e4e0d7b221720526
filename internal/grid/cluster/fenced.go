package cluster

import (
	"context"
	"errors"
	"fmt"
)

// Fenced returns the store as a leader may write to it: every Commit carries the condition that LeaderKey was last written at
// fence, and is ErrDeposed once it was not.
func Fenced(s Store, fence int64) Store { return fenced{s, fence} }

type fenced struct {
	Store
	fence int64
}

func (f fenced) Commit(ctx context.Context, t Txn) (int64, error) {
	t.If = append([]Condition{{LeaderKey, f.fence}}, t.If...)
	revision, err := f.Store.Commit(ctx, t)
	if !errors.Is(err, ErrConflict) {
		return revision, err
	}
	now, gerr := f.Store.Get(ctx, LeaderKey)
	switch {
	case gerr != nil && !errors.Is(gerr, ErrNotFound):
		return 0, err
	case now.Revision != f.fence:
		return 0, fmt.Errorf("%w: %w", ErrDeposed, err)
	}
	return 0, err
}
