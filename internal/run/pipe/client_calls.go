package pipe

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"throng/internal/metric"
	"throng/internal/run"
)

// do is call with the reason why the runner is gone, once it is.
func (c *Client) do(ctx context.Context, m message) (message, error) {
	out, err := c.call(ctx, m)
	if !errors.Is(err, errEnded) {
		return out, err
	}
	why := reason(context.Cause(c.ctx))
	if c.cfg.Ended != nil {
		if ended := c.cfg.Ended(); ended != nil {
			why = ended
		}
	}
	return out, fmt.Errorf("%w: %w", run.ErrLost, why)
}

// Init implements run.Runner.
func (c *Client) Init(ctx context.Context) (run.Ready, error) {
	m, err := c.do(ctx, message{head: head{Call: callInit}})
	if m.Ready == nil {
		return run.Ready{}, err
	}
	return *m.Ready, err
}

// Setup implements run.Runner.
func (c *Client) Setup(ctx context.Context) ([]byte, error) {
	m, err := c.do(ctx, message{head: head{Call: callSetup}})
	return m.content(), err
}

// Run implements run.Runner.
func (c *Client) Run(ctx context.Context, b run.Begin) error {
	_, err := c.do(ctx, given(head{Call: callRun, Begin: beginOf(b)}, b.Setup))
	return err
}

// Yield implements run.Runner.
func (c *Client) Yield(ctx context.Context) (metric.Snapshot, error) {
	m, err := c.do(ctx, message{head: head{Call: callYield}})
	if len(m.body) == 0 {
		return metric.Snapshot{}, err
	}
	if rerr := c.renew(m.body); rerr != nil {
		return metric.Snapshot{}, rerr
	}
	return c.Snapshot(), err
}

// Teardown implements run.Runner.
func (c *Client) Teardown(ctx context.Context, setupData []byte) error {
	_, err := c.do(ctx, given(head{Call: callTeardown}, setupData))
	return err
}

// Summary implements run.Runner.
func (c *Client) Summary(ctx context.Context, data []byte) (map[string][]byte, error) {
	m, err := c.do(ctx, given(head{Call: callSummary}, data))
	if err != nil {
		return nil, err
	}
	return readFiles(m.Files, m.body)
}

// Flush returns when Config.Lines has had all lines of what was measured before the call.
func (c *Client) Flush(ctx context.Context) error {
	if _, err := c.do(ctx, message{head: head{Call: callFlush}}); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() {
		c.taking.Lock()
		defer c.taking.Unlock()
		c.more.Broadcast()
	})()
	c.taking.Lock()
	defer c.taking.Unlock()
	for len(c.queue) > 0 && ctx.Err() == nil {
		c.more.Wait()
	}
	return context.Cause(ctx)
}

// Drain returns when the servers elsewhere that the runner writes to have had all that was measured before the call, or the runner
// has given up; what was lost stands in its log.
func (c *Client) Drain(ctx context.Context) error {
	_, err := c.do(ctx, message{head: head{Call: callDrain}})
	return err
}

// Snapshot implements run.Runner: it is what the runner told last, at most a second ago; after a call it is what the runner had
// measured when it answered.
func (c *Client) Snapshot() metric.Snapshot {
	c.state.Lock()
	defer c.state.Unlock()
	if c.newest == nil {
		return metric.Snapshot{}
	}
	if c.decoded == nil {
		s := c.newest.Snapshot()
		c.decoded = &s
	}
	return *c.decoded
}

// Encoded is Snapshot as it came, to be passed on or added up as it is; nil if there was none yet.
func (c *Client) Encoded() *metric.Encoded {
	c.state.Lock()
	defer c.state.Unlock()
	return c.newest
}

// Updated receives when a snapshot has come. It holds one token and is never closed.
func (c *Client) Updated() <-chan struct{} { return c.updated }

// Urgent implements run.Runner. The snapshot for which it receives has come already.
func (c *Client) Urgent() <-chan struct{} { return c.urgent }

// Acknowledge implements run.Runner.
func (c *Client) Acknowledge(seq uint64) {
	c.out.put(func() { c.out.ack = max(c.out.ack, seq) })
}

// Progress implements run.Runner; it is as old as the snapshot.
func (c *Client) Progress() []run.Progress {
	c.state.Lock()
	defer c.state.Unlock()
	return slices.Clone(c.progress)
}

// MarkedAsFailed implements run.Runner; it is as old as the snapshot.
func (c *Client) MarkedAsFailed() bool {
	c.state.Lock()
	defer c.state.Unlock()
	return c.failed
}
