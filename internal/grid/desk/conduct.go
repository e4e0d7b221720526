package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/conductor"
	"throng/internal/grid/fence"
	"throng/internal/grid/order"
	"throng/internal/grid/tally"
	"throng/internal/metric"
	"throng/internal/run"
)

// lead is how long before the start the nodes are told of it.
const lead = 500 * time.Millisecond

// chair is the desk's account of the one run that it conducts.
type chair struct {
	*Desk
	feed  *feed
	id    string
	asked cluster.Asked
	reign context.Context // ends when this node leads no more
	// former are the parts that a former leader has given out.
	former []string
	// unheard are the voters that have not told yet what they had heard under that leader: their addresses by their names.
	unheard map[string]string
	// revision is that of the record until it is first written: somebody may take the run out of the queue meanwhile.
	revision int64

	mu      sync.Mutex // guards what follows
	rec     *cluster.Run
	remotes map[string]*order.Remote // by part
	summary *summary                 // what came of handleSummary
	ready   run.Ready
	writing sync.Mutex // held while the record is stored, so that no older one is stored after a newer one; guards revision
}

// conduct leads a run to its end, or until another node leads.
func (d *Desk) conduct(ctx context.Context, rec *cluster.Run) {
	c := &chair{Desk: d, reign: ctx, id: rec.ID, asked: rec.Asked, rec: rec, revision: whichever, feed: d.open(rec.ID), remotes: map[string]*order.Remote{}}
	if rec.State == cluster.Queued {
		c.revision = rec.Revision
	}
	if d.cfg.Begun != nil {
		d.cfg.Begun(rec.ID)
	}
	out, err := c.lead(ctx)
	if errors.Is(context.Cause(ctx), cluster.ErrDeposed) || errors.Is(err, cluster.ErrDeposed) || ctx.Err() != nil {
		d.close(c.feed, nil)
		return
	}
	if errors.Is(err, errWithdrawn) {
		return
	}
	if err != nil {
		out.Err = err
	}
	if err := c.finish(ctx, out); err != nil {
		d.cfg.Log.Error("the end of run " + rec.ID + " could not be written down: " + err.Error())
	}
	d.close(c.feed, c.record())
}

// lead gives the run's shares out, unless a former leader has, and conducts.
func (c *chair) lead(ctx context.Context) (conductor.Outcome, error) {
	var past conductor.Past
	if len(c.rec.Past) > 0 {
		if err := json.Unmarshal(c.rec.Past, &past); err != nil {
			return conductor.Outcome{}, fmt.Errorf("read how far run %s is: %w", c.id, err)
		}
	}
	c.meet(ctx)
	if c.rec.State == cluster.Running {
		if err := c.resume(ctx, &past); err != nil {
			return conductor.Outcome{}, err
		}
	} else if err := c.give(ctx); err != nil {
		return conductor.Outcome{}, err
	}
	for _, p := range c.record().Parts {
		if !p.Lost.IsZero() { // under a former leader
			c.tellLost(p)
		}
	}
	parts := c.parts()
	if len(parts) == 0 {
		return conductor.Outcome{}, errors.New("every node that had a part of the run is gone")
	}
	cond := conductor.New(conductor.Config{
		Parts: parts, Replace: c.replace, Missed: func(lost conductor.Part, why error) { c.miss(ctx, lost, why) }, Past: past, Note: c.note, Lead: lead, Deposed: ctx, JudgeEvery: 1, Snapshots: c.snapshots, Lives: c.lives, Marked: c.marked,
		Ready: func(r run.Ready) error {
			c.mu.Lock()
			c.ready = r
			c.mu.Unlock()
			return nil
		},
		Tick:  func(elapsed time.Duration, snap metric.Snapshot) { c.tick(elapsed, snap) },
		Stage: func(name string) { c.feed.say(Event{Stage: &name}) },
		Warn:  func(m string) { c.feed.warn(m) },
	})
	c.feed.onStop(func(why error) {
		cond.Stop(why)
		c.noteStop(ctx, why)
	})
	if c.rec.Stop != "" {
		cond.Stop(fault.New(fault.Kind(c.rec.StopKind), errors.New(c.rec.Stop)))
	}
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { c.watch(watching) })
	watcher.Go(func() { c.passOn(watching) })
	watcher.Go(func() { c.askAgain(watching) })
	defer watcher.Wait()
	defer stop()
	out := cond.Run(ctx)
	c.feed.onStop(nil)
	c.tick(out.Elapsed, out.Snapshot) // how it ended
	if out.Measured && out.Ready.HasSummary && ctx.Err() == nil {
		c.summarise(ctx, cond, out)
	}
	c.drain(ctx)
	return out, nil
}

// noteStop writes down that a user has asked for the run's end, for the next leader if this one dies now.
func (c *chair) noteStop(ctx context.Context, why error) {
	err := c.change(ctx, func(r *cluster.Run) error {
		r.Stop, r.StopKind = why.Error(), int(fault.KindOf(why))
		return nil
	})
	if err != nil && ctx.Err() == nil {
		c.cfg.Log.Warn("the order to stop could not be written down: " + err.Error())
	}
}

// give cuts the test among the nodes and writes down who has what.
func (c *chair) give(ctx context.Context) error {
	view := c.cfg.View()
	nodes, err := choose(view, c.cfg.Version, c.asked, c.strangers())
	if err != nil {
		return err
	}
	if others := strange(view, c.cfg.Version); len(others) > 0 {
		c.feed.warn(fmt.Sprintf("the run is of throng %s; nodes of another version take no part in it: %s", c.cfg.Version, strings.Join(others, ", ")))
	}
	return c.change(ctx, func(r *cluster.Run) error {
		r.State, r.Started, r.Version = cluster.Running, time.Now().UTC(), c.cfg.Version
		return c.assign(r, nodes, cluster.Part{})
	})
}

// meet waits until all nodes have been heard that seem to be alive, at most for two beats: who has just begun to lead knows nobody.
func (c *chair) meet(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*fence.Every)
	defer cancel()
	for ctx.Err() == nil && len(c.strangers()) > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(look / 5):
		}
	}
}

// strangers are the nodes that seem to be alive and have not been heard: nothing can be given to them, because nobody knows in which
// life they are.
func (c *chair) strangers() []string {
	var out []string
	for _, n := range c.cfg.View().Nodes {
		if _, _, heard := c.cfg.Receiver.Peer(n.Name); n.Alive && !heard {
			out = append(out, n.Name)
		}
	}
	return out
}

// assign adds parts for the share of a lost part, or the whole, that is cut among nodes.
func (c *chair) assign(r *cluster.Run, nodes []cluster.NodeState, of cluster.Part) error {
	shares, err := divide(of.Share, nodes)
	if err != nil {
		return err
	}
	for i, share := range shares {
		life, _, _ := c.cfg.Receiver.Peer(nodes[i].Name)
		r.Parts = append(r.Parts, cluster.Part{
			ID: fmt.Sprint(len(r.Parts)), Node: nodes[i].Name, Life: life, Share: share, Of: of.ID, Given: time.Now().UTC(), Exact: of.Exact,
		})
	}
	return nil
}

// record returns the record as it is now; it must not be changed.
func (c *chair) record() *cluster.Run {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rec
}

// change changes the record and stores it; a change that could not be stored is not made.
func (c *chair) change(ctx context.Context, f func(*cluster.Run) error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	r := new(cluster.Run)
	*r = *c.record()
	r.Parts, r.Disturbances = slices.Clone(r.Parts), slices.Clone(r.Disturbances)
	if err := f(r); err != nil {
		return err
	}
	if err := c.store(ctx, r); err != nil {
		return err
	}
	c.mu.Lock()
	c.rec = r
	c.mu.Unlock()
	return nil
}

// store writes the record, again and again while the store cannot be reached: runs go on without it.
func (c *chair) store(ctx context.Context, r *cluster.Run) error {
	for {
		wctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := c.write(wctx, r, c.revision)
		if errors.Is(err, cluster.ErrDeposed) && c.revision != whichever {
			err = c.contested(wctx)
		}
		cancel()
		if err == nil {
			c.revision = whichever
		}
		if err == nil || errors.Is(err, cluster.ErrDeposed) || errors.Is(err, errWithdrawn) || errors.Is(err, cluster.ErrTooLarge) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c.cfg.Log.Warn("the store does not answer: " + err.Error())
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// errWithdrawn reports that a run was taken out of the queue just before it began.
var errWithdrawn = errors.New("the run was stopped before it began")

// contested finds out why the record could not be written for the first time.
func (c *chair) contested(ctx context.Context) error {
	switch have, err := c.Get(ctx, c.id); {
	case err != nil:
		return err
	case have.State.Over():
		return errWithdrawn
	case have.State == cluster.Running: // it had been written, and nobody had said so
		return nil
	}
	return cluster.ErrDeposed
}

// note is the conductor's Note. What setup returned is kept apart when it is large.
func (c *chair) note(ctx context.Context, past conductor.Past) error {
	setup := past.Setup
	digest := ""
	if len(setup) > cluster.MaxValue/8 {
		var err error
		if digest, err = c.keep(ctx, setup); err != nil {
			return err
		}
		past.Setup = nil
	}
	b, err := json.Marshal(past)
	if err != nil {
		return err
	}
	return c.change(ctx, func(r *cluster.Run) error {
		r.Past, r.Setup = b, digest
		return nil
	})
}

// recall brings back what note kept apart.
func (c *chair) recall(ctx context.Context, past *conductor.Past) error {
	if c.rec.Setup == "" {
		return nil
	}
	err := c.obtain(ctx, c.rec.Setup)
	if err == nil {
		past.Setup, err = c.load(c.rec.Setup)
	}
	if err != nil {
		return fmt.Errorf("bring back what setup() returned: %w", err)
	}
	return nil
}

// parts returns the parts that were not lost.
func (c *chair) parts() []conductor.Part {
	return c.runners(func(p cluster.Part) bool { return p.Lost.IsZero() })
}

// runners makes the runners of those parts that are meant.
func (c *chair) runners(meant func(cluster.Part) bool) (out []conductor.Part) {
	from := c.holders()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.rec.Parts {
		if meant(p) {
			out = append(out, c.remote(p, from))
		}
	}
	return out
}

// remote makes the runner of a part, which gets its bundle from there. The caller holds mu.
func (c *chair) remote(p cluster.Part, from []string) conductor.Part {
	asked := &c.asked
	run, id := c.id, p.ID
	r := order.NewRemote(order.RemoteConfig{
		Run: run, Part: id, Node: p.Node, Client: c.cfg.Client, Term: c.term, Leader: c.cfg.Self, Reign: c.reign, Exact: p.Exact, Reserve: true,
		URL: func() string { return c.cfg.Address(p.Node) },
		Job: order.Job{
			Bundle: asked.Bundle, From: from, Share: p.Share, Of: p.Of, Life: p.Life, Full: asked.Full, NoThresholds: asked.NoThresholds,
			Outputs: asked.Outputs, OutputEnv: asked.OutputEnv, InitTimeout: asked.InitTimeout, Verbose: asked.Verbose,
		},
		Heard: func() (beat.Heard, bool) { return c.cfg.Receiver.Part(run, id) },
	})
	c.remotes[p.ID] = r
	return conductor.Part{ID: p.ID, Used: func() (map[string]int64, error) { return c.inherited(p.ID) }, Runner: r}
}

// holders are the addresses of the nodes that have the bundle, this one first.
func (c *chair) holders() []string {
	v := c.cfg.View()
	self, _ := v.Find(c.cfg.Self)
	out := []string{self.ClientURL}
	for _, n := range v.Voters() {
		if n.Alive && n.Name != c.cfg.Self {
			out = append(out, n.ClientURL)
		}
	}
	return out
}

// marked reports whether exec.test.fail() was called in a part that was ever heard of.
func (c *chair) marked() bool {
	for _, h := range c.cfg.Receiver.Parts(c.id) {
		if h.Marked {
			return true
		}
	}
	return false
}

// lives says which parts are lost, and who took over from whom.
func (c *chair) lives() map[string]tally.Life {
	out := map[string]tally.Life{}
	for _, p := range c.record().Parts {
		out[p.ID] = tally.Life{Of: p.Of, Lost: !p.Lost.IsZero(), Exact: p.Exact}
	}
	return out
}

// snapshots returns the newest snapshot of every part that was ever heard of, encoded.
func (c *chair) snapshots() map[string][]byte {
	out := map[string][]byte{}
	for id, h := range c.cfg.Receiver.Parts(c.id) {
		if len(h.Report.Snapshot) > 0 {
			out[id] = h.Report.Snapshot
		}
	}
	return out
}
