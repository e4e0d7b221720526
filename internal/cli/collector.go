package cli

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// The garbage collector is given room by what it costs, not by a share of the heap. A cycle costs in proportion to what
// is alive, so a small heap with much garbage (few VUs, many requests) does best with several times its size, and a large
// one with little garbage (many VUs that mostly wait) needs next to nothing. See docs/decisions/0006-memory.md.
const (
	gcShare     = 0.03    // of one processor's time for the collector
	gcSpeed     = 1 << 30 // bytes that it marks in a second, measured on the reference machine
	leastRoom   = 2 << 20
	mostRoom    = 96 << 20
	beforeRun   = 25 // percent, while the virtual users are made: nothing is garbage yet
	collectTick = 250 * time.Millisecond
	quietTick   = 2 * time.Second // while next to no garbage is made: a host may hold thousands of runners that wait
	quietRate   = 64 << 10        // bytes a second
)

// nodePercent is a node's GOGC. What a leader keeps of each of a thousand workers is alive for as long as the run lasts, and what it makes
// each second is little beside that: it collects twice as often as is Go's default. See docs/decisions/0019-what-a-leader-keeps.md.
const nodePercent = 50

// leanCollector sets a node's pace. A user who has set GOGC is left in peace.
func (g *global) leanCollector() {
	if _, set := g.Lookup("GOGC"); !set {
		debug.SetGCPercent(nodePercent)
	}
}

// gcPercent is the GOGC that spends gcShare on the collector, when live bytes are alive and garbage bytes a second are
// made. It is at least 10 and at most 3000.
func gcPercent(live, garbage float64) int {
	room := live / gcSpeed * garbage / gcShare
	room = min(max(room, leastRoom), mostRoom)
	return int(min(max(100*room/max(live, 1), 10), 3000))
}

// paceOf is how often to look when rate bytes of garbage are made in a second.
func paceOf(rate float64) time.Duration {
	if rate < quietRate {
		return quietTick
	}
	return collectTick
}

// tuneCollector sets the collector's pace until stop is called. A user who has set GOGC is left in peace.
func (g *global) tuneCollector() (stop func()) {
	if _, set := g.Lookup("GOGC"); set {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var tuner sync.WaitGroup
	tuner.Go(func() { tuneUntil(ctx) })
	return func() {
		cancel()
		tuner.Wait()
	}
}

func tuneUntil(ctx context.Context) {
	percent := beforeRun
	defer debug.SetGCPercent(debug.SetGCPercent(percent))
	every := collectTick
	tick := time.NewTicker(every)
	defer tick.Stop()
	read := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(read)
	last, at := read[1].Value.Uint64(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			metrics.Read(read)
			made := read[1].Value.Uint64()
			rate := float64(made-last) / now.Sub(at).Seconds()
			last, at = made, now
			if pace := paceOf(rate); pace != every {
				every = pace
				tick.Reset(every)
			}
			// Changing it stops the world for a moment, so not for a trifle.
			if p := gcPercent(float64(read[0].Value.Uint64()), rate); p > percent*5/4 || p < percent*3/4 {
				debug.SetGCPercent(p)
				percent = p
			}
		}
	}
}
