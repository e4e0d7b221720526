package executor

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/segment"
)

// The phases of a run, as progress shows them.
const (
	waiting int32 = iota
	running
	stopping    // no iteration begins any more
	done        // all that began has ended
	interrupted // the whole run was cut short
)

// endless is the total of a scenario whose iterations are not numbered.
const endless = math.MaxInt64

// base is what all executors have in common.
type base struct {
	scenario *plan.Scenario
	tuple    *segment.Tuple // numbers the iterations, see deal
	shared   bool           // not all of them are ours
	first    int64          // number of the first iteration in this life of the share
	total    int64          // of iterations, former lives included
	gate     *gate          // nil: nothing is held back
	env      Env
	log      *slog.Logger
	from     Start
	most     int64           // VUs that there may be
	yielded  context.Context // ended by Yield
	yield    context.CancelFunc
	allowed  chan struct{} // closed by the first Allow
	allowing sync.Once
	ledger   ledger

	phase   atomic.Int32
	start   atomic.Pointer[time.Time]
	ended   atomic.Int64 // nanoseconds after start, once Run has returned
	active  atomic.Int64 // VUs that are active
	dropped atomic.Int64
	failed  atomic.Pointer[error]
	left    atomic.Bool // Run is not waited for any more

	_     [64]byte     // every VU writes to begun, and reads what stands above: keep them on cache lines of their own
	begun atomic.Int64 // the next iteration's number
}

func newBase(s *plan.Scenario, tuple *segment.Tuple, from Start, env Env, log *slog.Logger) *base {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	b := &base{
		scenario: s, tuple: tuple, total: endless, from: from, env: env, allowed: make(chan struct{}),
		shared: !tuple.IsWhole(), log: log.With("executor", s.Executor, "scenario", s.Name),
	}
	b.yielded, b.yield = context.WithCancel(context.Background())
	b.startAt(from.Used)
	return b
}

// deal has iterations numbered by tuple from here on.
func (b *base) deal(tuple *segment.Tuple) { b.tuple, b.shared = tuple, !tuple.IsWhole() }

// startAt makes n the number of the first iteration.
func (b *base) startAt(n int64) {
	b.first = n
	b.begun.Store(n)
}

// bound says that the scenario has total iterations, former lives included. Those that a former life may have begun before it
// are not begun again.
func (b *base) bound(total int64) {
	b.total = total
	b.startAt(min(b.first, total))
	if b.from.Guarded {
		b.gate = newGate(&b.begun, total, b.env.Urgent)
	}
}

func (b *base) begin() time.Time {
	at := b.from.At
	if at.IsZero() {
		at = time.Now()
	}
	b.start.Store(&at)
	b.phase.Store(running)
	return at
}

// nothing reports, once Run has begun, that no iteration is to begin: the schedule of that length was over when the run was
// told to begin, or the scenario has yielded.
func (b *base) nothing(regular time.Duration) bool {
	return b.from.Skip > 0 && b.from.Skip >= regular || b.hasYielded()
}

// admitted waits, where numbers must be known to a second host, until the first are; from then on what is reserved of a scenario without
// an end lasts. False when the run ends before.
func (b *base) admitted(ctx context.Context) bool {
	if !b.from.Guarded || b.gate != nil {
		return true
	}
	select {
	case <-b.allowed:
		return true
	case <-b.yielded.Done():
	case <-ctx.Done():
	}
	return false
}

// Yield implements Executor.
func (b *base) Yield() { b.yield() }

func (b *base) hasYielded() bool { return b.yielded.Err() != nil }

// untilYield returns a context that ends with ctx, and as soon as no VU is needed any more because the scenario has yielded.
func (b *base) untilYield(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(b.yielded, cancel)
	return ctx, func() { unhook(); cancel() }
}

// end closes a run: it must have the ctx that Run was given, to tell an end from an interruption.
func (b *base) end(ctx context.Context) error {
	b.ended.Store(int64(max(1, b.elapsed())))
	if ctx.Err() != nil {
		b.phase.Store(interrupted)
	} else {
		b.phase.Store(done)
	}
	if err := b.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// over reports whether no iteration begins any more and none is under way, but for those that are left behind.
func (b *base) over() bool {
	phase := b.phase.Load()
	return phase >= done || phase == waiting && b.hasYielded() || b.left.Load()
}

// Leave implements Executor.
func (b *base) Leave() {
	b.Yield()
	b.left.Store(true)
}

// Started implements Executor.
func (b *base) Started() time.Time {
	if t := b.start.Load(); t != nil {
		return *t
	}
	return time.Time{}
}

// elapsed is how long the run has taken so far.
func (b *base) elapsed() time.Duration {
	if d := b.ended.Load(); d > 0 {
		return time.Duration(d)
	}
	if t := b.start.Load(); t != nil {
		return time.Since(*t)
	}
	return 0
}

// share returns how much of whole has elapsed.
func (b *base) share(whole time.Duration) float64 {
	if whole <= 0 || b.elapsed() >= whole {
		return 1
	}
	return float64(b.elapsed()) / float64(whole)
}

// next gives out the number of the next iteration.
func (b *base) next() int64 { return b.begun.Add(1) - 1 }

// numbered is the iteration of a number that was given out. It is small enough to be inlined, so that the result, which does not
// fit into registers, is built where it is used: copying it costs more than all the rest (BenchmarkLoop).
func (b *base) numbered(n int64) Iteration {
	inTest := n
	if b.shared {
		inTest = b.inTest(n)
	}
	return Iteration{InInstance: n - b.first, InTest: inTest}
}

//go:noinline
func (b *base) inTest(n int64) int64 { return b.tuple.Global(n) }

// take is next for a scenario that has an end; false when there is nothing left, or nothing begins any more.
func (b *base) take() (int64, bool) {
	if b.gate != nil {
		return b.gate.take()
	}
	n := b.next()
	return n, n < b.total
}

// Count implements Executor.
func (b *base) Count() metric.ScenarioCount {
	n := min(b.begun.Load(), b.total) - b.first
	return metric.ScenarioCount{Name: b.scenario.Name, Begun: n, Due: n, Dropped: b.dropped.Load()}
}

// drop tells of n iterations that were due and will never begin.
func (b *base) drop(n int64) {
	b.dropped.Add(n)
	b.env.Dropped(n, b.scenario)
}

// fail keeps the first error; one that only says that the run is over is none.
func (b *base) fail(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		b.failed.CompareAndSwap(nil, &err)
	}
}

// enter activates a VU; leave ends that. They are not one function around the work, because virtual users wait by the thousand
// under whatever stands there.
func (b *base) enter(ctx context.Context, vu VU) bool {
	if err := vu.Activate(ctx, b.scenario); err != nil {
		b.fail(ctx, err)
		return false
	}
	b.activate(1)
	return true
}

func (b *base) leave(vu VU) {
	b.activate(-1)
	vu.Deactivate()
}

func (b *base) activate(delta int64) {
	b.active.Add(delta)
	b.env.VUActive(delta)
}

func (b *base) progress(share float64, right ...run.Column) run.Progress {
	phase := b.phase.Load()
	return run.Progress{
		Scenario: b.scenario.Name, Executor: b.scenario.Executor,
		State: [...]string{"•", " ", "↓", "✓", "✗"}[phase],
		Done:  share, Started: phase >= running, Ended: phase >= done,
		Right: right,
	}
}
