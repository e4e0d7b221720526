package executor

import (
	"math"
	"sync"
	"sync/atomic"
)

// gate keeps iterations from beginning under numbers that no second host knows to be used: whoever takes a share over must not
// use them again, and where iterations have an end he must not skip many either.
type gate struct {
	begun  *atomic.Int64 // the next number; never above open
	total  int64
	urgent func()

	open atomic.Int64 // numbers below may begin
	half atomic.Int64 // at this number a snapshot is asked for

	mu      sync.Mutex
	raised  chan struct{} // closed when open has grown, or nothing begins any more
	closed  bool
	blocked bool // somebody has had to wait since wasBlocked was last called
}

func newGate(begun *atomic.Int64, total int64, urgent func()) *gate {
	g := &gate{begun: begun, total: total, urgent: urgent, raised: make(chan struct{})}
	g.open.Store(begun.Load())
	g.half.Store(math.MaxInt64)
	return g
}

// take returns the next number, waiting until it may begin; false when there is none left, or nothing begins any more.
// A number is never taken and then not begun.
func (g *gate) take() (int64, bool) {
	for {
		n := g.begun.Load()
		switch {
		case n >= g.total:
			return n, false
		case n < g.open.Load():
			if !g.begun.CompareAndSwap(n, n+1) {
				continue
			}
			if half := g.half.Load(); n+1 >= half && g.half.CompareAndSwap(half, math.MaxInt64) {
				g.urgent()
			}
			return n, true
		case !g.wait(n):
			return n, false
		}
	}
}

// wait returns once more than n may begin; false when nothing begins any more.
func (g *gate) wait(n int64) bool {
	g.mu.Lock()
	if g.closed || n < g.open.Load() {
		defer g.mu.Unlock()
		return !g.closed
	}
	g.blocked = true
	raised := g.raised
	g.mu.Unlock()
	<-raised
	return true
}

// allow lets the numbers below n begin.
func (g *gate) allow(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n <= g.open.Load() || g.closed {
		return
	}
	g.open.Store(n)
	close(g.raised)
	g.raised = make(chan struct{})
}

// close lets nothing begin any more.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.closed = true
		g.open.Store(math.MinInt64)
		close(g.raised)
	}
}

// wasBlocked reports whether somebody has had to wait since it was last asked.
func (g *gate) wasBlocked() (blocked bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	blocked, g.blocked = g.blocked, false
	return blocked
}

// watch has a snapshot asked for once half of the numbers from begun to reserved are used.
func (g *gate) watch(begun, reserved int64) {
	if reserved >= g.total {
		g.half.Store(math.MaxInt64)
		return
	}
	g.half.Store(begun + (reserved-begun)/2)
}
