package node

import (
	"sync"
	"testing"
)

// TestOrdersAtOnceAreAllCarriedOut: a node's record has several writers, of which the node that starts is one.
func TestOrdersAtOnceAreAllCarriedOut(t *testing.T) {
	t.Parallel()
	l := newLab(t, 1)
	l.start("h1")
	l.vote(1)
	var givers sync.WaitGroup
	for range 8 {
		givers.Go(func() {
			for _, order := range []string{"drain", "undrain", "drain", "undrain"} {
				if err := l.order(order, GridCall{Node: "h1"}); err != nil {
					t.Errorf("%s: %v", order, err)
				}
			}
		})
	}
	givers.Wait()
}
