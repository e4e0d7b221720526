package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/conductor"
	"throng/internal/grid/courier"
)

// Config is what a desk works with.
type Config struct {
	Self     string
	Store    cluster.Store
	View     func() cluster.View
	Depot    *courier.Depot
	Client   *courier.Client
	Receiver *beat.Receiver
	Log      *slog.Logger
	// Ended is told of runs that have ended, again and again; Lost of parts whose runner is no more. nil: nobody wants to know.
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
	fence int64 // what writes are conditioned on while this node leads, else 0
	term  uint64

	wake chan struct{} // holds a token while the leader should look for work
}

// New returns a desk that leads nothing.
func New(cfg Config) *Desk {
	return &Desk{cfg: cfg, born: time.Now(), feeds: map[string]*feed{}, wake: make(chan struct{}, 1)}
}

// history is how many runs that have ended are kept.
const history = 500

// Submit takes a run in, on the leader: once it returns, the run is in the store and its bundle on every voter.
func (d *Desk) Submit(ctx context.Context, asked cluster.Asked, by string) (*cluster.Run, error) {
	if err := d.obtain(ctx, asked.Bundle); err != nil {
		return nil, fmt.Errorf("find the test's bundle: %w", err)
	}
	if _, err := choose(d.cfg.View(), asked, nil); err != nil {
		return nil, err
	}
	if err := d.spread(ctx, asked.Bundle); err != nil {
		return nil, fmt.Errorf("bring the test to every voter: %w", err)
	}
	now := time.Now()
	r := &cluster.Run{ID: newID(now), Asked: asked, By: by, State: cluster.Queued, Submitted: now.UTC()}
	if err := d.write(ctx, r, 0); err != nil {
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
		wg.Go(func() { errs[i] = d.cfg.Client.HaveFetched(ctx, n.ClientURL, digest, self.Name) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// write stores a record, fenced by the term; revision is that of the record that it replaces, 0 for a new one.
func (d *Desk) write(ctx context.Context, r *cluster.Run, revision int64) error {
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
	if revision == 0 {
		conditions = append(conditions, cluster.Condition{Key: key})
	}
	_, err = d.cfg.Store.Commit(ctx, cluster.Txn{If: conditions, Put: map[string][]byte{key: b}})
	if errors.Is(err, cluster.ErrConflict) {
		return fmt.Errorf("write the record of run %s: %w", r.ID, cluster.ErrDeposed)
	}
	return err
}

// List returns the records of all runs, the oldest first.
func (d *Desk) List(ctx context.Context) ([]*cluster.Run, error) {
	kvs, _, err := d.cfg.Store.List(ctx, cluster.Runs)
	if err != nil {
		return nil, err
	}
	out := make([]*cluster.Run, 0, len(kvs))
	for _, kv := range kvs {
		r, err := cluster.DecodeRun(kv.Value)
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
		return nil, err
	}
	for _, kv := range kvs {
		if kv.Key == cluster.Runs+id {
			return cluster.DecodeRun(kv.Value)
		}
	}
	if len(kvs) != 1 {
		return nil, fault.WithHint(fault.Other, fmt.Errorf("there is no run %q: %w", id, cluster.ErrNotFound), "throng runs lists them")
	}
	return cluster.DecodeRun(kvs[0].Value)
}

// Stop asks for the end of a run, on the leader.
func (d *Desk) Stop(ctx context.Context, id string, why error) error {
	r, err := d.Get(ctx, id)
	switch {
	case err != nil:
		return err
	case r.State.Over():
		return fmt.Errorf("run %s has ended already", r.ID)
	}
	if f := d.find(r.ID); f != nil && f.stop(why) {
		return nil
	}
	r.State, r.Ended, r.Error = cluster.Aborted, time.Now().UTC(), why.Error()
	code := fault.KindOf(why).ExitCode()
	r.ExitCode = &code
	return d.write(ctx, r, 1)
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
		defer d.mu.Unlock()
		d.fence = 0
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
