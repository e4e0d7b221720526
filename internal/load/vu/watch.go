package vu

import (
	"context"
	"slices"
	"sync"
)

// watches are the contexts that virtual users are active under, each with one watch over all of them: a watch for each
// virtual user would weigh a third of a kilobyte, and at the end of a run start a goroutine for each.
type watches struct {
	mu sync.Mutex
	by map[context.Context]*watch
}

// watch waits for the end of one context.
type watch struct {
	of   *watches
	ctx  context.Context
	stop func() bool

	mu    sync.Mutex
	vus   []*VU
	ended bool // the context has ended, and vus are being interrupted
}

// watched is what a virtual user knows of its watch.
type watched struct {
	mu      sync.Mutex
	watch   *watch        // nil: none
	place   int           // in watch.vus; guarded by the watch
	cutting chan struct{} // closed when the interruption has been carried out; nil: it has not begun
}

// watchOver arranges that the end of ctx interrupts the runtime and whatever I/O it waits for.
func (v *VU) watchOver(ctx context.Context) {
	v.scope.OnInterrupt.Clear()
	v.scope.Watched = true
	if w, ended := v.factory.watches.enter(ctx, v); ended {
		v.interrupt(w)
		v.carryOut(w)
	}
}

// enter puts v under the watch of ctx. ended says that this comes too late for the watch to interrupt v.
func (ws *watches) enter(ctx context.Context, v *VU) (w *watch, ended bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if w = ws.by[ctx]; w == nil {
		if ws.by == nil {
			ws.by = map[context.Context]*watch{}
		}
		w = &watch{of: ws, ctx: ctx}
		ws.by[ctx] = w
		w.stop = context.AfterFunc(ctx, w.end)
	}
	v.watched.mu.Lock()
	v.watched.watch, v.watched.cutting = w, nil
	v.watched.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		v.watched.place = len(w.vus)
		w.vus = append(w.vus, v)
	}
	return w, w.ended
}

// end interrupts all, the scripts first: those that compute use up the time that the rest needs.
func (w *watch) end() {
	w.forget()
	w.mu.Lock()
	w.ended = true
	all := w.vus
	w.vus = nil
	w.mu.Unlock()
	for _, v := range all {
		v.interrupt(w)
	}
	for _, v := range all {
		v.carryOut(w)
	}
}

// forget takes w out of the list.
func (w *watch) forget() {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if w.of.by[w.ctx] == w {
		delete(w.of.by, w.ctx)
	}
}

// interrupt stops the script, if v is still watched by w.
func (v *VU) interrupt(w *watch) {
	v.watched.mu.Lock()
	defer v.watched.mu.Unlock()
	if v.watched.watch == w {
		v.scope.Runtime.Interrupt(errCut)
	}
}

// carryOut cuts off what v waits for, if it is still watched by w.
func (v *VU) carryOut(w *watch) {
	v.watched.mu.Lock()
	if v.watched.watch != w || v.watched.cutting != nil {
		v.watched.mu.Unlock()
		return
	}
	done := make(chan struct{})
	v.watched.cutting = done
	v.watched.mu.Unlock()
	defer close(done)
	v.scope.OnInterrupt.Call()
}

// unwatch ends the watch over v, and waits for an interruption that has begun. A context is done before it calls anybody:
// if it has ended just now, the interruption is carried out here.
func (v *VU) unwatch() {
	v.watched.mu.Lock()
	w := v.watched.watch
	v.watched.mu.Unlock()
	if w == nil {
		return
	}
	if v.ctx.Err() != nil {
		v.carryOut(w)
	}
	v.watched.mu.Lock()
	cutting := v.watched.cutting
	v.watched.watch = nil
	v.watched.mu.Unlock()
	if cutting != nil {
		<-cutting
	}
	v.scope.Watched = false
	w.leave(v)
}

// leave takes v out of the watch, and ends a watch over nobody.
func (w *watch) leave(v *VU) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	last := len(w.vus) - 1
	w.vus[v.watched.place] = w.vus[last]
	w.vus[v.watched.place].watched.place = v.watched.place
	w.vus = slices.Delete(w.vus, last, last+1)
	if last == 0 && w.of.by[w.ctx] == w {
		delete(w.of.by, w.ctx)
		w.stop()
	}
}
