package scheduler

import (
	"context"
	"errors"
	"fmt"
	"runtime/metrics"
	"sync"
	"time"

	"throng/internal/fault"
	"throng/internal/load/js"
)

// guard ends a run early: because the script asked for it, or because the script is about to use up the memory.
type guard struct {
	limit uint64 // bytes of heap; 0 means no limit

	mu     sync.Mutex
	reason error         // the first one
	places bool          // the reason is better told with the place that the script was at
	place  string        // of one that was interrupted
	ended  chan struct{} // closed when there is a reason
}

func newGuard(limit uint64) *guard { return &guard{limit: limit, ended: make(chan struct{})} }

// end gives the reason to end the run; only the first counts.
func (g *guard) end(reason error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reason == nil {
		g.reason = reason
		close(g.ended)
	}
}

// why is the reason to end the run, or nil.
func (g *guard) why() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reason
}

// watch returns a context that ends with parent, and with the reason as its cause as soon as there is one; ended is called in the same
// breath. stop waits until nothing of the watch is left.
//
// The context is no child of parent: that would start a goroutine for every virtual user before anything else, and where thousands of
// scripts are busy each waits seconds for its turn. See TestTheEndOfARunReachesBusyScripts.
func (g *guard) watch(parent context.Context, ended func()) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(parent))
	end := func(cause error) {
		cancel(cause)
		ended()
	}
	if parent.Err() != nil {
		end(context.Cause(parent))
	}
	var wg sync.WaitGroup
	// It does nothing else, so that it is not waiting for its turn among the scripts already when its time comes.
	wg.Go(func() {
		select {
		case <-g.ended:
			end(g.why())
		case <-parent.Done():
			end(context.Cause(parent))
		case <-ctx.Done():
		}
	})
	wg.Go(func() {
		look := time.NewTimer(memoryEvery)
		defer look.Stop()
		for g.limit > 0 {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
				look.Reset(pause(g.checkMemory()))
			}
		}
	})
	return ctx, func() {
		cancel(nil)
		wg.Wait()
	}
}

// How often the memory is looked at while little is left, and at least. A loop that only allocates fills fastFill bytes a second.
const (
	memoryEvery  = 50 * time.Millisecond
	memorySeldom = time.Second
	fastFill     = 8 << 30
)

// pause is how long left bytes last at the least.
func pause(left uint64) time.Duration {
	return min(max(time.Duration(float64(left)/fastFill*float64(time.Second)), memoryEvery), memorySeldom)
}

const heapObjects = "/memory/classes/heap/objects:bytes"

// checkMemory ends the run if the heap is above the limit, and returns how many bytes are left.
func (g *guard) checkMemory() uint64 {
	sample := []metrics.Sample{{Name: heapObjects}}
	metrics.Read(sample)
	used := sample[0].Value.Uint64()
	if used <= g.limit {
		return g.limit - used
	}
	g.mu.Lock()
	if g.reason == nil {
		g.places = true
	}
	g.mu.Unlock()
	g.end(fault.WithHint(fault.ScriptException,
		fmt.Errorf("stopped before the memory ran out: the script holds %d MiB, the limit on this machine is %d MiB", used>>20, g.limit>>20),
		"fewer VUs, smaller data (SharedArray), discardResponseBodies, or a loop that ends"))
	return 0
}

// saw remembers where the script was when err interrupted it.
func (g *guard) saw(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.place == "" { // one is enough, and a stack is not free
		g.place = js.Place(err)
	}
}

// where is a place that saw remembers, behind a line break, or "".
func (g *guard) where() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.place == "" {
		return ""
	}
	return "\n" + g.place
}

// located adds the place to why.
func (g *guard) located(why error) error {
	where := g.where()
	if where == "" {
		return why
	}
	return fault.WithHint(fault.KindOf(why), errors.New(why.Error()+where), fault.HintOf(why))
}

// outcome is what a phase under ctx ended with: the reason to end the run before the error that it led to.
func (g *guard) outcome(ctx context.Context, err error) error {
	if why := g.why(); why != nil {
		if g.places {
			return g.located(why)
		}
		return why
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}
