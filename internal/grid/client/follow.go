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

	"throng/internal/fault"
	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/grid/desk"
)

// Follow tells of a run's events until it has ended, whoever leads meanwhile. Events may be missed while nobody leads; none is
// told twice. With outputs, the lines of the run's outputs are among them. A grid that does not answer is waited for.
func (g *Grid) Follow(ctx context.Context, id string, outputs bool, tell func(desk.Event)) error {
	now := *g
	now.patience, now.persistent, now.perNode = 0, false, silence
	f := follower{g: &now, id: id, tell: tell, outputs: outputs, heard: time.Now()}
	told := false
	for {
		over, err := f.once(ctx)
		var rec cluster.Run
		if !over { // between two leaders the record tells whether the run has ended
			err = now.JSON(ctx, http.MethodGet, desk.RunsPath+"/"+id, nil, &rec)
			over = err == nil && rec.State.Over()
		}
		switch away := time.Since(f.heard); {
		case over:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			if told {
				tell(notice(levelInfo, "the grid is reached again"))
			}
			f.heard, told = time.Now(), false
			_, _ = now.Learn(ctx) // nodes that came meanwhile; who cannot tell of them is asked again
		case !elsewhere(err):
			return f.shutOut(err)
		case away > farewell:
			return fault.WithHint(fault.Other, fmt.Errorf("the grid has not been reached for %v: %w", farewell, err), "the run may go on: throng attach "+id+" follows it")
		case away > quiet && !told:
			told = true
			tell(notice(levelWarn, "the grid is not reached; waiting ("+err.Error()+")"))
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// shutOut says of one whose token is worthless all of a sudden what becomes of the run.
func (f *follower) shutOut(err error) error {
	var r *courier.RemoteError
	if f.feed == "" || !errors.As(err, &r) || r.Status != http.StatusUnauthorized && r.Status != http.StatusForbidden {
		return err
	}
	return fault.WithHint(fault.KindOf(err), err, "the run goes on: throng attach "+f.id+", with another token, follows it")
}

const (
	// quiet is for how long a grid may be away before the user is told: an election takes less.
	quiet = 5 * time.Second
	// farewell is for how long: hosts start again meanwhile, and networks are mended. The run needs nobody who follows it.
	farewell = 10 * time.Minute

	levelInfo = 0 // slog's
	levelWarn = 4
)

func notice(level int, text string) desk.Event {
	return desk.Event{Line: &beat.Line{At: time.Now().UTC(), Level: level, Text: text}}
}

type follower struct {
	g    *Grid
	id   string
	tell func(desk.Event)
	feed string
	next int64
	// heard is when the grid was last heard.
	heard time.Time

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
	var watchdog *time.Timer
	err = f.g.each(ctx, func(ctx context.Context, base string) error {
		ctx, cancel := context.WithCancelCause(ctx) // ends with the stream
		watchdog = time.AfterFunc(silence, func() { cancel(fmt.Errorf("%s: %w", base, courier.ErrUnreachable)) })
		res, err = f.g.call.Do(ctx, http.MethodGet, base, desk.RunsPath+"/"+f.id+"/follow?"+q.Encode(), "", nil) //nolint:bodyclose // it is, below
		if err != nil {
			watchdog.Stop()
		}
		return err
	})
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	defer watchdog.Stop()
	in := bufio.NewScanner(res.Body)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		watchdog.Reset(silence)
		f.heard = time.Now()
		var e desk.Event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			return false, fmt.Errorf("read the events of run %s: %w", f.id, err)
		}
		if e.Over {
			return true, nil
		}
		f.take(e)
	}
	if err := in.Err(); err != nil {
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
