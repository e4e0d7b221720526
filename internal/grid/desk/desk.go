package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/conductor"
	"throng/internal/grid/courier"
	"throng/internal/plural"
)

// Config is what a desk works with.
type Config struct {
	Self     string
	Version  string // of this throng: nodes of another one take no part in the runs that it begins
	Store    cluster.Store
	View     func() cluster.View
	Census   func() (voters, nodes []string) // who votes, and all that there are; they are not changed
	Address  func(node string) string        // of a node, "" where it is not known
	Depot    *courier.Depot
	Client   *courier.Client
	Receiver *beat.Receiver
	Log      *slog.Logger
	// Begun is told of a run that this node begins to conduct, Ended of runs that have ended, again and again, Lost of parts whose
	// runner is no more. nil: nobody wants to know.
	Begun func(run string)
	Ended func(run string)
	Lost  func(run, part, life string)
	// SummaryData makes what handleSummary is called with; view is the submitter's wish.
	SummaryData func(out conductor.Outcome, view json.RawMessage) ([]byte, error)
}

// Desk keeps runs. It is safe for concurrent use.
type Desk struct {
	cfg  Config
	born time.Time

	mu    sync.Mutex // guards what follows
	feeds map[string]*feed
	ended map[string]bool // runs that have ended, as far as is known here
	fence int64           // what writes are conditioned on while this node leads, else 0
	term  uint64

	wake chan struct{} // holds a token while the leader should look for work
}

// New returns a desk that leads nothing.
func New(cfg Config) *Desk {
	return &Desk{cfg: cfg, born: time.Now(), feeds: map[string]*feed{}, ended: map[string]bool{}, wake: make(chan struct{}, 1)}
}

// history is how many runs that have ended are kept.
const history = 500

// Submit takes a run in, on the leader: once it returns, the run is in the store and its bundle on every voter.
func (d *Desk) Submit(ctx context.Context, asked cluster.Asked, by string) (*cluster.Run, error) {
	if asked.ID == "" {
		asked.ID = NewID(time.Now())
	}
	if !idForm.MatchString(asked.ID) {
		return nil, &courier.Status{Code: http.StatusBadRequest, Err: fmt.Errorf("%.80q is no id of a run", asked.ID)}
	}
	if err := d.obtain(ctx, asked.Bundle); err != nil {
		return nil, fmt.Errorf("find the test's bundle: %w", err)
	}
	if _, err := choose(d.cfg.View(), d.cfg.Version, asked, nil); err != nil {
		return nil, err
	}
	if err := d.spread(ctx, asked.Bundle); err != nil {
		return nil, fmt.Errorf("bring the test to every voter: %w", err)
	}
	r := &cluster.Run{ID: asked.ID, Asked: asked, By: by, State: cluster.Queued, Submitted: time.Now().UTC()}
	r.Asked.ID = ""
	if err := d.write(ctx, r, 0); err != nil {
		if have, gerr := d.Get(ctx, r.ID); errors.Is(err, cluster.ErrDeposed) && gerr == nil && have.Asked.Bundle == asked.Bundle {
			return have, nil // it had arrived
		}
		return nil, err
	}
	select {
	case d.wake <- struct{}{}:
	default: // it will look anyway
	}
	return r, nil
}

// spread brings a blob that is here to every other voter that lives.
func (d *Desk) spread(ctx context.Context, digest string) error {
	v := d.cfg.View()
	self, _ := v.Find(d.cfg.Self)
	var wg sync.WaitGroup
	errs := make([]error, len(v.Nodes))
	for i, n := range v.Nodes {
		if n.Name == d.cfg.Self || n.Role != cluster.Voter || !n.Alive {
			continue
		}
		wg.Go(func() { errs[i] = d.bring(ctx, n, digest, self.Name) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// bring has a voter fetch a blob, as long as it lives: one that dies meanwhile fetches it when it has started again (Keep).
func (d *Desk) bring(ctx context.Context, to cluster.NodeState, digest, from string) error {
	for {
		err := d.cfg.Client.HaveFetched(ctx, to.ClientURL, digest, from)
		if !errors.Is(err, courier.ErrUnreachable) {
			if errors.Is(err, courier.ErrRefused) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", to.Name, err)
			}
			return nil
		}
		if now, ok := d.cfg.View().Find(to.Name); !ok || !now.Alive || now.Role != cluster.Voter {
			return nil
		}
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// whichever is write's revision for a record that replaces any other.
const whichever = -1

// write stores a record, fenced by the term; revision is that of the record that it replaces, 0 for a new one.
func (d *Desk) write(ctx context.Context, r *cluster.Run, revision int64) error {
	if r.State.Over() {
		r.Asked = r.Asked.WithoutSecrets()
	}
	b, err := r.Encode()
	if err != nil {
		return err
	}
	key := cluster.Runs + r.ID
	fence, err := d.leading()
	if err != nil {
		return err
	}
	conditions := []cluster.Condition{fence}
	if revision != whichever {
		conditions = append(conditions, cluster.Condition{Key: key, Revision: revision})
	}
	_, err = d.cfg.Store.Commit(ctx, cluster.Txn{If: conditions, Put: map[string][]byte{key: b}})
	if errors.Is(err, cluster.ErrConflict) {
		return fmt.Errorf("write the record of run %s: %w", r.ID, cluster.ErrDeposed)
	}
	return unavailable(err)
}

// unavailable words what the store returned when it could not be reached.
func unavailable(err error) error {
	for _, e := range []error{nil, cluster.ErrNotFound, cluster.ErrConflict, cluster.ErrDeposed} {
		if errors.Is(err, e) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", courier.ErrUnavailable, err)
}

// List returns the records of all runs, the oldest first.
func (d *Desk) List(ctx context.Context) ([]*cluster.Run, error) {
	kvs, _, err := d.cfg.Store.List(ctx, cluster.Runs)
	if err != nil {
		return nil, unavailable(err)
	}
	out := make([]*cluster.Run, 0, len(kvs))
	for _, kv := range kvs {
		r, err := decode(kv)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b *cluster.Run) int { return cmp.Or(a.Submitted.Compare(b.Submitted), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// Get returns the record of a run; an unambiguous beginning of its id is enough.
func (d *Desk) Get(ctx context.Context, id string) (*cluster.Run, error) {
	kvs, _, err := d.cfg.Store.List(ctx, cluster.Runs+id)
	if err != nil {
		return nil, unavailable(err)
	}
	for _, kv := range kvs {
		if kv.Key == cluster.Runs+id {
			return decode(kv)
		}
	}
	switch len(kvs) {
	case 1:
		return decode(kvs[0])
	case 0:
		err = fmt.Errorf("there is no run %q", id)
	default:
		err = fmt.Errorf("%q is ambiguous: %s", id, candidates(kvs))
	}
	return nil, &courier.Status{Code: http.StatusNotFound, Err: fault.WithHint(fault.Other, err, "throng runs lists them")}
}

// candidates names some of the runs that were found.
func candidates(kvs []cluster.KV) string {
	const most = 5
	var names []string
	for _, kv := range kvs[max(0, len(kvs)-most):] { // the newest
		names = append(names, strings.TrimPrefix(kv.Key, cluster.Runs))
	}
	text := strings.Join(names, ", ") + " begin so"
	if n := len(kvs) - most; n > 0 {
		text = strings.Join(names, ", ") + " and " + plural.Of(n, "older one begins", "older ones begin") + " so"
	}
	return text
}

func decode(kv cluster.KV) (*cluster.Run, error) {
	r, err := cluster.DecodeRun(kv.Value)
	if err == nil {
		r.Revision = kv.Revision
	}
	return r, err
}

// Stop asks for the end of a run, on the leader. A run that waits ends at once.
func (d *Desk) Stop(ctx context.Context, id string, why error) error {
	r, err := d.Get(ctx, id)
	switch {
	case err != nil:
		return err
	case r.State.Over():
		return fmt.Errorf("run %s has ended already", r.ID)
	case r.State == cluster.Running:
		if f := d.find(r.ID); f != nil && f.stop(why) {
			return nil
		}
		return courier.ErrNotLeader // not yet, or it has just ended: that is for the next try
	}
	r.State, r.Ended, r.Error = cluster.Aborted, time.Now().UTC(), why.Error()
	code := fault.KindOf(why).ExitCode()
	r.ExitCode = &code
	if err := d.write(ctx, r, r.Revision); err != nil {
		return err // perhaps it has begun meanwhile
	}
	if f := d.find(r.ID); f != nil {
		d.close(f, r)
	}
	return nil
}

// Over reports whether a run is known to have ended.
func (d *Desk) Over(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ended[id]
}

// know remembers which runs have ended.
func (d *Desk) know(all []*cluster.Run) {
	ended := map[string]bool{}
	for _, r := range all {
		if r.State.Over() {
			ended[r.ID] = true
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = ended
}

// leading returns the condition under which this node's writes are a leader's.
func (d *Desk) leading() (cluster.Condition, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fence == 0 {
		return cluster.Condition{}, courier.ErrNotLeader
	}
	return cluster.Condition{Key: cluster.LeaderKey, Revision: d.fence}, nil
}

// Lead conducts the runs until ctx ends; its cause must be cluster.ErrDeposed when another node leads from then on. Term and fence are
// those of this node's leadership: see cluster.LeaderKey.
func (d *Desk) Lead(ctx context.Context, term uint64, fence int64) error {
	d.mu.Lock()
	d.term, d.fence = term, fence
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.fence = 0
		feeds := slices.Collect(maps.Values(d.feeds))
		d.mu.Unlock()
		for _, f := range feeds {
			d.close(f, nil) // who follows must look for the next leader
		}
	}()
	for ctx.Err() == nil {
		next, err := d.next(ctx)
		if err != nil && ctx.Err() == nil {
			d.cfg.Log.Warn("the runs cannot be read: " + err.Error())
		}
		if next != nil {
			d.conduct(ctx, next)
			continue
		}
		select {
		case <-d.wake:
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}

// next returns the run that is going on, else the one that has waited longest; nil when there is none.
func (d *Desk) next(ctx context.Context) (*cluster.Run, error) {
	all, err := d.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, state := range []cluster.RunState{cluster.Running, cluster.Queued} {
		for _, r := range all {
			if r.State == state {
				return r, nil
			}
		}
	}
	return nil, d.trim(ctx, all)
}

// trim forgets the oldest of the runs that have ended.
func (d *Desk) trim(ctx context.Context, all []*cluster.Run) error {
	fence, err := d.leading()
	if err != nil {
		return err
	}
	for _, r := range all[:max(0, len(all)-history)] {
		t := cluster.Txn{If: []cluster.Condition{fence}, Delete: []string{cluster.Runs + r.ID}}
		if _, err := d.cfg.Store.Commit(ctx, t); err != nil {
			return err
		}
	}
	return nil
}
