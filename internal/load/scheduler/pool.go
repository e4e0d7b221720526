package scheduler

import (
	"context"
	"slices"
	"sync"
	"time"

	"throng/internal/load/executor"
	"throng/internal/load/vu"
	"throng/internal/plan"
)

// member is a virtual user that counts its iterations.
type member struct {
	*vu.VU
	s  *Scheduler
	id int64
}

// Iterate runs one iteration and counts it.
func (m *member) Iterate(it executor.Iteration) bool {
	ok := m.VU.Iterate(it)
	if ok {
		m.s.loads.iterations.Add(1)
	} else {
		m.s.loads.interrupted.Add(1)
		m.s.guard.saw(m.VU.CutWith())
	}
	return ok
}

// Activate binds the virtual user to a scenario.
func (m *member) Activate(ctx context.Context, sc *plan.Scenario) error {
	m.s.pool.enter(m)
	err := m.VU.Activate(ctx, sc)
	if err != nil {
		m.s.pool.leave(m)
	}
	return err
}

// Deactivate releases it.
func (m *member) Deactivate() {
	m.s.pool.leave(m)
	m.VU.Deactivate()
}

// pool keeps the virtual users that no executor has; who waited longest goes out first, as in k6.
type pool struct {
	mu   sync.Mutex
	free []*member
	ids  int64
	wake chan struct{} // holds a token while a waiter should look again

	activity sync.Mutex // guards what follows
	active   map[*member]struct{}
}

func newPool() *pool { return &pool{wake: make(chan struct{}, 1), active: map[*member]struct{}{}} }

func (p *pool) enter(m *member) {
	p.activity.Lock()
	defer p.activity.Unlock()
	p.active[m] = struct{}{}
}

func (p *pool) leave(m *member) {
	p.activity.Lock()
	defer p.activity.Unlock()
	delete(p.active, m)
}

// interrupt ends what the scripts of all active virtual users do; the context that they run in has ended.
func (p *pool) interrupt() {
	p.activity.Lock()
	defer p.activity.Unlock()
	for m := range p.active {
		m.Interrupt()
	}
}

func (p *pool) nextID() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids++
	return p.ids
}

func (p *pool) put(m *member) {
	p.mu.Lock()
	p.free = append(p.free, m)
	p.mu.Unlock()
	p.nudge()
}

// sort puts the virtual users into the order of their numbers, whichever was ready first.
func (p *pool) sort() {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.SortFunc(p.free, func(a, b *member) int { return int(a.id - b.id) })
}

func (p *pool) nudge() {
	select {
	case p.wake <- struct{}{}:
	default: // somebody will look anyway
	}
}

// get returns a free virtual user, waiting for one until ctx ends.
func (p *pool) get(ctx context.Context) (*member, error) {
	for {
		p.mu.Lock()
		if n := len(p.free); n > 0 {
			m := p.free[0]
			p.free = p.free[1:]
			p.mu.Unlock()
			if n > 1 {
				p.nudge()
			}
			return m, nil
		}
		p.mu.Unlock()
		select {
		case <-p.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *pool) drain() []*member {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.free
	p.free = nil
	return all
}

// env is what an executor may ask of its run.
type env struct{ s *Scheduler }

// GetPlanned returns one of the virtual users made before the start.
func (e *env) GetPlanned(ctx context.Context) (executor.VU, error) {
	m, err := e.s.pool.get(ctx)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// InitUnplanned makes one more.
func (e *env) InitUnplanned(ctx context.Context) (executor.VU, error) {
	m, err := e.s.newVU(ctx)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Return gives a virtual user back.
func (e *env) Return(v executor.VU) {
	if m, ok := v.(*member); ok {
		e.s.pool.put(m)
	}
}

// Dropped counts iterations that were due and that no virtual user was free for.
func (e *env) Dropped(n int64, sc *plan.Scenario) {
	if n <= 0 {
		return
	}
	e.s.loads.dropped.Add(n)
	t := e.s.test
	tags := t.RunTags // as in k6, without the scenario's own: no virtual user had them
	if t.SystemTags.Scenario {
		tags = tags.With("scenario", sc.Name)
	}
	t.Meter.Add(0, t.Meter.Series(t.Builtin.DroppedIterations, tags), float64(n), time.Now(), nil)
}

// VUActive changes how many virtual users are at work.
func (e *env) VUActive(delta int64) { e.s.loads.vus.Add(delta) }

// Urgent asks for a snapshot before its time.
func (e *env) Urgent() { e.s.askForSnapshot() }
