package executor

import (
	"sync"
	"time"
)

const (
	// spare is how many numbers a scenario without an end reserves at least: skipping some costs nothing.
	spare = 10_000
	// foresight is for how long it reserves: for longer than a host can go on that nobody hears.
	foresight = 10 * time.Second
	// fastest is what a VU is believed to begin in a second until it was seen what it does.
	fastest = 10_000
	// glance is the shortest time in which that can be seen.
	glance = 200 * time.Millisecond
)

// ledger foresees which iteration numbers may be used before the next look.
type ledger struct {
	mu       sync.Mutex
	at       time.Time // of the last look
	begun    int64     // then
	rate     float64   // iterations that began per second between the last two looks
	speed    float64   // the most of them for each active VU, ever; 0: not seen yet
	block    int64     // how many numbers a scenario with an end has reserved at a time
	reserved int64     // numbers below this
}

// Reserve implements Executor.
func (b *base) Reserve(now time.Time) int64 {
	if b.over() {
		return min(b.begun.Load(), b.total)
	}
	l := &b.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	begun := min(b.begun.Load(), b.total)
	l.look(now, begun, b.active.Load())
	if b.gate == nil {
		return l.reserve(begun, min(b.total-begun, l.free(b.most)))
	}
	n := l.reserve(begun, min(b.total-begun, l.held(b.most, b.gate.wasBlocked())))
	b.gate.watch(begun, n)
	return n
}

// Allow implements Executor.
func (b *base) Allow(n int64) {
	b.allowing.Do(func() { close(b.allowed) })
	if b.gate != nil {
		b.gate.allow(n)
	}
}

// look notes how fast iterations begin.
func (l *ledger) look(now time.Time, begun, active int64) {
	since := now.Sub(l.at)
	if !l.at.IsZero() && since < glance {
		return
	}
	if !l.at.IsZero() {
		l.rate = float64(begun-l.begun) / since.Seconds()
		l.speed = max(l.speed, l.rate/float64(max(1, active)))
	}
	l.at, l.begun = now, begun
}

// free is how many numbers a scenario of at most that many VUs may use, if they become twice as fast as they ever were.
func (l *ledger) free(vus int64) int64 {
	speed := 2 * l.speed
	if speed == 0 {
		speed = fastest
	}
	return max(spare, int64(speed*float64(vus)*foresight.Seconds()))
}

// held is how many numbers a scenario reserves whose iterations have an end, so that those which are reserved and never begin are
// few: what it begins in a second, one for each VU at least, and twice as many as long as that makes somebody wait.
func (l *ledger) held(vus int64, blocked bool) int64 {
	if blocked {
		l.block *= 2
	}
	l.block = max(vus, int64(l.rate), l.block-l.block/64)
	return l.block
}

// reserve raises what is reserved to n numbers from begun on; it never falls.
func (l *ledger) reserve(begun, n int64) int64 {
	l.reserved = max(l.reserved, begun+n)
	return l.reserved
}
