package tally

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"throng/internal/metric"
)

// Tally keeps the newest snapshot of every runner. It is safe for concurrent use.
//
// A runner's id names one life of it: a runner that starts again, and so counts from zero, comes with a new id, and what
// its former life had measured stays in the total.
type Tally struct {
	mu    sync.Mutex
	parts map[string]*part
	lives map[string]Life
	names metric.Names

	adding sync.Mutex // guards fold, and is never taken while mu is held
	fold   fold
}

// part is what is known of one runner: its newest snapshot, in one form or the other.
type part struct {
	heard   bool
	at      time.Time
	snap    metric.Snapshot
	encoded *metric.Encoded
}

func (p *part) seq() uint64 {
	if p.encoded != nil {
		return p.encoded.Seq
	}
	return p.snap.Seq
}

// New returns a Tally that expects nobody.
func New() *Tally { return &Tally{parts: map[string]*part{}} }

// Expect adds runners that must report from since on; those already known stay as they are.
func (t *Tally) Expect(since time.Time, runners ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range runners {
		if t.parts[id] == nil {
			t.parts[id] = &part{at: since}
		}
	}
}

// Add takes a snapshot that arrived at now and reports whether it was news. An older one, or the same again, changes
// nothing but the time at which the runner was last heard. The snapshot must not be changed afterwards.
func (t *Tally) Add(runner string, snap metric.Snapshot, now time.Time) bool {
	return t.put(runner, snap.Seq, now, func(p *part) { p.snap, p.encoded = snap, nil })
}

// AddEncoded is Add for an encoded snapshot, which must not be changed afterwards either. It costs less: adding snapshots up
// does not decode them. Data that is no snapshot is an error, and changes nothing.
func (t *Tally) AddEncoded(runner string, data []byte, now time.Time) (news bool, err error) {
	t.mu.Lock()
	var last *metric.Encoded
	if p := t.parts[runner]; p != nil {
		last = p.encoded
	}
	t.mu.Unlock()
	e, err := t.names.Read(data, last)
	if err != nil {
		return false, fmt.Errorf("read the snapshot of %s: %w", runner, err)
	}
	return t.put(runner, e.Seq, now, func(p *part) { p.snap, p.encoded = metric.Snapshot{}, e }), nil
}

// put lets set change the runner's part, unless it knows a newer one.
func (t *Tally) put(runner string, seq uint64, now time.Time, set func(*part)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.parts[runner]
	if p == nil {
		p = &part{}
		t.parts[runner] = p
	}
	if now.After(p.at) {
		p.at = now
	}
	if p.heard && seq <= p.seq() {
		return false
	}
	p.heard = true
	set(p)
	return true
}

// Missing returns, in order, the ids of the runners that have not been heard for longer than patience.
func (t *Tally) Missing(now time.Time, patience time.Duration) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for id, p := range t.parts {
		if now.Sub(p.at) > patience {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Silent returns, in order, the ids of the runners that were expected and have never reported.
func (t *Tally) Silent() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for id, p := range t.parts {
		if !p.heard {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Snapshots returns every runner's newest snapshot by id: what a new leader needs to go on.
func (t *Tally) Snapshots() map[string]metric.Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]metric.Snapshot, len(t.parts))
	for id, p := range t.parts {
		switch {
		case p.encoded != nil:
			out[id] = p.encoded.Snapshot()
		case p.heard:
			out[id] = p.snap
		}
	}
	return out
}

// Encoded returns the newest snapshot of every runner whose last came encoded, by id, as it came: to be passed on.
func (t *Tally) Encoded() map[string]*metric.Encoded {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]*metric.Encoded, len(t.parts))
	for id, p := range t.parts {
		if p.encoded != nil {
			out[id] = p.encoded
		}
	}
	return out
}

// heard is how many runners have reported.
func (t *Tally) heard() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.parts {
		if p.heard {
			n++
		}
	}
	return n
}

// Total adds up the newest snapshot of every runner; its Seq is the sum of theirs, so it grows with every Add that was
// news.
func (t *Tally) Total() metric.Snapshot {
	if encoded := t.Encoded(); len(encoded) > 0 && len(encoded) == t.heard() {
		t.adding.Lock()
		defer t.adding.Unlock()
		out := t.fold.total(encoded)
		t.fleet(&out)
		return out
	}
	snaps := t.Snapshots()
	parts := make([]metric.Snapshot, 0, len(snaps))
	for _, id := range slices.Sorted(maps.Keys(snaps)) { // floats do not add up the same in every order
		parts = append(parts, snaps[id])
	}
	out := Merge(parts)
	t.fleet(&out)
	return out
}
