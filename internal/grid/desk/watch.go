package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/conductor"
	"throng/internal/grid/fence"
	"throng/internal/grid/order"
	"throng/internal/segment"
)

// look is how often the parts are looked after, unless something is heard before.
const look = 250 * time.Millisecond

// watch looks after the parts until ctx ends: it tells which are lost, and notes when those that take over have begun.
func (c *chair) watch(ctx context.Context) {
	for {
		began := time.Now()
		changed := c.cfg.Receiver.Changed()
		heard := c.cfg.Receiver.Parts(c.id)
		c.lost(heard)
		c.whole(ctx, heard)
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
			continue
		case <-changed:
		}
		// Not more often than it is worth: a large grid reports all the time, and each look at it takes longer.
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(max(look/5, 20*time.Since(began)), look)):
		}
	}
}

// lost has the calls of every part end whose runner is no more.
func (c *chair) lost(heard map[string]beat.Heard) {
	voters, nodes := c.cfg.Census()
	told := c.cfg.Receiver.Told(voters, nodes)
	for _, p := range c.record().Parts {
		if !p.Lost.IsZero() {
			continue
		}
		if why := c.loss(p, heard[p.ID], voters, told); why != nil {
			if r := c.remoteOf(p.ID); r != nil {
				r.Lose(why)
			}
		}
	}
}

// loss says why a part is lost; nil while it is not.
func (c *chair) loss(p cluster.Part, h beat.Heard, voters []string, told map[string]map[string]time.Duration) error {
	life, _, ok := c.cfg.Receiver.Peer(p.Node)
	switch {
	case ok && p.Life != "" && life != p.Life:
		return errors.New("the node has started again")
	case h.Phase == beat.Failed, h.Phase == beat.Fenced:
		if err := h.Fault.Err(); err != nil {
			return err
		}
		return errors.New("its runner has ended")
	case h.Phase == beat.Yielded:
		return errLeaves
	case fence.Gone(p.Node, voters, told):
		return fmt.Errorf("no voter has heard it for %v", fence.Silence.Round(100*time.Millisecond))
	}
	return nil
}

var errLeaves = errors.New("the node leaves")

func (c *chair) remoteOf(id string) *order.Remote {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remotes[id]
}

// tellLost tells whoever keeps what scripts share that a part's runner is no more.
func (c *chair) tellLost(p cluster.Part) {
	if c.cfg.Lost != nil {
		c.cfg.Lost(c.id, p.ID, p.Life)
	}
}

// replace is the conductor's Replace.
func (c *chair) replace(ctx context.Context, lost conductor.Part, why error) ([]conductor.Part, error) {
	return c.lose(ctx, lost, why, false)
}

// miss is the conductor's Missed.
func (c *chair) miss(ctx context.Context, lost conductor.Part, why error) {
	if _, err := c.lose(ctx, lost, why, true); err != nil && ctx.Err() == nil {
		c.cfg.Log.Warn("the loss of part " + lost.ID + " could not be noted: " + err.Error())
	}
}

// lose notes that a part is lost and returns those that take over from it: none if the run is over anyway.
func (c *chair) lose(ctx context.Context, lost conductor.Part, why error, over bool) ([]conductor.Part, error) {
	heard, _ := c.cfg.Receiver.Part(c.id, lost.ID)
	if r := c.remoteOf(lost.ID); r != nil && r.Lost() != nil {
		why = r.Lost() // without the words of the call that it ended
	}
	var added []string
	var what string
	var end error // of the run
	err := c.change(ctx, func(r *cluster.Run) error {
		i := slices.IndexFunc(r.Parts, func(p cluster.Part) bool { return p.ID == lost.ID })
		if i < 0 {
			return fmt.Errorf("run %s has no part %s", r.ID, lost.ID)
		}
		p := &r.Parts[i]
		p.Lost, p.Why, p.Exact = time.Now().UTC(), why.Error(), heard.Phase == beat.Yielded || heard.Phase == beat.Ended
		started(p, heard)
		if heard.Reserved != nil { // else what it was given counts
			p.Used = heard.Reserved
		}
		p.Unknown = heard.Phase == "" && c.mayHaveBegun(p.ID)
		c.tellLost(*p)
		first := len(r.Parts)
		added, what, end = nil, "", nil
		if heard.Phase == beat.Ended && c.others(r) {
			end = heard.Fault.Err() // it has done its part
			return nil
		}
		var d cluster.Disturbance
		d, end = c.takeOver(r, *p, over) // what happened is written down even if it ends the run
		for _, n := range r.Parts[first:] {
			added = append(added, n.ID)
		}
		switch at := c.began(); {
		case p.Exact:
		case !heard.Measured.IsZero():
			d.Unreported, d.At = time.Since(heard.Measured).Round(100*time.Millisecond), heard.Measured.UTC()
		case p.Unknown || heard.Phase == beat.Running || heard.Phase.Over():
			d.Unreported, d.At = time.Since(at).Round(100*time.Millisecond), at
		}
		if d.What != "" {
			r.Disturb(d)
		}
		what = d.What
		return nil
	})
	if err != nil {
		return nil, err
	}
	if what != "" { // told once it is written: who is deposed has decided nothing
		c.feed.warn(what)
	}
	if end != nil {
		return nil, end
	}
	return c.runners(func(p cluster.Part) bool { return slices.Contains(added, p.ID) }), nil
}

// started notes when a part's scenarios began, where that was heard.
func started(p *cluster.Part, h beat.Heard) {
	if s := h.Start; s != nil {
		p.Began, p.Offset, p.Within = s.At, s.Offset, s.Within
	}
}

// others reports whether a part is left that was not lost.
func (c *chair) others(r *cluster.Run) bool {
	return slices.ContainsFunc(r.Parts, func(p cluster.Part) bool { return p.Lost.IsZero() })
}

// takeOver gives the share of a lost part to others, as the policy says, and words what happened.
func (c *chair) takeOver(r *cluster.Run, lost cluster.Part, over bool) (cluster.Disturbance, error) {
	share, err := segment.ParseShare(lost.Share)
	if err != nil {
		return cluster.Disturbance{}, err
	}
	fraction := share.Fraction()
	d := cluster.Disturbance{At: lost.Lost, Node: lost.Node, Part: lost.ID, Of: lost.Of, Share: fraction}
	began := fmt.Sprintf("node %s, with %.1f%% of the load, was lost (%s)", lost.Node, 100*fraction, lost.Why)
	if lost.Unknown {
		began += ", and nobody is left who knows what it had done"
	}
	switch policy := r.Asked.NodeLoss; {
	case over:
		d.What = began + "; the run was ending"
		return d, nil
	case policy == cluster.Fail:
		d.What = began + "; the run ends"
		return d, fault.WithHint(fault.Other, fmt.Errorf("node %s was lost: %s", lost.Node, lost.Why), "--on-node-loss is fail; reassign would have gone on")
	case policy == cluster.Continue:
		d.What = began + "; the run goes on without it"
		return d, nil
	}
	nodes := c.takers(r, lost)
	if len(nodes) == 0 {
		d.What = began + "; nobody could take it over"
		return d, nil
	}
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	d.What = began + "; taken over by " + strings.Join(names, ", ")
	return d, c.assign(r, nodes, lost)
}

// takers are the nodes that take over from a lost one: a spare one where only some nodes were asked for, else a few of those that
// work.
func (c *chair) takers(r *cluster.Run, lost cluster.Part) []cluster.NodeState {
	asked := r.Asked
	asked.Nodes = 0
	able, err := choose(c.cfg.View(), r.Version, asked, slices.Concat(c.strangers(), c.failed(r, lost)))
	if err != nil {
		return nil // there is none
	}
	able = c.speaking(able)
	works := map[string]int{} // how many parts
	for _, p := range r.Parts {
		if p.Lost.IsZero() {
			works[p.Node]++
		}
	}
	if r.Asked.Nodes > 0 {
		for _, n := range able {
			if works[n.Name] == 0 {
				return []cluster.NodeState{n}
			}
		}
	}
	some := slices.DeleteFunc(slices.Clone(able), func(n cluster.NodeState) bool { return works[n.Name] == 0 })
	if len(some) == 0 {
		some = able
	}
	return few(some, works)
}

// maxTakers is among how many a lost share is cut. Every taker is a runner to start, a part in the record and a stream of snapshots:
// were it all that work, a hundred nodes lost of a thousand would make ninety thousand parts, and bring down the rest. A share
// that is one of many is small beside what its takers do anyway; where they are few, all of them take it.
const maxTakers = 8

// few returns, in order of name, those nodes that have the fewest parts for their capacity.
func few(nodes []cluster.NodeState, parts map[string]int) []cluster.NodeState {
	if len(nodes) <= maxTakers {
		return nodes
	}
	busy := func(n cluster.NodeState) float64 { return float64(parts[n.Name]) / n.Capacity }
	out := slices.Clone(nodes)
	slices.SortStableFunc(out, func(a, b cluster.NodeState) int { return cmp.Compare(busy(a), busy(b)) })
	out = out[:maxTakers]
	slices.SortFunc(out, func(a, b cluster.NodeState) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// failed are the nodes that have lost this part, or what it took over, and have not started again since: what killed a runner there
// would kill the next one too.
func (c *chair) failed(r *cluster.Run, lost cluster.Part) []string {
	out := []string{lost.Node}
	for p, ok := lost, true; ok; p, ok = partOf(r, p.Of) {
		if life, _, _ := c.cfg.Receiver.Peer(p.Node); life == p.Life && !p.Exact {
			out = append(out, p.Node)
		}
	}
	return out
}

// speaking leaves out nodes of which nothing has been heard for more than a beat, unless no other is left: they may have died with the
// lost one.
func (c *chair) speaking(nodes []cluster.NodeState) []cluster.NodeState {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	silent := c.cfg.Receiver.Silent(names, 2*fence.Every)
	speaking := slices.DeleteFunc(slices.Clone(nodes), func(n cluster.NodeState) bool { return silent[n.Name] > 0 })
	if len(speaking) == 0 {
		return nodes
	}
	return speaking
}

// whole notes when the parts that take over from a lost one have begun: then the load is whole again.
func (c *chair) whole(ctx context.Context, heard map[string]beat.Heard) {
	done := map[string]bool{} // by the lost part
	rec := c.record()
	for _, d := range rec.Disturbances {
		if !d.Until.IsZero() || d.Share == 0 {
			continue
		}
		takers := 0 // of no part's loss: all who had a part from the beginning
		done[d.Part] = true
		for _, p := range rec.Parts {
			if p.Of == d.Part {
				takers++
				phase := heard[p.ID].Phase
				done[d.Part] = done[d.Part] && (phase == beat.Running || phase == beat.Ended || !p.Lost.IsZero())
			}
		}
		if takers == 0 || !done[d.Part] {
			delete(done, d.Part)
		}
	}
	if len(done) == 0 {
		return
	}
	now := time.Now().UTC()
	err := c.change(ctx, func(r *cluster.Run) error {
		for i, d := range r.Disturbances {
			if done[d.Part] {
				r.Disturbances[i].Until = now
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		c.cfg.Log.Warn("the take-over could not be noted: " + err.Error())
	}
}
