package fence

import (
	"slices"
	"time"
)

const (
	// Lease is how long an acknowledged beat lets a node go on.
	Lease = 3 * time.Second
	// Margin is what a node may need to stop once its lease has ended.
	Margin = 500 * time.Millisecond
	// Silence is for how long a voter must not have heard a node for that to count: see Gone.
	Silence = Lease + Margin
	// Every is how often a node sends a beat.
	Every = time.Second
)

// Holder is a node's own account of its lease. It is not safe for concurrent use.
type Holder struct {
	voters  []string
	acked   map[string]time.Time
	granted time.Time // until when those who voted before had given the lease
}

// Electorate tells who votes now. What they acknowledged before counts on, and a lease that others gave before them is not cut short:
// a new voter has not been heard of yet.
func (h *Holder) Electorate(voters []string) {
	if slices.Equal(voters, h.voters) {
		return
	}
	h.granted = h.Until()
	h.voters = slices.Clone(voters)
}

// Acknowledged notes that voter acknowledged a beat, or refused the connection, sent at the instant sent.
func (h *Holder) Acknowledged(voter string, sent time.Time) {
	if h.acked == nil {
		h.acked = map[string]time.Time{}
	}
	if sent.After(h.acked[voter]) {
		h.acked[voter] = sent
	}
}

// Until is when the lease ends; the zero time while no majority has ever acknowledged.
func (h *Holder) Until() time.Time {
	if until := h.given(); until.After(h.granted) {
		return until
	}
	return h.granted
}

// given is until when those who vote now give the lease.
func (h *Holder) given() time.Time {
	if len(h.voters) == 0 {
		return time.Time{}
	}
	times := make([]time.Time, 0, len(h.voters))
	for _, v := range h.voters {
		times = append(times, h.acked[v])
	}
	slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	last := times[len(times)/2] // the majority's oldest
	if last.IsZero() {
		return last
	}
	return last.Add(Lease)
}

// Witness is a voter's account of whom it heard. It is not safe for concurrent use.
type Witness struct {
	started time.Time
	heard   map[string]time.Time
}

// NewWitness returns the account of a voter that started at now.
func NewWitness(now time.Time) *Witness {
	return &Witness{started: now, heard: map[string]time.Time{}}
}

// Heard notes a beat of node that arrived at now.
func (w *Witness) Heard(node string, now time.Time) { w.heard[node] = now }

// Forget drops a node that left the grid.
func (w *Witness) Forget(node string) { delete(w.heard, node) }

// Silence is for how long node has not been heard at now; of a node never heard, since the voter started.
func (w *Witness) Silence(node string, now time.Time) time.Duration {
	last := w.started
	if t, ok := w.heard[node]; ok {
		last = t
	}
	return now.Sub(last)
}

// Silent are those of nodes that have not been heard for longer than that, and for how long. With Silence it is what a voter tells
// the leader: of whom it says nothing it has nothing to say against.
func (w *Witness) Silent(nodes []string, longer time.Duration, now time.Time) map[string]time.Duration {
	out := map[string]time.Duration{}
	for _, n := range nodes {
		if s := w.Silence(n, now); s > longer {
			out[n] = s
		}
	}
	return out
}

// Gone reports whether a majority of the voters has not heard node for so long that it has stopped. Told is what each voter says
// of its silences; a voter that said nothing, or nothing about node, counts for node.
func Gone(node string, voters []string, told map[string]map[string]time.Duration) bool {
	against := 0
	for _, v := range voters {
		if s, ok := told[v][node]; ok && s > Silence {
			against++
		}
	}
	return 2*against > len(voters)
}
