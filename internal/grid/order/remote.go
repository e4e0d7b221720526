package order

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/metric"
	"throng/internal/run"
)

// RemoteConfig says whom a Remote stands for.
type RemoteConfig struct {
	Run, Part, Node string
	// URL returns the node's address.
	URL    func() string
	Client *courier.Client
	Term   uint64
	Leader string
	// Reign ends when the leader that orders leads no more: then every call does, also one that waits for what a Stop will bring.
	Reign context.Context
	Job   Job
	// Exact and Reserve are for run.Begin: see there.
	Exact, Reserve bool
	// Heard returns what was last heard of the part; false when nothing was.
	Heard func() (beat.Heard, bool)
	// Began is told when the node has taken the order to run; nil: nobody wants to know.
	Began func(skew time.Duration)
}

// Remote is a runner on another node. It implements run.Runner.
type Remote struct {
	cfg RemoteConfig

	// gone ends, with run.ErrLost and the reason, once the runner is lost. It is a context and not a channel because a thousand calls may wait for
	// it, and hours: that takes no goroutine.
	gone context.Context
	end  context.CancelCauseFunc

	mu    sync.Mutex // guards what follows
	words error      // why it is lost
	seq   uint64
	snap  metric.Snapshot
}

// NewRemote returns the runner of a part; nothing has been ordered yet.
func NewRemote(cfg RemoteConfig) *Remote {
	r := &Remote{cfg: cfg}
	r.gone, r.end = context.WithCancelCause(context.Background())
	return r
}

// Node is where the runner is.
func (r *Remote) Node() string { return r.cfg.Node }

// Lose ends all calls, those under way and those to come, with run.ErrLost and the reason. It reports whether it was the first.
func (r *Remote) Lose(why error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.words != nil {
		return false
	}
	r.words = why
	r.end(run.Lost(why))
	return true
}

// Lost is the reason that Lose was given; nil before.
func (r *Remote) Lost() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.words
}

// reason is run.ErrLost with what Lose was told; nil before.
func (r *Remote) reason() error { return context.Cause(r.gone) }

// again is how long a call waits before it is repeated.
const again = 200 * time.Millisecond

// order carries out an order, again and again until there is an answer. The end of ctx ends it; what was ordered may go on.
func (r *Remote) order(ctx context.Context, name string, req Request) (Reply, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.gone, func() { cancel(r.reason()) })()
	defer context.AfterFunc(r.cfg.Reign, func() { cancel(context.Cause(r.cfg.Reign)) })()
	req.Term, req.Leader = r.cfg.Term, r.cfg.Leader
	for {
		if req.Begin != nil {
			b := *req.Begin
			b.Now = time.Now()
			req.Begin = &b
		}
		var reply Reply
		err := r.cfg.Client.JSON(ctx, http.MethodPost, r.cfg.URL(), Path+r.cfg.Run+"/"+r.cfg.Part+"/"+name, req, &reply)
		switch {
		case ctx.Err() != nil:
			return reply, context.Cause(ctx)
		case errors.Is(err, run.ErrLost):
			r.Lose(errors.New(strings.TrimPrefix(err.Error(), run.ErrLost.Error()+": ")))
			return reply, r.reason()
		case !errors.Is(err, courier.ErrUnreachable) && !errors.Is(err, courier.ErrRefused) && !errors.Is(err, courier.ErrUnavailable):
			return reply, err
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return reply, context.Cause(ctx)
		}
	}
}

// stopped is order for what a Stop ends: when ctx ends, the node is told why, and what comes of the order is still waited for.
func (r *Remote) stopped(ctx context.Context, name string, req Request) (Reply, error) {
	free, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		cause := context.Cause(ctx)
		if errors.Is(cause, cluster.ErrDeposed) { // the next leader goes on with it
			cancel(cause)
			return
		}
		// Who cannot be told is lost, and that ends the order.
		_, _ = r.order(free, Stop, Request{Of: name, Cause: courier.FaultOf(cause)})
	})()
	return r.order(free, name, req)
}

// Init implements run.Runner.
func (r *Remote) Init(ctx context.Context) (run.Ready, error) {
	reply, err := r.stopped(ctx, Prepare, Request{Job: &r.cfg.Job})
	if err != nil {
		// The submitter has read the script without a fault: that this node cannot is the node's own.
		return run.Ready{}, fmt.Errorf("node %s: %w", r.cfg.Node, err)
	}
	var ready run.Ready
	return ready, json.Unmarshal(reply.Ready, &ready)
}

// Setup implements run.Runner.
func (r *Remote) Setup(ctx context.Context) ([]byte, error) {
	reply, err := r.stopped(ctx, Setup, Request{})
	return reply.Data, r.named(err)
}

// Run implements run.Runner.
func (r *Remote) Run(ctx context.Context, b run.Begin) error {
	_, err := r.stopped(ctx, Run, Request{Begin: &Begin{Setup: b.Setup, At: b.At, Used: b.Used, Exact: r.cfg.Exact, Reserve: r.cfg.Reserve}})
	if h, ok := r.cfg.Heard(); err == nil && ok && h.Phase == beat.Yielded {
		r.Lose(errors.New("the node leaves"))
		return r.reason()
	}
	return r.named(err)
}

// named says on which node the script went wrong: elsewhere it may not.
func (r *Remote) named(err error) error {
	if err == nil || fault.KindOf(err) != fault.ScriptException {
		return err
	}
	return fmt.Errorf("node %s: %w", r.cfg.Node, err)
}

// Yield implements run.Runner.
func (r *Remote) Yield(ctx context.Context) (metric.Snapshot, error) {
	reply, err := r.order(ctx, Yield, Request{})
	if err != nil {
		return metric.Snapshot{}, err
	}
	var snap metric.Snapshot
	return snap, snap.UnmarshalBinary(reply.Data)
}

// Teardown implements run.Runner.
func (r *Remote) Teardown(ctx context.Context, setup []byte) error {
	_, err := r.stopped(ctx, Teardown, Request{Data: setup})
	return r.named(err)
}

// Summary implements run.Runner.
func (r *Remote) Summary(ctx context.Context, data []byte) (map[string][]byte, error) {
	reply, err := r.stopped(ctx, Summary, Request{Data: data})
	return reply.Files, err
}

// Drain has the outputs that write to servers come to their end, and returns when the leader has what they had to say.
func (r *Remote) Drain(ctx context.Context) error {
	_, err := r.order(ctx, Drain, Request{})
	return err
}

// Release lets the runner go.
func (r *Remote) Release(ctx context.Context) error {
	_, err := r.order(ctx, Release, Request{})
	return err
}

// Latest decodes the newest snapshot that was heard of the part; the zero Snapshot when there is none.
func (r *Remote) Latest() (metric.Snapshot, error) {
	h, ok := r.cfg.Heard()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !ok || h.Seq <= r.seq || len(h.Report.Snapshot) == 0 {
		return r.snap, nil
	}
	var snap metric.Snapshot
	err := snap.UnmarshalBinary(h.Report.Snapshot)
	if err == nil {
		r.seq, r.snap = h.Seq, snap
	}
	return r.snap, err
}

// Snapshot implements run.Runner. One that cannot be read is as one that did not arrive.
func (r *Remote) Snapshot() metric.Snapshot {
	snap, _ := r.Latest()
	return snap
}

// Acknowledge implements run.Runner: the node's own beats do it.
func (r *Remote) Acknowledge(uint64) {}

// Urgent implements run.Runner: the node's own beats hurry.
func (r *Remote) Urgent() <-chan struct{} { return nil }

// Progress implements run.Runner.
func (r *Remote) Progress() []run.Progress {
	h, _ := r.cfg.Heard()
	return h.Report.Progress
}

// MarkedAsFailed implements run.Runner.
func (r *Remote) MarkedAsFailed() bool {
	h, _ := r.cfg.Heard()
	return h.Marked
}
