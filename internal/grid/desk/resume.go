package desk

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/conductor"
	"throng/internal/grid/fence"
)

// resume finds out how far the run is that a former leader has left.
func (c *chair) resume(ctx context.Context, past *conductor.Past) error {
	for _, p := range c.rec.Parts {
		c.former = append(c.former, p.ID)
	}
	c.gather(ctx)
	if c.forgotten(ctx, *past) {
		if c.rec.Stop != "" {
			return fault.New(fault.Kind(c.rec.StopKind), errors.New(c.rec.Stop))
		}
		return errForgotten
	}
	return c.recall(ctx, past)
}

// errForgotten is how a run ends whose every node died. To begin it again would be load that nobody expects any more.
var errForgotten = errors.New("the run is lost: every node that worked on it has ended, and with them all that was measured; teardown() was not called")

// forgotten reports whether every node that worked on the run has ended and nobody knows what they did. It waits until that is
// certain, or is not so.
func (c *chair) forgotten(ctx context.Context, past conductor.Past) bool {
	if past.Begun.IsZero() && c.born.Before(c.rec.Started) {
		return false // this node has lived all the time: there was nothing to hear yet
	}
	for ctx.Err() == nil {
		if len(c.cfg.Receiver.Parts(c.id)) > 0 {
			return false
		}
		voters, nodes := c.electorate()
		told := c.cfg.Receiver.Told(voters, nodes)
		ended := 0
		for _, p := range c.rec.Parts {
			life, _, known := c.cfg.Receiver.Peer(p.Node)
			switch {
			case known && life == p.Life:
				return false
			case known || !p.Lost.IsZero() || fence.Gone(p.Node, voters, told):
				ended++
			}
		}
		if ended == len(c.rec.Parts) {
			return true
		}
		select {
		case <-ctx.Done():
		case <-time.After(look):
		}
	}
	return false
}

// electorate are the names of those who vote, and of all nodes.
func (c *chair) electorate() (voters, nodes []string) {
	for _, n := range c.cfg.View().Nodes {
		nodes = append(nodes, n.Name)
		if n.Role == cluster.Voter {
			voters = append(voters, n.Name)
		}
	}
	return voters, nodes
}

// gather asks every voter what it has heard of the run: a new leader knows only its own half.
func (c *chair) gather(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, n := range c.cfg.View().Voters() {
		if n.Name == c.cfg.Self {
			continue
		}
		wg.Go(func() {
			parts, err := beat.Ask(ctx, c.cfg.Client, n.ClientURL, c.id)
			if err == nil { // who does not answer has died, or will be heard
				c.cfg.Receiver.Take(c.id, parts)
			}
		})
	}
	wg.Wait()
}

// passOn has every voter know what the parts that were lost had measured: they tell it to nobody any more, and this node may die too.
func (c *chair) passOn(ctx context.Context) {
	given := map[string]map[string]uint64{} // by the life of a voter, by part: the number of the snapshot
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		lost := c.lastWords()
		if len(lost) > 0 {
			c.tell(ctx, lost, given)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lastWords is what was heard of the parts that were lost.
func (c *chair) lastWords() map[string]beat.Heard {
	heard := c.cfg.Receiver.Parts(c.id)
	rec := c.record()
	maps.DeleteFunc(heard, func(id string, _ beat.Heard) bool {
		p, ok := partOf(rec, id)
		return ok && p.Lost.IsZero()
	})
	return heard
}

// tell tells the other voters of the lost parts what they have not been told.
func (c *chair) tell(ctx context.Context, lost map[string]beat.Heard, given map[string]map[string]uint64) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var mu sync.Mutex // guards given
	var wg sync.WaitGroup
	for _, n := range c.cfg.View().Voters() {
		life, _, known := c.cfg.Receiver.Peer(n.Name)
		news := maps.Clone(lost)
		mu.Lock()
		maps.DeleteFunc(news, func(id string, h beat.Heard) bool { seq, ok := given[life][id]; return ok && seq >= h.Seq })
		mu.Unlock()
		if n.Name == c.cfg.Self || !known || !n.Alive || len(news) == 0 {
			continue
		}
		wg.Go(func() {
			if err := beat.Tell(ctx, c.cfg.Client, n.ClientURL, c.id, news); err != nil {
				return // it is told again
			}
			mu.Lock()
			defer mu.Unlock()
			if given[life] == nil {
				given[life] = map[string]uint64{}
			}
			for id, h := range news {
				given[life][id] = h.Seq
			}
		})
	}
	wg.Wait()
}
