package js

import (
	"sync"
	"sync/atomic"

	"github.com/grafana/sobek"
)

// Loop is the event loop of one runtime: it runs what asynchronous work has left to do on the goroutine that owns the
// runtime, and ends when no such work is pending.
//
// An iteration that awaits nothing pays two loads for it: see BenchmarkLoopSynchronous.
type Loop struct {
	rt *sobek.Runtime

	// rejected holds promises that were rejected while nobody was listening. Only the runtime's goroutine touches it.
	rejected []*sobek.Promise

	busy atomic.Int32 // registered callbacks that did not run yet; read without the lock on the fast path

	mu    sync.Mutex
	round uint64 // goes up when what is registered is abandoned
	queue []func() error
	wake  chan struct{}
}

// NewLoop returns an idle loop for rt and listens for promises of rt that are rejected without a handler.
func NewLoop(rt *sobek.Runtime) *Loop {
	l := &Loop{rt: rt}
	rt.SetPromiseRejectionTracker(l.track)
	return l
}

// RegisterCallback tells the loop that asynchronous work is under way. The function it returns must be called exactly
// once, from any goroutine, with what is to run on the runtime's goroutine; until then Start does not return.
func (l *Loop) RegisterCallback() func(func() error) {
	l.mu.Lock()
	l.busy.Add(1)
	if l.wake == nil {
		l.wake = make(chan struct{}, 1)
	}
	round, wake := l.round, l.wake
	l.mu.Unlock()
	return func(f func() error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if round != l.round {
			return // its iteration is over
		}
		l.queue = append(l.queue, f)
		select {
		case wake <- struct{}{}:
		default: // it has been woken already
		}
	}
}

// Start runs fn, and then whatever was registered, in the order of completion, until nothing is left. It returns the
// first error at once; what is still registered then is abandoned (see Reset). A promise that was rejected and has no
// handler when the running piece of work ends is an *UncaughtError.
func (l *Loop) Start(fn func() error) error {
	err := l.step(fn)
	for err == nil && l.busy.Load() > 0 {
		err = l.step(l.next())
	}
	if err != nil {
		l.Reset()
	}
	return err
}

// Reset abandons what is registered: callbacks that come in later are dropped, and nothing of one iteration can run in
// the next. It does not wait for the work behind them, which has a context of its own to watch.
func (l *Loop) Reset() {
	l.rejected = nil
	if l.busy.Load() == 0 {
		return // an idle loop has nothing to abandon, and most iterations end like that
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.round++
	l.queue = nil
	l.busy.Store(0)
}

// Pending returns how many callbacks are registered and did not run.
func (l *Loop) Pending() int { return int(l.busy.Load()) }

func (l *Loop) next() func() error {
	for {
		l.mu.Lock()
		if len(l.queue) > 0 {
			f := l.queue[0]
			l.queue[0] = nil
			l.queue = l.queue[1:]
			if len(l.queue) == 0 {
				l.queue = nil // the backing array is not kept alive by an idle virtual user
			}
			l.mu.Unlock()
			l.busy.Add(-1)
			return f
		}
		l.mu.Unlock()
		<-l.wake
	}
}

func (l *Loop) step(f func() error) error {
	if f != nil {
		if err := f(); err != nil {
			return err
		}
	}
	if len(l.rejected) == 0 {
		return nil
	}
	p := l.rejected[0]
	return &UncaughtError{Reason: p.Result(), text: describeReason(l.rt, p.Result())}
}

func (l *Loop) track(p *sobek.Promise, op sobek.PromiseRejectionOperation) {
	switch op {
	case sobek.PromiseRejectionReject:
		l.rejected = append(l.rejected, p)
	case sobek.PromiseRejectionHandle:
		for i, q := range l.rejected {
			if q == p {
				l.rejected = append(l.rejected[:i], l.rejected[i+1:]...)
				return
			}
		}
	}
}

// Await runs fn in Start and, if fn returned a promise, returns what that promise was settled with: its value, or its
// reason as an error. A promise that is still pending when nothing is left to run yields undefined: as in k6, an
// iteration that waits for something that cannot happen simply ends.
//
// A rejection of the returned promise itself is an *UncaughtError too, because nothing else could have handled it.
func (l *Loop) Await(fn func() (sobek.Value, error)) (sobek.Value, error) {
	var v sobek.Value
	err := l.Start(func() (err error) {
		v, err = fn()
		return err
	})
	if err != nil {
		return nil, err
	}
	o, ok := v.(*sobek.Object)
	if !ok {
		return v, nil
	}
	p, ok := o.Export().(*sobek.Promise)
	if !ok {
		return v, nil
	}
	switch p.State() {
	case sobek.PromiseStateFulfilled:
		return p.Result(), nil
	case sobek.PromiseStateRejected:
		return nil, &UncaughtError{Reason: p.Result(), text: describeReason(l.rt, p.Result())}
	default:
		return sobek.Undefined(), nil
	}
}

// CallForResult is Await of one function call. A fault inside the engine comes back as an error of kind fault.Panic.
func (l *Loop) CallForResult(f sobek.Callable, args ...sobek.Value) (v sobek.Value, err error) {
	defer l.guard(&err)
	return l.Await(func() (sobek.Value, error) { return f(sobek.Undefined(), args...) })
}

// Call is CallForResult for one who does not want the result. A function that leaves nothing behind, as most iterations
// do, costs neither time nor stack beyond the call itself.
func (l *Loop) Call(f sobek.Callable, args ...sobek.Value) (err error) {
	defer l.guard(&err)
	v, err := f(sobek.Undefined(), args...)
	if err == nil && l.idle(v) {
		return nil
	}
	return l.finish(v, err)
}

// idle reports whether a function that has returned v has left nothing behind.
func (l *Loop) idle(v sobek.Value) bool {
	_, object := v.(*sobek.Object)
	return !object && l.busy.Load() == 0 && len(l.rejected) == 0
}

// finish keeps what it needs out of the frame of its caller, under which virtual users wait.
//
//go:noinline
func (l *Loop) finish(v sobek.Value, err error) error {
	_, err = l.Await(func() (sobek.Value, error) { return v, err })
	return err
}

func (l *Loop) guard(err *error) {
	if x := recover(); x != nil {
		l.Reset()
		*err = panicError(x)
	}
}

// UncaughtError is a promise that was rejected while nothing handled it.
type UncaughtError struct {
	Reason sobek.Value
	text   string
}

// Error is k6's sentence for it: "Uncaught (in promise) " and the reason with its stack.
func (e *UncaughtError) Error() string { return "Uncaught (in promise) " + e.text }

// Unwrap returns the Go error that the promise was rejected with, or nil.
func (e *UncaughtError) Unwrap() error { return goErrorOf(e.Reason) }

func goErrorOf(v sobek.Value) error {
	o, ok := v.(*sobek.Object)
	if !ok {
		return nil
	}
	if err, ok := o.Export().(error); ok {
		return err
	}
	if inner := o.Get("value"); inner != nil {
		err, _ := inner.Export().(error)
		return err
	}
	return nil
}
