package board

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/run"
	"throng/internal/run/shared"
)

// Where Asks are taken, on the leader, and copied, on the other voters: the path and a run's id.
const (
	Path     = "/throng/v1/shared/"
	CopyPath = "/throng/v1/copied/"
)

// Config is what Boards work with.
type Config struct {
	// Others are the addresses of the other voters that live.
	Others func() []string
	Client *courier.Client
	// Term is the newest term that this node knows of: copies of a leader of an older one are refused, and then that one answers
	// nobody any more.
	Term func() uint64
	// Told is told of voters that could not be reached: the next leader may lack what was shared meanwhile.
	Told func(error)
}

// Boards are the boards of the runs that go on: answering on the leader, copies elsewhere. They are safe for concurrent use.
type Boards struct {
	cfg Config

	mu   sync.Mutex // guards runs
	runs map[string]*ordered
}

// ordered is one board and the order of what it takes.
type ordered struct {
	board *shared.Board

	mu      sync.Mutex // guards what follows
	waiting []*asked   // to be copied, in order
	busy    bool       // they are being copied
}

type asked struct {
	ask  run.Ask
	done chan struct{} // closed once it is in order, or err is set
	err  error
}

// copied is what a leader has the other voters copy.
type copied struct {
	Term uint64    `json:"term"`
	Asks []run.Ask `json:"asks"`
}

// New returns Boards on which there is nothing.
func New(cfg Config) *Boards { return &Boards{cfg: cfg, runs: map[string]*ordered{}} }

func (b *Boards) of(run string) *ordered {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.runs[run]
	if o == nil {
		o = &ordered{board: shared.New()}
		b.runs[run] = o
	}
	return o
}

// Forget drops the board of a run that has ended.
func (b *Boards) Forget(run string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.runs, run)
}

// Lost gives up what the virtual users of a runner that is no more had claimed, and takes them from the barriers at which they waited.
func (b *Boards) Lost(run, runner string) {
	b.mu.Lock()
	o := b.runs[run]
	b.mu.Unlock()
	if o != nil {
		o.board.Forget(runner)
	}
}

const (
	// patience is how long an Ask waits for others before the answer is to ask again.
	patience = 3 * time.Second
	// copyIn bounds a copy; batch is how many Asks go at once.
	copyIn = 2 * time.Second
	batch  = 256
)

// Do answers an Ask of a run, on the leader.
func (b *Boards) Do(ctx context.Context, id string, ask run.Ask) (run.Answer, error) {
	if err := ask.Check(); err != nil {
		return run.Answer{Refused: err.Error()}, nil
	}
	o := b.of(id)
	a := &asked{ask: ask, done: make(chan struct{})}
	o.mu.Lock()
	o.waiting = append(o.waiting, a)
	lead := !o.busy
	o.busy = true
	o.mu.Unlock()
	if lead { // whoever finds nobody copying copies for all who come meanwhile
		b.copy(context.WithoutCancel(ctx), id, o)
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		return run.Answer{}, context.Cause(ctx)
	}
	if a.err != nil {
		return run.Answer{}, a.err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return o.board.Do(ctx, ask)
}

// copy puts what waits in order, here and with the other voters, until nothing does.
func (b *Boards) copy(ctx context.Context, id string, o *ordered) {
	for {
		o.mu.Lock()
		some := o.waiting[:min(len(o.waiting), batch)]
		o.waiting = o.waiting[len(some):]
		if len(some) == 0 {
			o.busy = false
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		asks := make([]run.Ask, len(some))
		for i, a := range some {
			asks[i] = a.ask
		}
		err := b.send(ctx, id, asks)
		for _, a := range some {
			if a.err = err; err == nil {
				o.board.Take(a.ask)
			}
			close(a.done)
		}
	}
}

// send copies Asks to every other voter that lives. An error says that another node leads.
func (b *Boards) send(ctx context.Context, id string, asks []run.Ask) error {
	ctx, cancel := context.WithTimeoutCause(ctx, copyIn, courier.ErrUnreachable)
	defer cancel()
	call := copied{b.cfg.Term(), asks}
	others := b.cfg.Others()
	errs := make([]error, len(others))
	var wg sync.WaitGroup
	for i, base := range others {
		wg.Go(func() {
			err := b.cfg.Client.JSON(ctx, http.MethodPost, base, CopyPath+id, call, nil)
			if errors.Is(err, cluster.ErrDeposed) {
				errs[i] = courier.ErrNotLeader
			} else if err != nil {
				b.cfg.Told(fmt.Errorf("what scripts share could not be copied: %w", err))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// ServeHTTP answers for Path, on the leader, and for CopyPath.
func (b *Boards) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	courier.Handler(func(r *http.Request) (any, error) {
		if id, ok := strings.CutPrefix(r.URL.Path, CopyPath); ok {
			var call copied
			if err := courier.Read(r, &call); err != nil {
				return nil, err
			}
			if call.Term < b.cfg.Term() {
				return nil, cluster.ErrDeposed
			}
			for _, a := range call.Asks {
				b.of(id).board.Take(a)
			}
			return struct{}{}, nil
		}
		var ask run.Ask
		if err := courier.Read(r, &ask); err != nil {
			return nil, err
		}
		return b.Do(r.Context(), strings.TrimPrefix(r.URL.Path, Path), ask)
	}).ServeHTTP(w, r)
}

// Asker passes the Asks of one run on to the leader. It implements run.Shared.
type Asker struct {
	Run    string
	Client *courier.Client
	Leader func() string // address of the node that leads; "" while nobody does
}

// again is how long an Asker waits when nobody answers.
const again = 200 * time.Millisecond

// Do implements run.Shared: while nobody leads the answer is to ask again later.
func (a Asker) Do(ctx context.Context, ask run.Ask) (run.Answer, error) {
	end := time.Now().Add(patience)
	for {
		var answer run.Answer
		err := errNobody
		if base := a.Leader(); base != "" {
			cctx, cancel := context.WithTimeoutCause(ctx, 2*patience, courier.ErrUnreachable)
			err = a.Client.JSON(cctx, http.MethodPost, base, Path+a.Run, ask, &answer)
			cancel()
		}
		switch {
		case err == nil:
			return answer, nil
		case ctx.Err() != nil:
			return run.Answer{}, context.Cause(ctx)
		case time.Now().After(end):
			return run.Answer{Later: true}, nil
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return run.Answer{}, context.Cause(ctx)
		}
	}
}

var errNobody = errors.New("nobody leads")
