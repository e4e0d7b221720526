package js

import (
	"sync"

	"github.com/grafana/sobek"
)

// Loop is the event loop of one runtime: it runs what asynchronous work has left to do on the goroutine that owns the
// runtime, and ends when no such work is pending.
type Loop struct {
	rt *sobek.Runtime

	mu      sync.Mutex
	queue   []func() error
	pending int
	wake    chan struct{}
}

// NewLoop returns an idle loop for rt.
func NewLoop(rt *sobek.Runtime) *Loop { return &Loop{rt: rt} }

// RegisterCallback tells the loop that asynchronous work is under way. The function it returns must be called exactly
// once, from any goroutine, with what is to run on the runtime's goroutine; until then Start does not return.
func (l *Loop) RegisterCallback() func(func() error) {
	l.mu.Lock()
	l.pending++
	if l.wake == nil {
		l.wake = make(chan struct{}, 1)
	}
	l.mu.Unlock()
	return func(f func() error) {
		l.mu.Lock()
		l.queue = append(l.queue, f)
		l.pending--
		l.mu.Unlock()
		select {
		case l.wake <- struct{}{}:
		default: // it has been woken already
		}
	}
}
