package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/beat"
	"throng/internal/grid/courier"
	"throng/internal/grid/fence"
	"throng/internal/grid/order"
	"throng/internal/run"
)

// Runner is a runner in a process of its own.
type Runner interface {
	run.Runner
	// Kill ends the process at once, whatever it does.
	Kill()
	// Done is closed when the process is gone; Err then says why, nil if it was to go.
	Done() <-chan struct{}
	Err() error
}

// part is one part of a run on this node.
type part struct {
	w        *Worker
	run, id  string
	job      order.Job
	ctx      context.Context // ends with the part
	cancel   context.CancelCauseFunc
	lines    lines
	snapshot encoded
	told     mark  // the step that the leader knows of
	shipped  int64 // chunks of lines; used by one goroutine

	mu     sync.Mutex // guards what follows
	phase  beat.Phase
	step   uint64 // how often it has changed
	yields bool   // the runner was asked to yield
	fault  error
	runner Runner
	begun  time.Time // its scenarios, on this node's clock
	start  *beat.Start
	ended  time.Time
	calls  map[string]*call
}

// call is one order, under way or done.
type call struct {
	done   chan struct{}
	cancel context.CancelCauseFunc
	reply  order.Reply
	err    error
}

// do carries out an order once; whoever gives it again waits for the same answer. It does not end with the one who asked.
func (p *part) do(ctx context.Context, name string, f func(context.Context) (order.Reply, error)) (order.Reply, error) {
	p.mu.Lock()
	c := p.calls[name]
	if c == nil {
		cctx, cancel := context.WithCancelCause(p.ctx)
		c = &call{done: make(chan struct{}), cancel: cancel}
		p.calls[name] = c
		p.w.wg.Go(func() {
			defer close(c.done)
			defer cancel(nil)
			c.reply, c.err = f(cctx)
		})
	}
	p.mu.Unlock()
	select {
	case <-c.done:
		return c.reply, c.err
	case <-ctx.Done():
		return order.Reply{}, context.Cause(ctx)
	}
}

// stop ends an order that is under way.
func (p *part) stop(name string, cause error) {
	p.mu.Lock()
	c := p.calls[name]
	p.mu.Unlock()
	if c != nil {
		c.cancel(cause)
	}
}

// enter changes the phase, unless the part is over already for a reason that counts more, and has the voters told.
func (p *part) enter(to beat.Phase, err error) {
	p.mu.Lock()
	if p.phase == beat.Fenced || p.phase == beat.Failed || p.phase == beat.Yielded {
		p.mu.Unlock()
		return
	}
	p.phase, p.fault = to, err
	p.step++
	p.mu.Unlock()
	p.w.cfg.Nudge()
}

func (p *part) state() (beat.Phase, Runner, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.phase, p.runner, p.fault
}

// prepare fetches the bundle, starts the runner and has it read the script.
func (p *part) prepare(ctx context.Context) (order.Reply, error) {
	path, err := p.bundle(ctx)
	if err != nil {
		return order.Reply{}, p.orDeath(err)
	}
	r, err := p.w.cfg.Start(p.ctx, Start{
		Run: p.run, Part: p.id, Bundle: path, Job: p.job, Line: func(l beat.Line) { p.line(l) }, LeftOut: p.lines.drop, Fresh: p.w.cfg.Nudge, Lines: p.ship,
	})
	if err != nil {
		p.enter(beat.Failed, err)
		return order.Reply{}, run.Lost(err)
	}
	p.mu.Lock()
	p.runner = r
	p.mu.Unlock()
	p.w.wg.Go(func() { p.watch(r) })
	ready, err := r.Init(ctx)
	if err != nil {
		p.flushLines()
		return order.Reply{}, p.orDeath(err)
	}
	b, err := json.Marshal(ready)
	if err != nil {
		return order.Reply{}, err
	}
	p.enter(beat.Ready, nil)
	return order.Reply{Ready: b}, nil
}

// fetching is for how long those who have the bundle are asked for it: they may be busy, or about to start again.
const fetching = 10 * time.Second

// bundle returns the path of the bundle's file, fetched from whoever has it.
func (p *part) bundle(ctx context.Context) (string, error) {
	for end := time.Now().Add(fetching); ; {
		var errs []error
		for _, from := range p.job.From {
			if p.w.cfg.Depot.Has(p.job.Bundle) {
				break
			}
			err := p.w.cfg.Client.Fetch(ctx, p.w.cfg.Depot, from, p.job.Bundle)
			if own := (*fs.PathError)(nil); errors.As(err, &own) { // a full disk is full whoever sends
				return "", fault.WithHint(fault.Other, fmt.Errorf("keep the test: %w", own), "make room there, or do without the node: throng grid drain")
			}
			if err != nil {
				errs = append(errs, err)
			}
		}
		switch {
		case p.w.cfg.Depot.Has(p.job.Bundle):
			return p.w.cfg.Depot.Path(p.job.Bundle)
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case time.Now().After(end):
			return "", fmt.Errorf("fetch the test: %w", errors.Join(errs...))
		}
		select {
		case <-time.After(fetching / 20):
		case <-ctx.Done():
		}
	}
}

// watch waits for the end of the runner's process.
func (p *part) watch(r Runner) {
	for {
		select {
		case <-r.Urgent():
			p.w.cfg.Nudge()
			continue
		case <-r.Done():
		}
		break
	}
	if p.ctx.Err() == nil {
		err := r.Err()
		if err == nil {
			err = errors.New("the runner's process has ended")
		}
		p.enter(beat.Failed, err)
	}
}

// orDeath returns err, or why the runner's process died if that is what came of it.
func (p *part) orDeath(err error) error {
	phase, r, why := p.state()
	if errors.Is(err, run.ErrLost) {
		return err
	}
	if r != nil { // nil: it was not started yet
		select {
		case <-r.Done():
			if derr := r.Err(); derr != nil {
				return run.Lost(derr)
			}
			return run.Lost(err)
		default:
		}
	}
	if phase == beat.Failed || phase == beat.Fenced {
		return run.Lost(why)
	}
	return err
}

// begin runs the scenarios.
func (p *part) begin(ctx context.Context, leader string, b order.Begin) (order.Reply, error) {
	_, r, _ := p.state()
	offset, round, measured := p.w.cfg.Offset(leader)
	if !measured { // it has just begun to lead: the order itself says what its clock shows, less the order's way here
		offset, round = time.Until(b.Now), time.Second
	}
	at := b.At.Add(-offset)
	p.mark(&p.begun, at)
	real := at
	if now := time.Now(); now.After(at) { // the order came late, or the share is taken over
		real = now
	}
	p.mu.Lock()
	p.start = &beat.Start{At: real.Add(offset).UTC(), Offset: offset, Within: round / 2}
	p.mu.Unlock()
	p.enter(beat.Running, nil)
	err := r.Run(ctx, run.Begin{Setup: b.Setup, At: at, Used: b.Used, Exact: b.Exact, Reserve: b.Reserve})
	p.mark(&p.ended, time.Now())
	p.mu.Lock()
	yields := p.yields
	p.mu.Unlock()
	switch {
	case err != nil:
		if err = p.orDeath(err); !errors.Is(err, run.ErrLost) {
			p.enter(beat.Ended, err)
		}
	case yields:
		p.enter(beat.Yielded, nil)
		err = run.Lost(errLeaving)
	default:
		p.enter(beat.Ended, nil)
	}
	// The last snapshot must be with the leader before it hears that all is over: else it would sum up without it.
	p.flush()
	return order.Reply{}, err
}

func (p *part) mark(t *time.Time, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*t = at
}

// elapsed is how long the scenarios have been running, or ran.
func (p *part) elapsed() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.begun.IsZero():
		return 0
	case p.ended.IsZero():
		return max(0, time.Since(p.begun))
	}
	return p.ended.Sub(p.begun)
}

// since is how long ago the scenarios' clock stood at zero; 0 while that lies ahead.
func (p *part) since() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun.IsZero() {
		return 0
	}
	return max(0, time.Since(p.begun))
}

// flush waits until the leader and a second host hold the runner's last snapshot, at most a lease's length.
func (p *part) flush() {
	p.shipRest()
	_, r, _ := p.state()
	want := r.Snapshot().Seq
	p.w.cfg.Nudge()
	wctx, cancel := context.WithTimeout(p.ctx, fence.Lease)
	defer cancel()
	p.mu.Lock()
	step := p.step
	p.mu.Unlock()
	p.told.wait(wctx, step)
	p.snapshot.told.wait(wctx, want)
	p.snapshot.safe.wait(wctx, want)
	p.lines.flush(wctx)
}

// flushLines waits until the leader has what was written so far, at most a lease's length: the answer that comes next may be the last
// thing that it waits for.
func (p *part) flushLines() {
	p.w.cfg.Nudge()
	ctx, cancel := context.WithTimeout(p.ctx, fence.Lease)
	defer cancel()
	p.lines.flush(ctx)
}

// ship brings lines of an output to the leader: again and again until it has them, or the part ends. Whoever writes them waits
// meanwhile, so that nothing piles up here.
func (p *part) ship(output int, lines []byte) {
	p.shipped++
	call := order.Lines{Part: p.id, N: p.shipped, Output: output, Lines: lines}
	for p.ctx.Err() == nil {
		if base := p.w.cfg.Leader(); base != "" {
			ctx, cancel := context.WithTimeout(p.ctx, fence.Lease)
			err := p.w.cfg.Client.JSON(ctx, http.MethodPost, base, order.LinesPath+p.run, call, nil)
			cancel()
			if err == nil {
				return
			}
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-p.ctx.Done():
		}
	}
}

// shipRest waits until the leader has all lines of the outputs, at most a lease's length.
func (p *part) shipRest() {
	_, r, _ := p.state()
	f, ok := r.(interface{ Flush(context.Context) error })
	if !ok || len(p.job.Outputs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, fence.Lease)
	defer cancel()
	if err := f.Flush(ctx); err != nil {
		p.line(beat.Line{At: time.Now().UTC(), Level: 4, Text: "the last lines of the outputs may be missing: " + err.Error()})
	}
}

// drainWithin is how long outputs that write to servers have for their end: more than they take, push.Most.
const drainWithin = 11 * time.Second

// drain has the outputs that write to servers come to their end, in time, and the leader hear what they had to say. It is not part of what is
// measured: a server that is slow must not make the run look longer.
func (p *part) drain(ctx context.Context, within time.Duration) {
	_, r, _ := p.state()
	d, ok := r.(interface{ Drain(context.Context) error })
	if !ok || len(p.job.Outputs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	_ = d.Drain(ctx) // what is lost, the runner's log tells; a runner that is gone has lost it
	p.flushLines()
}

// yield stops the scenarios in good order.
func (p *part) yield(ctx context.Context, patience time.Duration) error {
	phase, r, _ := p.state()
	if r == nil || phase.Over() {
		return nil
	}
	p.mu.Lock()
	p.yields = true
	p.mu.Unlock()
	yctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := r.Yield(yctx); err != nil {
		return p.orDeath(err)
	}
	p.enter(beat.Yielded, nil)
	p.flush()
	p.drain(ctx, fence.Lease) // others wait to take over
	return nil
}

// fence stops the part because the lease is at its end: whatever is still at work when patience is over is killed.
func (p *part) fence(why error, patience time.Duration) {
	phase, r, _ := p.state()
	if phase.Over() {
		return
	}
	p.enter(beat.Fenced, why)
	p.stop(order.Run, why)
	p.stop(order.Setup, why)
	p.stop(order.Teardown, why)
	if r == nil {
		p.cancel(why)
		return
	}
	p.mu.Lock()
	c := p.calls[order.Run]
	p.mu.Unlock()
	if c != nil {
		select {
		case <-c.done:
		case <-time.After(patience):
		}
	}
	p.snapshot.keep(r)
	r.Kill()
}

// release lets the runner go.
func (p *part) release() {
	_, r, _ := p.state()
	p.cancel(errors.New("the run is over"))
	if r != nil {
		r.Kill()
	}
}

// report says how the part is.
func (p *part) report(whole bool) beat.Report {
	p.mu.Lock()
	r := p.runner
	rep := beat.Report{Run: p.run, Part: p.id, Phase: p.phase, Step: p.step, Start: p.start, Fault: courier.FaultOf(p.fault)}
	p.mu.Unlock()
	if r == nil {
		rep.First, rep.Lines, rep.LeftOut = p.lines.pending(whole)
		return rep
	}
	rep.Marked, rep.Elapsed, rep.Since, rep.Progress = r.MarkedAsFailed(), p.elapsed(), p.since(), r.Progress()
	rep.Seq, rep.Snapshot, rep.Reserved = p.snapshot.latest(r)
	if !whole {
		rep.Snapshot = nil
	}
	rep.First, rep.Lines, rep.LeftOut = p.lines.pending(whole)
	return rep
}
