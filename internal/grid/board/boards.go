package board

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
	// Others are the addresses of the other voters that live, and of those who are to vote soon.
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
	ruled   uint64     // the term in which this node has made sure, as a leader, that nobody knows more

	taking sync.Mutex // held while Asks, or a whole board, are taken; guards at
	at     place
}

// place says how far a board is: how many Asks it has taken, and in which term the last of them. Boards in the same place hold the
// same: the leader of a term puts its Asks in one order, and whoever takes them was where that leader was before.
type place struct {
	Term  uint64 `json:"term"`
	Count uint64 `json:"count"`
}

func (p place) behind(o place) bool { return p.Term < o.Term || p.Term == o.Term && p.Count < o.Count }

// next is where a board is that takes so many Asks of a leader.
func (p place) next(term uint64, asks int) place {
	if asks == 0 {
		return p
	}
	return place{term, p.Count + uint64(asks)}
}

type asked struct {
	ask  run.Ask
	done chan struct{} // closed once it is in order, or err is set
	err  error
}

// copied is what a leader has the other voters copy: Asks that follow on a place. Board is all that the leader holds there, for
// who is not in that place: it has begun to vote, or has started again.
type copied struct {
	Term  uint64          `json:"term"`
	From  place           `json:"from"`
	Board json.RawMessage `json:"board,omitempty"`
	Asks  []run.Ask       `json:"asks,omitempty"`
	Tell  bool            `json:"tell,omitempty"` // of a new leader, which wants to know the place, and if Whole what is there
	Whole bool            `json:"whole,omitempty"`
}

// told is the answer: where the board is then, and what it holds if that was asked.
type told struct {
	At    place           `json:"at"`
	Board json.RawMessage `json:"board,omitempty"`
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

// Lead keeps the other voters' boards like those of this node, which leads, until ctx ends: one that comes to vote, or starts again,
// must have a whole copy before it can lead.
func (b *Boards) Lead(ctx context.Context) {
	tick := time.NewTicker(keep)
	defer tick.Stop()
	for {
		b.mu.Lock()
		all := maps.Clone(b.runs)
		b.mu.Unlock()
		for id, o := range all {
			if !o.take() {
				continue // it is being copied
			}
			if err := b.send(ctx, id, o, nil); err != nil && ctx.Err() == nil {
				b.cfg.Told(err) // it is tried again
			}
			b.copy(context.WithoutCancel(ctx), id, o)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Open has Lead look after a run's board even if nobody asks for anything any more.
func (b *Boards) Open(run string) { b.of(run) }

// take makes the caller the one who copies, unless somebody does.
func (o *ordered) take() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.busy {
		return false
	}
	o.busy = true
	return true
}

const (
	// patience is how long an Ask waits for others before the answer is to ask again.
	patience = 3 * time.Second
	// copyIn bounds a copy, wholeIn one of a whole board; batch is how many Asks go at once, keep how often others are looked after.
	copyIn  = 2 * time.Second
	wholeIn = 10 * time.Second
	batch   = 256
	keep    = time.Second
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
		err := b.send(ctx, id, o, asks)
		for _, a := range some {
			a.err = err
			close(a.done)
		}
	}
}

// send copies Asks to every other voter that lives, and takes them. An error says that another node leads. The caller is the only one.
func (b *Boards) send(ctx context.Context, id string, o *ordered, asks []run.Ask) error {
	term := b.cfg.Term()
	if err := b.inherit(ctx, id, o, term); err != nil {
		return err
	}
	o.taking.Lock()
	from := o.at
	o.taking.Unlock()
	if from == (place{}) && len(asks) == 0 {
		return nil // there is nothing to copy
	}
	to := from.next(term, len(asks))
	err := b.others(func(base string) error {
		call := copied{Term: term, From: from, Asks: asks}
		answer, err := b.call(ctx, base, id, call, copyIn)
		if err != nil || answer.At == to {
			return err
		}
		if call.Board, err = json.Marshal(o.board); err == nil {
			_, err = b.call(ctx, base, id, call, wholeIn)
		}
		return err
	})
	if err != nil {
		return err
	}
	o.taking.Lock()
	defer o.taking.Unlock()
	if o.at != from { // a newer leader has had its own order taken meanwhile
		return courier.ErrNotLeader
	}
	for _, a := range asks {
		o.board.Take(a)
	}
	o.at = to
	return nil
}

// inherit makes sure, once in a term, that no other voter knows more than this node, which has begun to lead and may have begun to
// vote only a moment ago.
func (b *Boards) inherit(ctx context.Context, id string, o *ordered, term uint64) error {
	if o.ruled == term {
		return nil
	}
	o.taking.Lock()
	best, who := o.at, ""
	o.taking.Unlock()
	var mu sync.Mutex // guards best and who
	err := b.others(func(base string) error {
		answer, err := b.call(ctx, base, id, copied{Term: term, Tell: true}, copyIn)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && best.behind(answer.At) {
			best, who = answer.At, base
		}
		return err
	})
	if err == nil && who != "" {
		var answer told
		if answer, err = b.call(ctx, who, id, copied{Term: term, Tell: true, Whole: true}, wholeIn); err == nil {
			err = o.become(answer.Board, answer.At)
		}
	}
	if err == nil {
		o.ruled = term
	}
	return err
}

// become has the board hold what another one holds.
func (o *ordered) become(board []byte, at place) error {
	o.taking.Lock()
	defer o.taking.Unlock()
	if err := o.board.UnmarshalJSON(board); err != nil {
		return err
	}
	o.at = at
	return nil
}

// others calls f for every other voter at once. An error says that another node leads; whoever could not be reached is told of.
func (b *Boards) others(f func(base string) error) error {
	others := b.cfg.Others()
	errs := make([]error, len(others))
	var wg sync.WaitGroup
	for i, base := range others {
		wg.Go(func() {
			err := f(base)
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

func (b *Boards) call(ctx context.Context, base, id string, call copied, most time.Duration) (answer told, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, most, courier.ErrUnreachable)
	defer cancel()
	err = b.cfg.Client.JSON(ctx, http.MethodPost, base, CopyPath+id, call, &answer)
	return answer, err
}

// copied answers a leader.
func (b *Boards) copied(id string, call copied) (told, error) {
	if call.Term < b.cfg.Term() {
		return told{}, cluster.ErrDeposed
	}
	o := b.of(id)
	o.taking.Lock()
	defer o.taking.Unlock()
	switch {
	case call.Term < o.at.Term:
		return told{}, cluster.ErrDeposed
	case call.Tell && call.Whole:
		whole, err := json.Marshal(o.board)
		return told{o.at, whole}, err
	case call.Tell:
		return told{At: o.at}, nil
	case call.Board != nil:
		if err := o.board.UnmarshalJSON(call.Board); err != nil {
			return told{}, err
		}
	case call.From != o.at:
		return told{At: o.at}, nil // the leader sees that the board is elsewhere
	}
	for _, a := range call.Asks {
		o.board.Take(a)
	}
	o.at = call.From.next(call.Term, len(call.Asks))
	return told{At: o.at}, nil
}

// ServeHTTP answers for Path, on the leader, and for CopyPath.
func (b *Boards) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	courier.Handler(func(r *http.Request) (any, error) {
		if id, ok := strings.CutPrefix(r.URL.Path, CopyPath); ok {
			var call copied
			if err := courier.Read(r, &call); err != nil {
				return nil, err
			}
			return b.copied(id, call)
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
