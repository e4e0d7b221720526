package pipe_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"throng/internal/metric"
	"throng/internal/run"
	"throng/internal/run/pipe"
)

// actor is a runner that does as it is told.
type actor struct {
	init     func(ctx context.Context) (run.Ready, error)
	setup    func(ctx context.Context) ([]byte, error)
	run      func(ctx context.Context, b run.Begin) error
	teardown func(ctx context.Context, data []byte) error
	summary  func(ctx context.Context, data []byte) (map[string][]byte, error)
	flush    func(ctx context.Context) error
	drain    func(ctx context.Context)
	urgent   chan struct{}

	mu     sync.Mutex
	snap   metric.Snapshot
	acked  []uint64
	failed bool
}

func (a *actor) Init(ctx context.Context) (run.Ready, error)    { return a.init(ctx) }
func (a *actor) Setup(ctx context.Context) ([]byte, error)      { return a.setup(ctx) }
func (a *actor) Run(ctx context.Context, b run.Begin) error     { return a.run(ctx, b) }
func (a *actor) Teardown(ctx context.Context, d []byte) error   { return a.teardown(ctx, d) }
func (a *actor) Flush(ctx context.Context) error                { return a.flush(ctx) }
func (a *actor) Drain(ctx context.Context)                      { a.drain(ctx) }
func (a *actor) Urgent() <-chan struct{}                        { return a.urgent }
func (a *actor) Yield(context.Context) (metric.Snapshot, error) { return a.measured(1), nil }
func (a *actor) Summary(ctx context.Context, d []byte) (map[string][]byte, error) {
	return a.summary(ctx, d)
}

// measured counts n more iterations.
func (a *actor) measured(n int64) metric.Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.snap.Seq++
	a.snap.Load.Iterations += n
	return a.snap
}

func (a *actor) Snapshot() metric.Snapshot { return a.measured(0) }

func (a *actor) Progress() []run.Progress {
	return []run.Progress{{Scenario: "s", Done: 0.5, Right: []run.Column{run.Text("half")}}}
}

func (a *actor) MarkedAsFailed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failed
}

func (a *actor) Acknowledge(seq uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.acked = append(a.acked, seq)
}

// stage is a runner and its node at the two ends of a stream.
type stage struct {
	*pipe.Client
	served chan error // what Serve returned
	lost   chan error // what it was lost with
	up     *pipe.Up
}

// play connects a to a client with cfg. Both ends are quiet when the test is over.
func play(t *testing.T, a *actor, cfg pipe.Config) *stage {
	t.Helper()
	s, near := serve(t, a)
	s.Client = pipe.Dial(near, cfg)
	t.Cleanup(func() {
		s.Close()
		<-s.served
	})
	return s
}

// serve serves a at one end and returns the other.
func serve(t *testing.T, a *actor) (*stage, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	s := &stage{served: make(chan error, 2), lost: make(chan error, 1)}
	start := func(_ context.Context, job []byte, up *pipe.Up) (run.Runner, error) {
		if s.up = up; string(job) == `"broken"` {
			return nil, errors.New("there is no such bundle")
		}
		return a, nil
	}
	go func() {
		err := pipe.Serve(t.Context(), far, start, func(err error) { s.lost <- err })
		s.served <- err
		s.served <- err
	}()
	return s, near
}

func second(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
