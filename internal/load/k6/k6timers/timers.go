package k6timers

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
)

// New makes the module for vu.
func New(vu *scope.VU) (js.Exports, error) {
	return vu.Lazy([]string{"clearInterval", "clearTimeout", "setInterval", "setTimeout"}, func(name string) any {
		switch name {
		case "setTimeout":
			return Of(vu).SetTimeout
		case "setInterval":
			return Of(vu).SetInterval
		default:
			return Of(vu).Clear
		}
	}), nil
}

// Timers are the timers of one virtual user. One Go timer and one registered callback serve them all.
type Timers struct {
	vu     *scope.VU
	lastID int64
	queue  []*timer // by due time, then by age

	mu    sync.Mutex
	state state
	round uint64             // goes up when the timers of an iteration are dropped
	give  func(func() error) // hands run to the loop; set while armed
	alarm *time.Timer
	watch func() bool // ends the watch over the context; set while armed
}

type state uint8

const (
	idle  state = iota // the alarm is off
	armed              // the alarm is on, and the loop waits for it
	fired              // run is in the loop's queue
)

type timer struct {
	id       int64
	due      time.Time
	interval time.Duration // 0: once
	repeat   bool
	call     sobek.Callable
	args     []sobek.Value
}

// Of returns the timers of vu, making them when they are first asked for.
func Of(vu *scope.VU) *Timers {
	if t, ok := vu.Timers.(*Timers); ok {
		return t
	}
	t := &Timers{vu: vu}
	vu.Timers = t
	vu.OnIterationStart = append(vu.OnIterationStart, t.drop)
	vu.OnInterrupt.Add(t.giveUp)
	return t
}

// SetTimeout is the JavaScript function of that name.
func (t *Timers) SetTimeout(call sobek.FunctionCall) sobek.Value {
	return t.set(call, "setTimeout", false)
}

// SetInterval is the JavaScript function of that name.
func (t *Timers) SetInterval(call sobek.FunctionCall) sobek.Value {
	return t.set(call, "setInterval", true)
}

// Clear is clearTimeout and clearInterval, which are the same.
func (t *Timers) Clear(call sobek.FunctionCall) sobek.Value {
	id := call.Argument(0).ToInteger()
	if i := slices.IndexFunc(t.queue, func(x *timer) bool { return x.id == id }); i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
		if len(t.queue) == 0 {
			t.giveUp()
		}
	}
	return sobek.Undefined()
}

func (t *Timers) set(call sobek.FunctionCall, name string, repeat bool) sobek.Value {
	rt := t.vu.Runtime
	fn := call.Argument(0)
	if sobek.IsUndefined(fn) || sobek.IsNull(fn) {
		t.vu.Throw(fmt.Errorf("%s's callback isn't a callable function", name))
	}
	f, ok := sobek.AssertFunction(fn)
	if !ok {
		panic(rt.NewTypeError("%s's callback isn't a callable function: %s", name, fn))
	}
	delay := millis(call.Argument(1).ToFloat())
	t.lastID++
	x := &timer{id: t.lastID, due: time.Now().Add(delay), interval: delay, repeat: repeat, call: f}
	if len(call.Arguments) > 2 {
		x.args = slices.Clone(call.Arguments[2:])
	}
	t.insert(x)
	return rt.ToValue(x.id)
}

// millis is ms as a duration. What is no number, or below zero, is 0.
func millis(ms float64) time.Duration {
	if !(ms > 0) {
		return 0
	}
	return time.Duration(min(ms, math.MaxInt32) * float64(time.Millisecond))
}

// insert puts x behind all that are due no later.
func (t *Timers) insert(x *timer) {
	i := len(t.queue)
	for i > 0 && t.queue[i-1].due.After(x.due) {
		i--
	}
	t.queue = slices.Insert(t.queue, i, x)
	if i == 0 {
		t.arm()
	}
}

// arm sets the alarm for the first timer. When run is already on its way it will do that itself.
func (t *Timers) arm() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == fired {
		return
	}
	if t.state == idle {
		t.give, t.state = t.vu.Loop.RegisterCallback(), armed
		if ctx := t.vu.Context; ctx != nil {
			// Not left to OnInterrupt alone: that list may have been read before the first timer was made.
			t.watch = context.AfterFunc(ctx, t.giveUp)
		}
	}
	wait := time.Until(t.queue[0].due)
	if t.alarm == nil {
		t.alarm = time.AfterFunc(wait, t.fire)
	} else {
		t.alarm.Reset(wait)
	}
}

// fire runs on the alarm's goroutine. An alarm that was set for another time only makes run look too early.
func (t *Timers) fire() {
	t.mu.Lock()
	if t.state != armed {
		t.mu.Unlock()
		return
	}
	give, round := t.give, t.round
	t.leave(fired)
	t.mu.Unlock()
	give(func() error { return t.run(round) })
}

// run calls the first timer if it is due, and arms the alarm for the next. One at a time: what promises have left to
// do comes between.
func (t *Timers) run(round uint64) error {
	t.mu.Lock()
	stale := round != t.round
	if !stale {
		t.state = idle
	}
	t.mu.Unlock()
	if stale || len(t.queue) == 0 {
		return nil
	}
	x := t.queue[0]
	now := time.Now()
	if x.due.After(now) {
		t.arm()
		return nil
	}
	t.queue = slices.Delete(t.queue, 0, 1)
	if x.repeat {
		x.due = x.due.Add(x.interval)
		if x.due.Before(now) {
			x.due = now
		}
		t.insert(x)
	}
	if len(t.queue) > 0 {
		t.arm()
	}
	_, err := x.call(sobek.Undefined(), x.args...)
	return err
}

// leave ends being armed; t.mu is held.
func (t *Timers) leave(next state) {
	t.give, t.state = nil, next
	if t.watch != nil {
		t.watch()
		t.watch = nil
	}
}

// giveUp answers the loop without running anything: nothing is left to wait for, or the iteration is over. It may be
// called from any goroutine.
func (t *Timers) giveUp() {
	t.mu.Lock()
	give := t.give
	if t.state == armed {
		t.alarm.Stop()
		t.leave(idle)
	}
	t.mu.Unlock()
	if give != nil {
		give(func() error { return nil })
	}
}

// drop forgets what an interrupted iteration has left, so that nothing of it runs in the next.
func (t *Timers) drop() {
	for _, x := range t.queue {
		name := "setTimeout"
		if x.repeat {
			name = "setInterval"
		}
		t.vu.Test.Log.Warn(fmt.Sprintf("%s %d was stopped because the VU iteration was interrupted", name, x.id))
	}
	t.queue = nil
	t.giveUp()
	t.mu.Lock()
	t.round++
	t.state = idle
	t.mu.Unlock()
}
