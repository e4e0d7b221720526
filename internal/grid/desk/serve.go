package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/grid/order"
	"throng/internal/metric"
	"throng/internal/run"
)

// The paths of runs. POST RunsPath submits (on the leader), GET lists; below RunsPath + "/" + id: GET the record, GET result, GET
// follow (on the leader while the run goes on), POST stop (on the leader).
const RunsPath = "/throng/v1/runs"

// StopCall is the body of a stop.
type StopCall struct {
	Why  string     `json:"why"`
	Kind fault.Kind `json:"kind"`
}

func leftOutText(n int64) string {
	return fmt.Sprintf("lines that were left out because there were too many: %d", n)
}

// ToLeader reports whether only the leader can answer r.
func ToLeader(r *http.Request) bool {
	return r.Method == http.MethodPost || strings.HasSuffix(r.URL.Path, "/follow")
}

// Handler answers for RunsPath and what is below it. Caller names who asks, for the records.
func (d *Desk) Handler(caller func(*http.Request) string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST "+RunsPath, courier.Handler(func(r *http.Request) (any, error) {
		var asked cluster.Asked
		if err := courier.Read(r, &asked); err != nil {
			return nil, err
		}
		return shown(d.Submit(r.Context(), asked, caller(r)))
	}))
	mux.Handle("GET "+RunsPath, courier.Handler(func(r *http.Request) (any, error) {
		all, err := d.List(r.Context())
		for i := range all {
			all[i], _ = shown(all[i], nil)
		}
		return all, err
	}))
	mux.Handle("GET "+RunsPath+"/{id}", courier.Handler(func(r *http.Request) (any, error) { return shown(d.Get(r.Context(), r.PathValue("id"))) }))
	mux.Handle("GET "+RunsPath+"/{id}/result", courier.Handler(func(r *http.Request) (any, error) {
		rec, err := d.Get(r.Context(), r.PathValue("id"))
		if err != nil {
			return nil, err
		}
		return d.Result(r.Context(), rec)
	}))
	mux.Handle("POST "+RunsPath+"/{id}/stop", courier.Handler(func(r *http.Request) (any, error) {
		var call StopCall
		if err := courier.Read(r, &call); err != nil {
			return nil, err
		}
		return struct{}{}, d.Stop(r.Context(), r.PathValue("id"), fault.New(call.Kind, errors.New(call.Why)))
	}))
	mux.HandleFunc("GET "+RunsPath+"/{id}/follow", d.follow)
	mux.Handle("POST "+order.LinesPath+"{id}", courier.Handler(func(r *http.Request) (any, error) {
		var l order.Lines
		if err := courier.Read(r, &l); err != nil {
			return nil, err
		}
		if f := d.find(r.PathValue("id")); f != nil {
			f.output(&l)
		}
		return struct{}{}, nil
	}))
	return mux
}

// shown is a record as everybody may see it who may look at runs.
func shown(r *cluster.Run, err error) (*cluster.Run, error) {
	if err != nil {
		return nil, err
	}
	open := *r
	open.Asked = r.Asked.WithoutSecrets()
	return &open, nil
}

// alive is how often those who follow hear something, even if nothing happens.
const alive = time.Second

// follow streams a run's events, one JSON document a line, until the run has ended or another node leads it. The query's feed and n
// say what the caller has had already.
func (d *Desk) follow(w http.ResponseWriter, r *http.Request) {
	rec, err := d.Get(r.Context(), r.PathValue("id"))
	if err == nil {
		_, err = d.leading()
	}
	if err != nil {
		courier.WriteError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	s := stream{enc: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
	if rec.State.Over() {
		s.send(Event{Over: true, State: rec.State})
		return
	}
	f := d.open(rec.ID)
	// It may have ended before there was a feed that would say so.
	if rec, err = d.Get(r.Context(), rec.ID); err != nil {
		return
	}
	if rec.State.Over() {
		d.close(f, rec)
		s.send(Event{Over: true, State: rec.State})
		return
	}
	next := int64(0)
	if r.URL.Query().Get("feed") == f.id {
		next, _ = strconv.ParseInt(r.URL.Query().Get("n"), 10, 64) // of nonsense we tell all
	}
	s.send(Event{Feed: f.id, State: rec.State, Before: d.before(r.Context(), rec)})
	if r.URL.Query().Get("outputs") != "" {
		s.outputs = true
		if r.URL.Query().Get("feed") == f.id {
			s.chunk, _ = strconv.ParseInt(r.URL.Query().Get("chunk"), 10, 64) // as above
		}
	}
	s.follow(r.Context(), f, next)
}

// before is how many runs come before a queued one.
func (d *Desk) before(ctx context.Context, rec *cluster.Run) (n int) {
	if rec.State != cluster.Queued {
		return 0
	}
	all, err := d.List(ctx)
	if err != nil {
		return 0 // it is told again
	}
	for _, r := range all {
		if r.ID == rec.ID {
			break
		}
		if !r.State.Over() {
			n++
		}
	}
	return n
}

// stream writes events until one cannot be written.
type stream struct {
	enc   *json.Encoder
	flush func() error
	err   error

	outputs bool // lines of outputs are wanted too, from number chunk on
	chunk   int64
}

func (s *stream) send(events ...Event) {
	for _, e := range events {
		if s.err == nil {
			s.err = s.enc.Encode(e)
		}
	}
	if s.err == nil && len(events) > 0 {
		s.err = s.flush()
	}
}

func (s *stream) sendLines(f *feed) {
	chunks, next := f.lines(s.chunk)
	for i, c := range chunks {
		s.send(Event{N: next - int64(len(chunks)-i), Lines: c})
	}
	s.chunk = next
}

func (s *stream) follow(ctx context.Context, f *feed, next int64) {
	tick := time.NewTicker(alive)
	defer tick.Stop()
	var seen *Tick
	for s.err == nil {
		events, t, over, changed := f.after(next, seen)
		if s.outputs { // before the events: the last of them says that there are no more lines
			s.sendLines(f)
		}
		s.send(events...)
		if len(events) > 0 {
			next = events[len(events)-1].N + 1
		}
		if t != nil {
			seen = t
			s.send(Event{Tick: t})
		}
		if over {
			return
		}
		select {
		case <-changed:
		case <-tick.C:
			s.send(Event{})
		case <-ctx.Done():
			return
		}
	}
}

// tick tells those who follow how the run is.
func (c *chair) tick(begun time.Duration, snap metric.Snapshot) {
	b, err := snap.MarshalBinary()
	if err != nil {
		c.cfg.Log.Error("the snapshot cannot be told: " + err.Error())
		return
	}
	t := Tick{Begun: begun, Snapshot: b}
	heard := c.cfg.Receiver.Parts(c.id)
	var all [][]run.Progress
	for _, p := range c.record().Parts {
		h := heard[p.ID]
		if h.Phase == beat.Running {
			t.Nodes++
		}
		if p.Lost.IsZero() {
			all = append(all, h.Progress)
			t.Elapsed = max(t.Elapsed, h.Elapsed)
		}
	}
	t.Progress = run.MergeProgress(all...)
	c.feed.now(t)
}
