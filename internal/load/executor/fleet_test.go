package executor

import (
	"cmp"
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/segment"
)

// fleet plays the shares of one scenario, each in a life of its own. It does what a grid does: it keeps the newest snapshot of every
// life on a second host, cuts the share of one that has died, and gives the parts to new lives.
type fleet struct {
	t     *testing.T
	r     *rand.Rand
	s     plan.Scenario
	zero  time.Time
	takes time.Duration // of an iteration
	delay time.Duration // until a snapshot is on the second host, and until that is known again
	lives []*life
}

// life is one life of one share.
type life struct {
	share segment.Share
	tuple *segment.Tuple
	from  Start
	lab   *lab
	e     Executor
	end   context.CancelFunc
	died  time.Time // zero: it ended by itself, or yielded
	over  chan struct{}
	kept  chan struct{} // closed when no snapshot is taken any more

	mu   sync.Mutex
	held int64 // what the newest snapshot on the second host reserves; at first what is inherited
}

func newFleet(t *testing.T, r *rand.Rand, s plan.Scenario, takes time.Duration) *fleet {
	return &fleet{t: t, r: r, s: s, zero: time.Now(), takes: takes, delay: time.Duration(1+r.IntN(50)) * ms}
}

// start begins a life of a share now; nil when there is nothing in it to do.
func (f *fleet) start(share segment.Share, used int64, exact bool) *life {
	f.t.Helper()
	tuple, err := share.Tuple()
	if err != nil {
		f.t.Fatal(err)
	}
	if !HasWork(&f.s, tuple) {
		return nil
	}
	l := &life{share: share, tuple: tuple, held: used, over: make(chan struct{}), kept: make(chan struct{})}
	l.from = Start{At: f.zero, Skip: time.Since(f.zero), Used: used, Exact: exact, Guarded: true}
	planned, _, _ := Requirements([]plan.Scenario{f.s}, tuple)
	l.lab = newLab(int(planned), sleeps(f.takes))
	l.lab.urgent = make(chan struct{}, 1)
	if l.e, err = New(&f.s, tuple, l.from, l.lab, nil); err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	l.end = cancel
	f.lives = append(f.lives, l)
	l.lab.Urgent()
	go f.keep(l)
	go func() {
		defer close(l.over)
		if err := l.e.Run(ctx); err != nil {
			f.t.Error(err)
		}
	}()
	return l
}

// keep takes snapshots of a life, every second and when one is wanted.
func (f *fleet) keep(l *life) {
	defer close(l.kept)
	tick := time.NewTicker(sec)
	defer tick.Stop()
	for {
		select {
		case <-l.over:
			return
		case <-tick.C:
		case <-l.lab.urgent:
		}
		reserved := l.e.Reserve(time.Now())
		time.Sleep(f.delay)
		l.mu.Lock()
		dead := !l.died.IsZero()
		if !dead {
			if reserved < l.held {
				f.t.Errorf("%d are reserved after %d", reserved, l.held)
			}
			l.held = reserved
		}
		l.mu.Unlock()
		if dead {
			return
		}
		time.Sleep(f.delay)
		l.e.Allow(reserved)
	}
}

// kill ends a life as a crash does.
func (f *fleet) kill(l *life) {
	l.mu.Lock()
	l.died = time.Now()
	l.mu.Unlock()
	l.end()
	<-l.over
}

// yield ends a life as a clean stop does, and returns what it used.
func (f *fleet) yield(l *life) int64 {
	l.e.Yield()
	<-l.over
	return l.e.Reserve(time.Now())
}

func (f *fleet) divide(share segment.Share, weights []int64) []segment.Share {
	texts, err := segment.Divide(share.String(), weights)
	out := make([]segment.Share, len(texts))
	for i, text := range texts {
		err = cmp.Or(err, out[i].UnmarshalText([]byte(text)))
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

// inherit cuts a life's share among as many takers as there are weights and begins their lives.
func (f *fleet) inherit(l *life, used int64, exact bool, weights []int64) {
	for _, share := range f.divide(l.share, weights) {
		part, err := run.Inherited([]plan.Scenario{f.s}, l.tuple, share[len(share)-1], map[string]int64{f.s.Name: used})
		if err != nil {
			f.t.Fatal(err)
		}
		f.start(share, part[f.s.Name], exact)
	}
}

func (f *fleet) weights(most int) []int64 {
	weights := make([]int64, 1+f.r.IntN(most))
	for i := range weights {
		weights[i] = 1 + f.r.Int64N(4)
	}
	return weights
}

// running returns one life that goes on, or nil.
func (f *fleet) running() *life {
	for _, i := range f.r.Perm(len(f.lives)) {
		select {
		case <-f.lives[i].over:
		default:
			return f.lives[i]
		}
	}
	return nil
}

// wait waits for all lives to end.
func (f *fleet) wait() {
	for _, l := range f.lives {
		<-l.over
		<-l.kept
		l.end()
		l.lab.checkQuiet(f.t)
	}
}

// numbers returns who began each number, and fails if two did.
func (f *fleet) numbers() map[int64]begun {
	f.t.Helper()
	all := map[int64]begun{}
	for _, l := range f.lives {
		for _, b := range l.lab.begun {
			if _, twice := all[b.it.InTest]; twice {
				f.t.Errorf("%s: iteration %d was begun twice", f.s.Executor, b.it.InTest)
			}
			all[b.it.InTest] = b
		}
	}
	return all
}

func (f *fleet) dropped() (n int64) {
	for _, l := range f.lives {
		n += l.lab.dropped
	}
	return n
}

// shuffled is a scenario of a kind that takes about ten seconds, with numbers of its own.
func shuffled(r *rand.Rand, executor string) plan.Scenario {
	s := plan.Scenario{Name: "s", Executor: executor, GracefulStop: sec, GracefulRampDown: 300 * ms, TimeUnit: sec}
	s.VUs, s.MaxVUs, s.PreAllocatedVUs = 1+r.Int64N(12), 200, 200
	s.Duration, s.MaxDuration = 10*sec, time.Duration(8+r.IntN(300))*sec
	switch executor {
	case plan.SharedIterations:
		s.Iterations = s.VUs * (1 + r.Int64N(80))
	case plan.PerVUIterations:
		s.Iterations = 1 + r.Int64N(80)
	case plan.ConstantArrivalRate:
		s.Rate = 1 + r.Int64N(60)
	case plan.RampingArrivalRate, plan.RampingVUs:
		s.StartRate = r.Int64N(40)
		s.StartVUs = r.Int64N(10)
		for range 1 + r.IntN(4) {
			s.Stages = append(s.Stages, plan.Stage{Duration: time.Duration(1+r.IntN(5000)) * ms, Target: r.Int64N(30)})
		}
	case plan.ExternallyControlled:
		s.VUs, s.MaxVUs = 1+r.Int64N(8), 8+r.Int64N(4)
	}
	return s
}

// played is a fleet that has lost some of its members: by crashes, or, if clean, by yielding.
func played(t *testing.T, seed uint64, executor string, clean bool) (f *fleet) {
	r := rand.New(rand.NewPCG(seed, 1))
	s := shuffled(r, executor)
	f = newFleet(t, r, s, time.Duration(20+r.IntN(100))*ms+1)
	for _, share := range f.divide(nil, f.weights(4)) {
		f.start(share, 0, false)
	}
	for range 1 + r.IntN(3) {
		time.Sleep(time.Duration(r.IntN(4000))*ms + 7)
		l := f.running()
		if l == nil {
			break
		}
		if clean {
			used := f.yield(l)
			f.inherit(l, used, true, f.weights(3))
			continue
		}
		f.kill(l)
		time.Sleep(time.Duration(1000+r.IntN(3000)) * ms)
		l.mu.Lock()
		used := l.held
		l.mu.Unlock()
		f.inherit(l, used, false, f.weights(3))
	}
	f.wait()
	return f
}

var kindsOfExecutor = []string{
	plan.SharedIterations, plan.PerVUIterations, plan.ConstantVUs, plan.RampingVUs, plan.ConstantArrivalRate, plan.RampingArrivalRate, plan.ExternallyControlled,
}

func inBubble(t *testing.T, seed uint64, executor string, clean bool, check func(*testing.T, *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := played(t, seed, executor, clean)
		check(t, f)
		if t.Failed() {
			t.Logf("seed %d: %+v", seed, f.s)
			for _, l := range f.lives {
				t.Logf("%s from %v: used %d, died %v, %d began, %d dropped, count %+v", l.share, l.from.Skip, l.from.Used, !l.died.IsZero(), len(l.lab.begun), l.lab.dropped, l.e.Count())
			}
		}
	})
}
