package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Config is what a Pusher works with.
type Config struct {
	// Name is what log lines call the output. It holds no secret.
	Name string
	// Send makes one attempt. An error that is Refused is final; any other is tried again. Several may go on at once.
	Send func(ctx context.Context, b Body) error
	// Writers is how many bodies are sent at once; 0: one.
	Writers int
	// Room is how many bytes wait at most; 0: DefaultRoom.
	Room int
	// Log is told what is wrong; nil: nobody.
	Log *slog.Logger
}

// DefaultRoom holds some 150,000 samples as lines of the line protocol.
const DefaultRoom = 32 << 20

// attempts bounds how often one body is sent, and first is how long the second waits after the first: each later one waits twice as
// long, 15 seconds in all.
const (
	attempts = 5
	first    = time.Second
)

// Patience is how long Flush, and Close, wait for a server that takes nothing; Most is how long they wait for one that takes body after
// body.
const (
	Patience = 2500 * time.Millisecond
	Most     = 10 * time.Second
)

// ErrRefused marks an answer that would be the same the next time.
var ErrRefused = errors.New("refused")

// Refused is err, and says that sending the same again is of no use.
func Refused(err error) error { return refusal{err} }

type refusal struct{ error }

func (r refusal) Is(target error) bool { return target == ErrRefused }
func (r refusal) Unwrap() error        { return r.error }

// Body is what one request carries.
type Body struct {
	Data    []byte
	Samples int64
}

// Pusher sends bodies in the order in which they come, or, with several writers, nearly so.
type Pusher struct {
	cfg   Config
	hurry chan struct{} // closed when nothing is waited for any more: each body has one attempt left

	mu      sync.Mutex // guards what follows
	more    *sync.Cond // the queue or busy has changed
	queue   []Body
	bytes   int   // in queue
	busy    int   // bodies that are being sent
	sending int64 // samples in them
	ended   bool
	hurried bool
	taken   int64 // samples
	lost    int64
	counted int64       // of lost: those that the log has been told
	trouble error       // the newest
	told    bool        // of trouble
	ending  *time.Timer // while Flush or Close waits: ends that, unless a body gets through before
}

// New returns a Pusher; Run makes it send.
func New(cfg Config) *Pusher {
	cfg.Writers = max(1, cfg.Writers)
	if cfg.Room <= 0 {
		cfg.Room = DefaultRoom
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pusher{cfg: cfg, hurry: make(chan struct{})}
	p.more = sync.NewCond(&p.mu)
	return p
}

// Put gives b to be sent; it must not change afterwards. It never waits: when there is no room the oldest bodies are lost.
func (p *Pusher) Put(b Body) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken += b.Samples
	p.queue = append(p.queue, b)
	p.bytes += len(b.Data)
	for p.bytes > p.cfg.Room && len(p.queue) > 1 {
		p.lost += p.pop().Samples
		if p.trouble == nil {
			p.trouble = errSlow
		}
	}
	p.more.Signal()
}

// Lose counts samples that were given up before they were in a body.
func (p *Pusher) Lose(samples int64, why error) {
	p.mu.Lock()
	p.taken += samples
	p.lost += samples
	p.trouble = why
	p.mu.Unlock()
}

// pop takes the oldest body out of the queue; p.mu is held.
func (p *Pusher) pop() Body {
	b := p.queue[0]
	p.queue[0] = Body{}
	p.queue = p.queue[1:]
	p.bytes -= len(b.Data)
	return b
}

// Run sends what comes until ctx is done. What is on its way then is put back for Close.
func (p *Pusher) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.more.Broadcast()
	})
	defer stop()
	var writers sync.WaitGroup
	for range p.cfg.Writers {
		writers.Go(func() {
			for p.next(ctx, true) {
			}
		})
	}
	writers.Wait()
}

// RunEvery is Run for an output that collects: give is called so often, to Put what there is.
func (p *Pusher) RunEvery(ctx context.Context, every time.Duration, give func()) {
	var sending sync.WaitGroup
	sending.Go(func() { p.Run(ctx) })
	defer sending.Wait()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			give()
		}
	}
}

// next sends the oldest body; false when ctx is done, or nothing is there and it does not wait.
func (p *Pusher) next(ctx context.Context, waits bool) bool {
	p.mu.Lock()
	for len(p.queue) == 0 && waits && ctx.Err() == nil {
		p.more.Wait()
	}
	if len(p.queue) == 0 || ctx.Err() != nil {
		p.mu.Unlock()
		return false
	}
	b := p.pop()
	p.busy++
	p.sending += b.Samples
	p.mu.Unlock()
	err := p.deliver(ctx, b)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	p.sending -= b.Samples
	switch {
	case err == nil:
		if p.ending != nil {
			p.ending.Reset(Patience)
		}
	case ctx.Err() != nil && !p.ended:
		p.queue = append([]Body{b}, p.queue...)
		p.bytes += len(b.Data)
	default:
		p.lost += b.Samples
	}
	p.more.Broadcast()
	return true
}

// deliver sends one body, again if that may help.
func (p *Pusher) deliver(ctx context.Context, b Body) error {
	wait := first
	for n := 1; ; n++ {
		err := p.cfg.Send(ctx, b)
		if err == nil || ctx.Err() != nil && !errors.Is(context.Cause(ctx), errTooLate) {
			return err
		}
		p.tell(err)
		if errors.Is(err, ErrRefused) || n == attempts || ctx.Err() != nil {
			return err
		}
		again := time.NewTimer(wait)
		select {
		case <-again.C:
		case <-p.hurry:
			again.Stop()
			return err
		case <-ctx.Done():
			again.Stop()
			return err
		}
		wait *= 2
	}
}

var (
	errSlow = errors.New("the server takes them more slowly than they come")
	// errTooLate ends what is still on its way when Close has no time left.
	errTooLate = errors.New("the server did not take them in time at the end")
)

// patient returns a context for what is left: it ends after Most, or once nothing has got through for Patience.
func (p *Pusher) patient(ctx context.Context) (context.Context, func()) {
	ctx, stop := context.WithTimeoutCause(ctx, Most, errTooLate)
	ctx, cancel := context.WithCancelCause(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = time.AfterFunc(Patience, func() { cancel(errTooLate) })
	return ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ending.Stop()
		p.ending = nil
		cancel(nil)
		stop()
	}
}

// tell says the first time what is wrong: a server that is gone would fill the log.
func (p *Pusher) tell(err error) {
	p.mu.Lock()
	told := p.told
	p.told, p.trouble = true, err
	p.mu.Unlock()
	if !told {
		p.cfg.Log.Error("output " + p.cfg.Name + ": " + err.Error() + "; the run goes on, and what is lost is counted at its end")
	}
}

// rush lets nothing be tried twice from now on.
func (p *Pusher) rush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.hurried {
		p.hurried = true
		close(p.hurry)
	}
}

// Flush waits until all that was given has been sent or given up, until ctx is done or patience ends, and has the log count what was lost.
// Run must be going on. From now on nothing is tried twice.
func (p *Pusher) Flush(ctx context.Context) {
	p.rush()
	ctx, cancel := p.patient(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.more.Broadcast()
	})
	defer stop()
	p.mu.Lock()
	for len(p.queue)+p.busy > 0 && ctx.Err() == nil {
		p.more.Wait()
	}
	waits := p.sending
	for _, b := range p.queue {
		waits += b.Samples
	}
	if p.trouble == nil && waits > 0 {
		p.trouble = errTooLate
	}
	p.mu.Unlock()
	p.count(waits)
}

// Close sends what is left, once Run has returned, until patience ends, and has the log count what was lost.
func (p *Pusher) Close() {
	p.rush()
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	ctx, cancel := p.patient(context.Background())
	defer cancel()
	var writers sync.WaitGroup
	for range p.cfg.Writers {
		writers.Go(func() {
			for p.next(ctx, false) {
			}
		})
	}
	writers.Wait()
	p.mu.Lock()
	for len(p.queue) > 0 {
		p.lost += p.pop().Samples
		if p.trouble == nil {
			p.trouble = errTooLate
		}
	}
	p.mu.Unlock()
	p.count(0)
}

// count tells the log what was lost since it was told last, as far as that is known: so many more still wait.
func (p *Pusher) count(waits int64) {
	p.mu.Lock()
	lost, taken, why, fresh := p.lost+waits, p.taken, p.trouble, p.lost+waits > p.counted
	if fresh {
		p.counted = lost
	}
	p.mu.Unlock()
	if !fresh {
		return
	}
	text := fmt.Sprintf("output %s: %d of %d samples were not written", p.cfg.Name, lost, taken)
	if why != nil {
		text += ": " + why.Error()
	}
	p.cfg.Log.Error(text)
}
