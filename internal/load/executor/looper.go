package executor

import (
	"context"
	"sync/atomic"
)

// The states of a looper. It is told to wind up, and may be told to go on again until it has left.
const (
	looping int32 = iota
	winding
	left
)

// looper is one VU that runs iterations until it is told not to. Asking it costs the VU one load of its own word.
type looper struct {
	ctx   context.Context
	stop  context.CancelFunc
	state atomic.Int32
}

func newLooper(ctx context.Context) *looper {
	l := &looper{}
	l.ctx, l.stop = context.WithCancel(ctx)
	return l
}

// loop runs iterations in the VU's own goroutine.
func (l *looper) loop(b *base, vu VU) {
	for {
		for l.state.Load() == looping {
			if !vu.Iterate(b.numbered(b.next())) {
				l.state.Store(left)
				return
			}
		}
		if l.state.CompareAndSwap(winding, left) || l.state.Load() == left {
			return
		}
	}
}

// wind lets the iteration that is running be the last.
func (l *looper) wind() { l.state.CompareAndSwap(looping, winding) }

// resume takes wind back; false if it is too late for that.
func (l *looper) resume() bool { return l.state.CompareAndSwap(winding, looping) }

// cut ends the iteration that is running. The looper cannot be resumed.
func (l *looper) cut() {
	l.state.Store(left)
	l.stop()
}
