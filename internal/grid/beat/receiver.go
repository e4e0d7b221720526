package beat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"throng/internal/grid/courier"
	"throng/internal/grid/fence"
)

// Path is where a Receiver listens.
const Path = "/throng/v1/beat"

// Receiver hears beats. It is safe for concurrent use.
type Receiver struct {
	cfg ReceiverConfig

	mu      sync.Mutex // guards what follows
	witness *fence.Witness
	nodes   map[string]*peer
	parts   map[string]map[string]*Heard // by run, by part
	changed chan struct{}                // closed, and made anew, at every change of a report
}

// ReceiverConfig says how a Receiver answers.
type ReceiverConfig struct {
	Self string
	// Grid returns who leads in which term and who votes, as this node knows it.
	Grid func() (leader string, term uint64, voters []string)
	// Caller is the name of the node that a request comes from, proved; "" where nothing is proved.
	Caller func(*http.Request) string
	// Lines takes a part's console and log lines, in order and each once, while this node leads. It must not wait. What it does not
	// take, which false says, is told again.
	Lines func(node, run, part string, lines []Line, leftOut int64) bool
	// Over reports whether a run is known to have ended; nil: nobody knows.
	Over func(run string) bool
}

type peer struct {
	life     string
	seq      uint64
	offset   time.Duration
	silences map[string]time.Duration
	told     time.Time // when silences arrived
}

// Heard is what was last heard of a part.
type Heard struct {
	Node string
	Life string
	At   time.Time
	Beat uint64 // number of the beat that told it
	// Measured is when the snapshot arrived.
	Measured time.Time
	Report
	lines   int64 // number of the line wanted next
	leftOut int64
}

// NewReceiver returns a Receiver that has heard nobody.
func NewReceiver(cfg ReceiverConfig) *Receiver {
	return &Receiver{
		cfg: cfg, witness: fence.NewWitness(time.Now()), nodes: map[string]*peer{}, parts: map[string]map[string]*Heard{}, changed: make(chan struct{}),
	}
}

// ServeHTTP answers for Path.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	courier.Handler(func(req *http.Request) (any, error) {
		b, err := readBeat(req.Body, req.ContentLength)
		if err != nil {
			return nil, &courier.Status{Code: http.StatusBadRequest, Err: err}
		}
		if who := r.cfg.Caller(req); who != "" && who != b.Node {
			return nil, &courier.Status{Code: http.StatusForbidden, Err: fmt.Errorf("%s sends a beat in the name of %s", who, b.Node)}
		}
		return r.Hear(b, time.Now()), nil
	}).ServeHTTP(w, req)
}

// Hear takes in a beat that arrived at now.
func (r *Receiver) Hear(b *Beat, now time.Time) Ack {
	leader, term, voters := r.cfg.Grid()
	ack := Ack{Now: now, Leader: leader, Term: term, Voters: voters}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.nodes[b.Node]
	if p == nil {
		p = &peer{}
		r.nodes[b.Node] = p
	}
	if p.life == b.Life && b.Seq < p.seq {
		return ack // overtaken by a newer one
	}
	r.witness.Heard(b.Node, now)
	p.life, p.seq, p.offset = b.Life, b.Seq, b.Offset
	if b.Silences != nil {
		p.silences, p.told = b.Silences, now
	}
	for i := range b.Reports {
		r.report(b, &b.Reports[i], now, leader == r.cfg.Self, &ack)
	}
	if leader == r.cfg.Self && r.cfg.Over != nil {
		ack.Over = r.over(b.Reports)
	}
	if len(b.Reports) > 0 {
		close(r.changed)
		r.changed = make(chan struct{})
	}
	return ack
}

func (r *Receiver) report(b *Beat, in *Report, now time.Time, leading bool, ack *Ack) {
	parts := r.parts[in.Run]
	if parts == nil {
		parts = map[string]*Heard{}
		r.parts[in.Run] = parts
	}
	h := parts[in.Part]
	if h == nil {
		h = &Heard{}
		parts[in.Part] = h
	}
	snapshot, seq, measured := h.Snapshot, h.Seq, h.Measured
	h.Node, h.Life, h.At, h.Beat, h.Report = b.Node, b.Life, now, b.Seq, *in
	if len(in.Snapshot) == 0 || in.Seq < seq { // only the newest snapshot is kept, whichever beat brought it
		h.Snapshot, h.Seq, h.Measured = snapshot, seq, measured
	} else {
		h.Measured = now
	}
	if len(h.Snapshot) > 0 {
		if ack.Held == nil {
			ack.Held = map[string]uint64{}
		}
		ack.Held[Key(in.Run, in.Part)] = h.Seq
	}
	h.Lines = nil
	if !leading {
		return
	}
	fresh := in.Lines
	if skip := h.lines - in.First; skip > 0 {
		fresh = fresh[min(skip, int64(len(fresh))):]
	}
	if len(fresh) > 0 || in.LeftOut > h.leftOut {
		if !r.cfg.Lines(b.Node, in.Run, in.Part, fresh, max(0, in.LeftOut-h.leftOut)) {
			return
		}
		h.leftOut = max(h.leftOut, in.LeftOut)
	}
	h.lines = max(h.lines, in.First+int64(len(in.Lines)))
	if ack.Lines == nil {
		ack.Lines = map[string]int64{}
	}
	ack.Lines[Key(in.Run, in.Part)] = h.lines
}

// over are the runs among the reports that have ended.
func (r *Receiver) over(reports []Report) (out []string) {
	for _, in := range reports {
		if r.cfg.Over(in.Run) && !slices.Contains(out, in.Run) {
			out = append(out, in.Run)
		}
	}
	return out
}

// Changed is closed when a report has arrived since the call.
func (r *Receiver) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// Parts returns what was last heard of every part of a run.
func (r *Receiver) Parts(run string) map[string]Heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]Heard, len(r.parts[run]))
	for id, h := range r.parts[run] {
		out[id] = *h
	}
	return out
}

// Part returns what was last heard of one part of a run; false when nothing was.
func (r *Receiver) Part(run, part string) (Heard, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.parts[run][part]
	if h == nil {
		return Heard{}, false
	}
	return *h, true
}

// Take adds what another voter has heard of a run: what is newer counts.
func (r *Receiver) Take(run string, parts map[string]Heard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	mine := r.parts[run]
	if mine == nil {
		mine = map[string]*Heard{}
		r.parts[run] = mine
	}
	for id, h := range parts {
		have := mine[id]
		if have == nil {
			mine[id] = &h
			continue
		}
		newest := *have
		if have.Seq < h.Seq {
			newest = h
		}
		if have.Beat < h.Beat {
			h.lines, h.leftOut = have.lines, have.leftOut
			*have = h
		}
		have.Seq, have.Size, have.Snapshot, have.Measured = newest.Seq, newest.Size, newest.Snapshot, newest.Measured
	}
}

// Forget drops what is known of a run.
func (r *Receiver) Forget(run string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.parts, run)
}

// Silent returns those of nodes that this voter has not heard for longer than that, and for how long.
func (r *Receiver) Silent(nodes []string, longer time.Duration) map[string]time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.witness.Silent(nodes, longer, time.Now())
}

// Silence is for how long this voter has not heard a node.
func (r *Receiver) Silence(node string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.witness.Silence(node, time.Now())
}

// Told returns what each voter last said of its silences, not older than a beat and a half, this one's own included. It must not
// be changed.
func (r *Receiver) Told(voters, nodes []string) map[string]map[string]time.Duration {
	own := r.Silent(nodes, fence.Silence)
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]map[string]time.Duration{}
	for _, v := range voters {
		if p := r.nodes[v]; p != nil && time.Since(p.told) < fence.Every*3/2 {
			out[v] = p.silences
		}
	}
	out[r.cfg.Self] = own
	return out
}

// Peer returns the life of a node's process and how far the leader's clock is ahead of the node's, as last heard; false for one never
// heard.
func (r *Receiver) Peer(node string) (life string, offset time.Duration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.nodes[node]
	if p == nil {
		return "", 0, false
	}
	return p.life, p.offset, true
}

// HeardPath begins the paths where a voter tells what it has heard of a run: HeardPath + its id.
const HeardPath = "/throng/v1/heard/"

// told is a Heard on its way. How long ago something was travels, not when: the clocks of two voters may differ.
type told struct {
	Heard
	Age         time.Duration `json:"age"`
	MeasuredAge time.Duration `json:"measured_age,omitempty"` // 0: nothing was measured
	Snapshot    []byte        `json:"snapshot"`
}

// HeardHandler answers for HeardPath: GET asks, PUT tells.
func (r *Receiver) HeardHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		run := strings.TrimPrefix(req.URL.Path, HeardPath)
		if req.Method == http.MethodPut {
			parts, err := readTold(req.Body)
			if err != nil {
				courier.WriteError(w, &courier.Status{Code: http.StatusBadRequest, Err: err})
				return
			}
			r.Take(run, parts)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(tell(r.Parts(run))) // who has gone need not be told
	})
}

func tell(parts map[string]Heard) map[string]told {
	out := make(map[string]told, len(parts))
	for id, h := range parts {
		t := told{Heard: h, Age: time.Since(h.At), Snapshot: h.Snapshot}
		if !h.Measured.IsZero() {
			t.MeasuredAge = max(1, time.Since(h.Measured))
		}
		out[id] = t
	}
	return out
}

func readTold(from io.Reader) (map[string]Heard, error) {
	var in map[string]told
	if err := json.NewDecoder(io.LimitReader(from, 4*maxBeat)).Decode(&in); err != nil {
		return nil, err
	}
	out, now := make(map[string]Heard, len(in)), time.Now()
	for id, t := range in {
		t.Heard.Snapshot, t.Heard.At, t.Heard.Measured = t.Snapshot, now.Add(-t.Age), time.Time{}
		if t.MeasuredAge > 0 {
			t.Heard.Measured = now.Add(-t.MeasuredAge)
		}
		out[id] = t.Heard
	}
	return out, nil
}

// Tell tells the voter at base what was heard of a run.
func Tell(ctx context.Context, c *courier.Client, base, run string, parts map[string]Heard) error {
	body, err := json.Marshal(tell(parts))
	if err != nil {
		return err
	}
	res, err := c.Do(ctx, http.MethodPut, base, HeardPath+run, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Ask returns what the voter at base has heard of a run.
func Ask(ctx context.Context, c *courier.Client, base, run string) (map[string]Heard, error) {
	res, err := c.Do(ctx, http.MethodGet, base, HeardPath+run, "", nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	parts, err := readTold(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read what %s has heard: %w", base, err)
	}
	return parts, nil
}

// ForgetNode drops what is known of a node that left the grid.
func (r *Receiver) ForgetNode(node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.witness.Forget(node)
	delete(r.nodes, node)
}
