package executor

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"throng/internal/plan"
	"throng/internal/segment"
)

// lab is an Env whose VUs run a Go function in the fake time of a synctest bubble.
type lab struct {
	iterate func(vu *labVU, it Iteration)
	initial time.Duration // how long it takes to make an unplanned VU
	free    chan *labVU
	urgent  chan struct{} // what Urgent writes to; nil: nobody listens

	mu        sync.Mutex
	made      int
	activated int // how often VUs were activated
	active    int64
	dropped   int64
	begun     []begun
	completed int
	cut       int
}

type begun struct {
	vu int
	at time.Duration
	it Iteration
}

type labVU struct {
	lab   *lab
	id    int
	ctx   context.Context
	start time.Time
}

func newLab(vus int, iterate func(*labVU, Iteration)) *lab {
	l := &lab{iterate: iterate, free: make(chan *labVU, 10_000), made: vus}
	for i := range vus {
		l.free <- &labVU{lab: l, id: i + 1, start: time.Now()}
	}
	return l
}

func (l *lab) GetPlanned(ctx context.Context) (VU, error) {
	select {
	case vu := <-l.free:
		return vu, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *lab) InitUnplanned(ctx context.Context) (VU, error) {
	select {
	case <-time.After(l.initial):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	return &labVU{lab: l, id: l.made, start: time.Now()}, nil
}

func (l *lab) Return(vu VU) { l.free <- vu.(*labVU) }

func (l *lab) Dropped(n int64, _ *plan.Scenario) {
	l.mu.Lock()
	l.dropped += n
	l.mu.Unlock()
}

func (l *lab) VUActive(d int64) {
	l.mu.Lock()
	l.active += d
	l.mu.Unlock()
}

func (l *lab) Urgent() {
	select {
	case l.urgent <- struct{}{}:
	default:
	}
}

func (v *labVU) Activate(ctx context.Context, _ *plan.Scenario) error {
	v.ctx = ctx
	v.lab.mu.Lock()
	v.lab.activated++
	v.lab.mu.Unlock()
	return nil
}

func (v *labVU) Deactivate() { v.ctx = nil }

func (v *labVU) Iterate(it Iteration) bool {
	l := v.lab
	l.mu.Lock()
	l.begun = append(l.begun, begun{v.id, time.Since(epoch()), it})
	l.mu.Unlock()
	l.iterate(v, it)
	l.mu.Lock()
	defer l.mu.Unlock()
	if v.ctx.Err() != nil {
		l.cut++
		return false
	}
	l.completed++
	return true
}

// epoch is when every synctest bubble begins.
func epoch() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

func (v *labVU) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-v.ctx.Done():
	}
}

// sleeps is an iteration that takes d.
func sleeps(d time.Duration) func(*labVU, Iteration) {
	return func(v *labVU, _ Iteration) { v.sleep(d) }
}

func (l *lab) starts() (at []time.Duration) {
	for _, b := range l.begun {
		at = append(at, b.at)
	}
	slices.Sort(at)
	return at
}

func mustNew(t testing.TB, s plan.Scenario, tu *segment.Tuple, env Env) Executor {
	t.Helper()
	e, err := New(&s, tu, Start{}, env, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mustTuple(t testing.TB, seg, seq string) *segment.Tuple {
	t.Helper()
	s, err := segment.Parse(seg)
	if err != nil {
		t.Fatal(err)
	}
	q, err := segment.ParseSequence(seq)
	if err != nil {
		t.Fatal(err)
	}
	tu, err := segment.NewTuple(s, q)
	if err != nil {
		t.Fatal(err)
	}
	return tu
}

// checkQuiet fails unless every VU came back and nothing is active.
func (l *lab) checkQuiet(t *testing.T) {
	t.Helper()
	if l.active != 0 || len(l.free) != l.made {
		t.Errorf("%d active, %d of %d VUs came back", l.active, len(l.free), l.made)
	}
	if len(l.begun) != l.completed+l.cut {
		t.Errorf("%d began, %d completed, %d cut", len(l.begun), l.completed, l.cut)
	}
	seen := map[int64]bool{}
	for _, b := range l.begun {
		if seen[b.it.InInstance] {
			t.Errorf("iteration %d began twice", b.it.InInstance)
		}
		seen[b.it.InInstance] = true
	}
}
