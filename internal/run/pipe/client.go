package pipe

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"throng/internal/metric"
	"throng/internal/run"
)

// Config is what a node gives to a runner and expects of it.
type Config struct {
	// Job is passed to the runner's Starter; JSON.
	Job []byte
	// Lease is how long the runner goes on without a word; 0: DefaultLease.
	Lease time.Duration
	// Until says until when the runner may go on, if it hears nothing more: never longer than Lease. It is asked at every beat, a third
	// of Lease apart. nil: Lease from now on.
	Until func() time.Time
	// Beats is a way to the runner for beats alone, which it can look at without reading the stream; see Leased. nil: the stream.
	Beats io.Writer
	// Patience is how long the runner may be silent before the stream is given up; 0: forty times Lease. A runner that is
	// frozen makes no load, and one whose scripts take every processor of a busy host may be slow to speak.
	Patience time.Duration
	// Log is told of every record. It must return at once: nothing is read meanwhile.
	Log func(Record)
	// Lines gets whole lines of output number n of the job, in their order. While it waits the runner's lines wait, and nothing else.
	// lines are its own.
	Lines func(n int, lines []byte)
	// Shared answers what scripts share; nil: nobody does.
	Shared run.Shared
	// Ended says why the process at the other end is no longer there, once it knows: what calls that were under way return.
	Ended func() error
}

// Client is the node's end: a run.Runner that lives in another process. Calls that were under way when the stream ended, or came after
// it, return a run.ErrLost that says why.
type Client struct {
	*link
	cfg     Config
	urgent  chan struct{}
	updated chan struct{}
	all     sync.WaitGroup
	done    chan struct{} // closed when all is quiet

	state    sync.Mutex // guards what follows
	newest   *metric.Encoded
	decoded  *metric.Snapshot // of newest, once somebody wanted it
	progress []run.Progress
	failed   bool

	taking sync.Mutex // guards what follows
	queue  []taken
	more   *sync.Cond
}

type taken struct {
	output int
	lines  []byte
}

// Dial gives the runner at the other end of conn its job and returns the node's end; Close ends it.
func Dial(conn io.ReadWriteCloser, cfg Config) *Client {
	if cfg.Lease <= 0 {
		cfg.Lease = DefaultLease
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 40 * cfg.Lease
	}
	if cfg.Until == nil {
		cfg.Until = func() time.Time { return time.Now().Add(cfg.Lease) }
	}
	c := &Client{link: newLink(context.Background(), conn), cfg: cfg, urgent: make(chan struct{}, 1), updated: make(chan struct{}, 1), done: make(chan struct{})}
	c.more = sync.NewCond(&c.taking)
	c.answer, c.take = c.asked, c.frame
	job := cfg.Job
	if len(job) == 0 {
		job = []byte("null")
	}
	if b, err := json.Marshal(opening{cfg.Lease, job}); err != nil {
		c.end(fmt.Errorf("send the job: %w", err))
	} else {
		c.out.calls = append(c.out.calls, end(append(frame(nil, jobFrame), b...), 0))
	}
	c.all.Go(c.beat)
	c.all.Go(c.passLines)
	go c.finish()
	return c
}

// finish carries the stream to its end.
func (c *Client) finish() {
	defer close(c.done)
	_ = c.run() // as the context says
	c.taking.Lock()
	c.more.Broadcast()
	c.taking.Unlock()
	c.all.Wait()
}

// Close ends the stream, and with it the runner, and waits until nothing of this end is under way.
func (c *Client) Close() {
	c.end(io.ErrClosedPipe)
	<-c.done
}

// Done is closed when the stream has ended.
func (c *Client) Done() <-chan struct{} { return c.ctx.Done() }

// Err is what ended the stream; nil while it lasts.
func (c *Client) Err() error {
	if c.ctx.Err() == nil {
		return nil
	}
	return reason(context.Cause(c.ctx))
}

// Silence is for how long nothing has come from the runner, which speaks once a second.
func (c *Client) Silence() time.Duration { return c.silence() }

// beat lets the runner go on, and watches whether it speaks.
func (c *Client) beat() {
	tick := time.NewTicker(c.cfg.Lease / 3)
	defer tick.Stop()
	for {
		c.sendBeat()
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		if silent := c.silence(); silent > c.cfg.Patience {
			c.end(fmt.Errorf("the runner has been silent for %v", silent.Round(time.Second)))
		}
	}
}

func (c *Client) sendBeat() {
	if c.cfg.Beats == nil {
		c.out.put(func() { c.out.beat = func() []byte { return number(beatFrame, uint64(wall(c.cfg.Until()))) } })
		return
	}
	if d, ok := c.cfg.Beats.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = d.SetWriteDeadline(time.Now().Add(c.cfg.Lease / 6)) // where there is none the beats of hours have room
	}
	_, _ = c.cfg.Beats.Write(AppendBeat(nil, c.cfg.Until())) // a runner that is gone is noticed by its stream
}

// frame takes what is no call.
func (c *Client) frame(k kind, payload []byte) error {
	switch k {
	case beatFrame:
		return nil
	case snapshotFrame:
		return c.takeState(payload)
	case logFrame:
		var records []Record
		if err := json.Unmarshal(payload, &records); err != nil {
			return fmt.Errorf("read log records: %w", err)
		}
		for i := range records {
			if c.cfg.Log != nil {
				c.cfg.Log(records[i])
			}
		}
		return nil
	case linesFrame:
		return c.takeLines(payload)
	}
	return fmt.Errorf("an unexpected frame of kind %d", k)
}

func (c *Client) takeState(payload []byte) error {
	if len(payload) < 5 {
		return fmt.Errorf("a state of %d bytes", len(payload))
	}
	flags, size, rest := payload[0], binary.LittleEndian.Uint32(payload[1:]), payload[5:]
	if int64(size) > int64(len(rest)) {
		return errors.New("a torn state")
	}
	var progress []run.Progress
	if err := json.Unmarshal(rest[:size], &progress); err != nil {
		return fmt.Errorf("read the progress: %w", err)
	}
	if err := c.renew(rest[size:]); err != nil {
		return err
	}
	c.state.Lock()
	c.progress, c.failed = progress, c.failed || flags&failedFlag != 0
	c.state.Unlock()
	token(c.updated)
	if flags&urgentFlag != 0 {
		token(c.urgent)
	}
	return nil
}

func token(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default: // there is one
	}
}

// renew keeps a snapshot if it is no older than the one that is known.
func (c *Client) renew(data []byte) error {
	c.state.Lock()
	last := c.newest
	c.state.Unlock()
	e, err := metric.Read(data, last)
	if err != nil {
		return err
	}
	c.state.Lock()
	defer c.state.Unlock()
	if c.newest == nil || e.Seq >= c.newest.Seq {
		c.newest, c.decoded = e, nil
	}
	return nil
}

func (c *Client) takeLines(payload []byte) error {
	if len(payload) < 4 {
		return fmt.Errorf("lines of %d bytes", len(payload))
	}
	c.taking.Lock()
	defer c.taking.Unlock()
	waiting := 0
	for _, q := range c.queue {
		waiting += len(q.lines)
	}
	if waiting > 2*window+maxLines {
		return errors.New("the runner sent more lines than it was allowed to")
	}
	c.queue = append(c.queue, taken{int(binary.LittleEndian.Uint32(payload)), payload[4:]})
	c.more.Broadcast()
	return nil
}

// passLines hands lines on, and then lets the runner send as many more.
func (c *Client) passLines() {
	for {
		c.taking.Lock()
		for len(c.queue) == 0 && c.ctx.Err() == nil {
			c.more.Wait()
		}
		if len(c.queue) == 0 {
			c.taking.Unlock()
			return
		}
		next := c.queue[0]
		c.taking.Unlock()
		if c.cfg.Lines != nil {
			c.cfg.Lines(next.output, next.lines)
		}
		c.taking.Lock()
		c.queue = c.queue[1:]
		c.more.Broadcast()
		c.taking.Unlock()
		c.out.put(func() { c.out.owed += len(next.lines) })
	}
}

// asked answers the runner.
func (c *Client) asked(ctx context.Context, m message) ([]byte, message, error) {
	if m.Call != callAsk || m.Ask == nil {
		return nil, message{}, fmt.Errorf("a call that is not known here: %.20q", m.Call)
	}
	if c.cfg.Shared == nil {
		return nil, message{}, errors.New("nothing is shared between the runners of this run")
	}
	answer, err := c.cfg.Shared.Do(ctx, *m.Ask)
	return nil, message{head: head{Answer: &answer}}, err
}
