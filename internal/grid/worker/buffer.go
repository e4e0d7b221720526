package worker

import (
	"context"
	"sync"
	"time"

	"throng/internal/grid/beat"
	"throng/internal/metric"
)

// lines are a part's console and log lines that the leader has not got. When there are too many the newest are dropped, and
// counted: what went wrong first matters most.
type lines struct {
	mu      sync.Mutex
	first   int64 // number of the first that is kept
	kept    []beat.Line
	leftOut int64
	told    mark // number of the first that the leader has not got
}

const (
	maxLines = 2000 // kept until the leader has them
	perBeat  = 400
	maxText  = 8 << 10
)

func (l *lines) add(line beat.Line) {
	if len(line.Text) > maxText {
		line.Text = line.Text[:maxText] + "…"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kept) >= maxLines {
		l.leftOut++
		return
	}
	l.kept = append(l.kept, line)
}

// drop counts lines that did not get here.
func (l *lines) drop(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leftOut += n
}

func (l *lines) pending(whole bool) (first int64, some []beat.Line, leftOut int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !whole {
		return l.first, nil, 0
	}
	return l.first, append([]beat.Line(nil), l.kept[:min(len(l.kept), perBeat)]...), l.leftOut
}

// read drops the lines below next, and reports whether some are left.
func (l *lines) read(next int64) (more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := min(next-l.first, int64(len(l.kept))); n > 0 {
		l.kept = l.kept[n:]
		l.first += n
		l.told.reach(uint64(l.first))
	}
	return len(l.kept) > 0
}

// flush waits until the leader has the lines that there are now, or ctx ends.
func (l *lines) flush(ctx context.Context) {
	l.mu.Lock()
	all := l.first + int64(len(l.kept))
	l.mu.Unlock()
	l.told.wait(ctx, uint64(all))
}

// encoded is a part's newest snapshot as it travels, made once for all who get it.
type encoded struct {
	safe mark // the newest whose numbers every voter on another host has heard of that is there
	told mark // the newest that the leader holds

	mu       sync.Mutex // guards what follows
	seq      uint64
	data     []byte
	reserved map[string]int64
	last     *metric.Snapshot  // kept when the runner is to be killed
	known    map[string]uint64 // the newest that each voter has heard of
}

// heard notes that a voter has heard of the snapshot of number seq, and returns the number of the newest that all have heard of that
// count.
func (e *encoded) heard(seq uint64, by beat.Witness) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known == nil {
		e.known = map[string]uint64{}
	}
	e.known[by.Name] = max(e.known[by.Name], seq)
	if len(by.Others) == 0 {
		return seq
	}
	oldest := e.known[by.Others[0]]
	for _, name := range by.Others[1:] {
		oldest = min(oldest, e.known[name])
	}
	return oldest
}

type snapshotter interface{ Snapshot() metric.Snapshot }

// latest is the newest snapshot: its number, itself encoded, what it reserves.
func (e *encoded) latest(r snapshotter) (uint64, []byte, map[string]int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	snap := e.last
	if snap == nil {
		s := r.Snapshot()
		snap = &s
	}
	if snap.Seq > e.seq {
		if data, err := snap.MarshalBinary(); err == nil { // else the older one stands for it
			e.seq, e.data, e.reserved = snap.Seq, data, snap.Reserved
		}
	}
	return e.seq, e.data, e.reserved
}

// keep takes the runner's last snapshot, for when it is gone.
func (e *encoded) keep(r snapshotter) {
	s := r.Snapshot()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = &s
}

// mark is a number that only grows, and that can be waited for.
type mark struct {
	mu    sync.Mutex
	n     uint64
	moved chan struct{} // closed, and made anew, when n grows; nil while nobody waits
}

// reach moves the mark to n and reports whether it had not been there.
func (m *mark) reach(n uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n <= m.n {
		return false
	}
	m.n = n
	if m.moved != nil {
		close(m.moved)
		m.moved = nil
	}
	return true
}

// wait returns when the mark is at n or beyond, or ctx ends.
func (m *mark) wait(ctx context.Context, n uint64) {
	for {
		m.mu.Lock()
		if m.n >= n {
			m.mu.Unlock()
			return
		}
		if m.moved == nil {
			m.moved = make(chan struct{})
		}
		moved := m.moved
		m.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}

// hurry calls f soon after it was asked to, and not more often than every interval.
type hurry struct {
	mu      sync.Mutex
	pending bool
	f       func()
}

const interval = 50 * time.Millisecond

func (h *hurry) ask() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pending {
		return
	}
	h.pending = true
	time.AfterFunc(interval, func() {
		h.mu.Lock()
		h.pending = false
		h.mu.Unlock()
		h.f()
	})
}
