package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/grid/fence"
	"throng/internal/grid/order"
	"throng/internal/run"
)

// Start is what a runner is started with.
type Start struct {
	Run, Part, Bundle string // Bundle is a path
	Job               order.Job
	Line              func(beat.Line) // takes what the script writes to its console, and the runner's log
	LeftOut           func(n int64)   // is told of lines that came too fast to be taken
	Fresh             func()          // is called when there is a new snapshot
	// Lines takes whole lines of one of the job's outputs. It waits until the leader has them, or the part ends.
	Lines func(output int, lines []byte)
}

// Config is what a worker works with.
type Config struct {
	// Life is this process's own; see order.Job.
	Life   string
	Depot  *courier.Depot
	Client *courier.Client
	Start  func(context.Context, Start) (Runner, error)
	// Until is when the node's lease ends, Renewed is closed when it may have become longer; Offset is how far that leader's clock is
	// ahead, false while it was not measured, Nudge has the next beats sent at once.
	Until   func() time.Time
	Renewed func() <-chan struct{}
	Offset  func(leader string) (offset, round time.Duration, ok bool)
	// Leader is the address of the node that leads; "" while nobody does.
	Leader func() string
	Nudge  func()
}

// Worker keeps a node's parts of all runs. It is safe for concurrent use.
type Worker struct {
	cfg    Config
	nudges hurry
	wg     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	term  uint64
	parts []*part
	shut  bool // no part is taken on any more
}

// New returns a worker without parts.
func New(cfg Config) *Worker { return &Worker{cfg: cfg, nudges: hurry{f: cfg.Nudge}} }

var errLeaving = errors.New("the node leaves")

// errLease is why parts are stopped.
var errLease = errors.New("the node was cut off from the grid until its lease ended")

// Run watches the lease until ctx ends, and then kills what is left.
func (w *Worker) Run(ctx context.Context) error {
	defer w.wg.Wait()
	defer func() {
		for _, p := range w.all() {
			p.release()
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		renewed := w.cfg.Renewed()
		if left := time.Until(w.cfg.Until()); left <= 0 {
			for _, p := range w.all() {
				w.wg.Go(func() { p.fence(errLease, fence.Margin/2) })
			}
			timer.Reset(fence.Every)
		} else {
			timer.Reset(left)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-renewed:
		}
	}
}

func (w *Worker) all() []*part {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.parts)
}

func (w *Worker) find(test, id string) *part {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.parts {
		if p.run == test && p.id == id {
			return p
		}
	}
	return nil
}

// take returns the part, made if it is new.
func (w *Worker) take(test, id string, job order.Job) (*part, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.parts {
		if p.run == test && p.id == id {
			return p, nil
		}
	}
	switch {
	case w.shut:
		return nil, run.Lost(errLeaving)
	case job.Life != w.cfg.Life:
		return nil, run.Lost(errors.New("the node has started again"))
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	p := &part{w: w, run: test, id: id, job: job, ctx: ctx, cancel: cancel, phase: beat.Preparing, calls: map[string]*call{}}
	w.parts = append(w.parts, p)
	return p, nil
}

// ServeHTTP answers for order.Path.
func (w *Worker) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	courier.Handler(func(r *http.Request) (any, error) {
		words := strings.Split(strings.TrimPrefix(r.URL.Path, order.Path), "/")
		if len(words) != 3 {
			return nil, &courier.Status{Code: http.StatusNotFound, Err: errors.New("there is no such order")}
		}
		var req order.Request
		if err := courier.Read(r, &req); err != nil {
			return nil, err
		}
		if err := w.obey(req.Term); err != nil {
			return nil, err
		}
		return w.order(r.Context(), words[0], words[1], words[2], req)
	}).ServeHTTP(rw, r)
}

// obey refuses the orders of a leader that a newer one has replaced.
func (w *Worker) obey(term uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if term < w.term {
		return cluster.ErrDeposed
	}
	w.term = term
	return nil
}

func (w *Worker) order(ctx context.Context, test, id, name string, req order.Request) (order.Reply, error) {
	if !order.Known(name) {
		return order.Reply{}, &courier.Status{Code: http.StatusNotFound, Err: fmt.Errorf("there is no order %q", name)}
	}
	if name == order.Prepare {
		if req.Job == nil {
			return order.Reply{}, &courier.Status{Code: http.StatusBadRequest, Err: errors.New("an order to prepare lacks the job")}
		}
		p, err := w.take(test, id, *req.Job)
		if err != nil {
			return order.Reply{}, err
		}
		return p.do(ctx, name, p.prepare)
	}
	p := w.find(test, id)
	if p == nil {
		if name == order.Release {
			return order.Reply{}, nil
		}
		return order.Reply{}, run.Lost(fmt.Errorf("the node has no part %s of run %s", id, test))
	}
	return w.carryOut(ctx, p, name, req)
}

func (w *Worker) carryOut(ctx context.Context, p *part, name string, req order.Request) (order.Reply, error) {
	_, r, _ := p.state()
	if r == nil && name != order.Stop && name != order.Release {
		return order.Reply{}, fmt.Errorf("part %s of run %s is not prepared: %w", p.id, p.run, cluster.ErrConflict)
	}
	switch name {
	case order.Setup:
		return p.do(ctx, name, func(ctx context.Context) (order.Reply, error) {
			data, err := r.Setup(ctx)
			p.flushLines()
			return order.Reply{Data: data}, p.orDeathOf(err)
		})
	case order.Run:
		if req.Begin == nil {
			return order.Reply{}, &courier.Status{Code: http.StatusBadRequest, Err: errors.New("an order to run lacks its begin")}
		}
		return p.do(ctx, name, func(ctx context.Context) (order.Reply, error) { return p.begin(ctx, req.Leader, *req.Begin) })
	case order.Teardown:
		return p.do(ctx, name, func(ctx context.Context) (order.Reply, error) {
			err := p.orDeathOf(r.Teardown(ctx, req.Data))
			p.flush()
			return order.Reply{}, err
		})
	case order.Summary:
		return p.do(ctx, name, func(ctx context.Context) (order.Reply, error) {
			files, err := r.Summary(ctx, req.Data)
			p.flushLines()
			return order.Reply{Files: files}, p.orDeathOf(err)
		})
	case order.Yield:
		return p.do(ctx, name, func(ctx context.Context) (order.Reply, error) {
			if err := p.yield(ctx, patience); err != nil {
				return order.Reply{}, err
			}
			_, data, _ := p.snapshot.latest(r)
			return order.Reply{Data: data}, nil
		})
	case order.Drain:
		return p.do(ctx, name, func(ctx context.Context) (order.Reply, error) {
			p.drain(ctx, drainWithin)
			return order.Reply{}, nil
		})
	case order.Stop:
		p.stop(req.Of, req.Cause.Err())
		return order.Reply{}, nil
	default: // Release
		p.release()
		w.forget(p)
		return order.Reply{}, nil
	}
}

// patience is how long running iterations are given to end when a part yields.
const patience = 2 * time.Second

func (p *part) orDeathOf(err error) error {
	if err == nil {
		return nil
	}
	return p.orDeath(err)
}

func (p *part) line(l beat.Line) {
	p.lines.add(l)
	p.w.nudges.ask()
}

func (w *Worker) forget(gone *part) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parts = slices.DeleteFunc(w.parts, func(p *part) bool { return p == gone })
}

// Reports are the parts' reports, for the beats.
func (w *Worker) Reports(whole bool) []beat.Report {
	var out []beat.Report
	for _, p := range w.all() {
		out = append(out, p.report(whole))
	}
	return out
}

// Heard notes that a voter has these reports; see beat.SenderConfig.
func (w *Worker) Heard(reports []beat.Report, by beat.Witness) {
	for _, rep := range reports {
		p := w.find(rep.Run, rep.Part)
		if p == nil {
			continue
		}
		if by.Leader {
			p.told.reach(rep.Step)
			p.snapshot.told.reach(by.Held[beat.Key(rep.Run, rep.Part)])
		}
		seq := p.snapshot.heard(rep.Seq, by)
		if !p.snapshot.safe.reach(seq) {
			continue
		}
		if _, r, _ := p.state(); r != nil {
			r.Acknowledge(seq)
		}
	}
}

// Read notes up to which line the leader has the parts' lines.
func (w *Worker) Read(next map[string]int64) {
	more := false
	for _, p := range w.all() {
		if n, ok := next[beat.Key(p.run, p.id)]; ok && p.lines.read(n) {
			more = true
		}
	}
	if more {
		w.nudges.ask()
	}
}

// Over lets the parts go that runs which have ended still have here: of those that were lost, or could not be told.
func (w *Worker) Over(runs []string) {
	for _, p := range w.all() {
		if slices.Contains(runs, p.run) {
			p.release()
			w.forget(p)
		}
	}
}

// Accept says whether the node takes on parts.
func (w *Worker) Accept(yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shut = !yes
}

// Leave gives all parts up in good order, so that others can take them over, and takes on none until Accept says so. It returns
// when the leader knows, or ctx ends.
func (w *Worker) Leave(ctx context.Context) error {
	w.mu.Lock()
	w.shut = true
	parts := slices.Clone(w.parts)
	w.mu.Unlock()
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, p := range parts {
		wg.Go(func() { errs[i] = p.yield(ctx, patience) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
