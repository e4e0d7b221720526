package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/grid/desk"
)

// Follow tells of a run's events until it has ended, whoever leads meanwhile. Events may be missed while nobody leads; none is
// told twice. With outputs, the lines of the run's outputs are among them.
func (g *Grid) Follow(ctx context.Context, id string, outputs bool, tell func(desk.Event)) error {
	f := follower{g: g, id: id, tell: tell, outputs: outputs}
	for {
		over, err := f.once(ctx)
		switch {
		case over:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !elsewhere(err):
			return err
		}
		// Between two leaders the record tells whether the run has ended.
		var rec cluster.Run
		if err := g.JSON(ctx, http.MethodGet, desk.RunsPath+"/"+id, nil, &rec); err != nil {
			return err
		}
		if rec.State.Over() {
			return nil
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

type follower struct {
	g    *Grid
	id   string
	tell func(desk.Event)
	feed string
	next int64

	outputs bool // lines of outputs are wanted too, from number chunk on
	chunk   int64
}

// silence is how long a stream may be silent before it counts as broken: something comes every second.
const silence = 5 * time.Second

// once follows one stream to its end.
func (f *follower) once(ctx context.Context) (over bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q := url.Values{"feed": {f.feed}, "n": {fmt.Sprint(f.next)}}
	if f.outputs {
		q.Set("outputs", "1")
		q.Set("chunk", fmt.Sprint(f.chunk))
	}
	var res *http.Response
	err = f.g.each(ctx, func(_ context.Context, base string) error {
		res, err = f.g.call.Do(ctx, http.MethodGet, base, desk.RunsPath+"/"+f.id+"/follow?"+q.Encode(), "", nil)
		return err
	})
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	watchdog := time.AfterFunc(silence, func() { cancel(courier.ErrUnreachable) })
	defer watchdog.Stop()
	in := bufio.NewScanner(res.Body)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		watchdog.Reset(silence)
		var e desk.Event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			return false, fmt.Errorf("read the events of run %s: %w", f.id, err)
		}
		if e.Over {
			return true, nil
		}
		f.take(e)
	}
	if err := in.Err(); err != nil && !errors.Is(err, context.Canceled) {
		return false, fmt.Errorf("%w: %w", courier.ErrUnreachable, err)
	}
	return false, nil
}

func (f *follower) take(e desk.Event) {
	if e.Feed != "" {
		if e.Feed != f.feed {
			f.feed, f.next, f.chunk = e.Feed, 0, 0
		}
		f.tell(e)
		return
	}
	if e.Lines != nil {
		if e.N < f.chunk {
			return
		}
		f.chunk = e.N + 1
	}
	if e.Line != nil || e.Stage != nil {
		if e.N < f.next {
			return
		}
		f.next = e.N + 1
	}
	f.tell(e)
}
