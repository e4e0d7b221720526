package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	c.unheard = c.gather(ctx, c.voters())
	if c.forgotten(ctx, *past) {
		if c.rec.Stop != "" {
			return fault.New(fault.Kind(c.rec.StopKind), errors.New(c.rec.Stop))
		}
		return errForgotten
	}
	if err := c.recall(ctx, past); err != nil {
		return err
	}
	return c.align(ctx, past)
}

// agree is how far two clocks may differ and still count as one: what a report's way may take.
const agree = 250 * time.Millisecond

// align has the run's times, which the former leader noted by its clock, in this node's. When the scenarios' clock stood at zero is what
// those say who have begun.
func (c *chair) align(ctx context.Context, past *conductor.Past) error {
	heard := c.cfg.Receiver.Parts(c.id)
	if !past.At.IsZero() && !begun(heard) {
		return c.noteDelay(ctx, past.At)
	}
	at, known := zero(heard)
	ahead := at.Sub(past.At)
	if !known || past.At.IsZero() || ahead.Abs() < agree {
		return nil
	}
	c.cfg.Log.Warn(fmt.Sprintf("this node's clock differs from the former leader's by %v: set it by NTP", ahead.Abs().Round(100*time.Millisecond)))
	past.At, past.Begun = at, past.Begun.Add(ahead)
	noted := *past
	if c.rec.Setup != "" { // it is kept apart
		noted.Setup = nil
	}
	b, err := json.Marshal(noted)
	if err != nil {
		return err
	}
	return c.change(ctx, func(r *cluster.Run) error {
		r.Past, r.Started = b, r.Started.Add(ahead)
		for i := range r.Disturbances {
			d := &r.Disturbances[i]
			d.At = d.At.Add(ahead)
			if !d.Until.IsZero() {
				d.Until = d.Until.Add(ahead)
			}
		}
		return nil
	})
}

// begun reports whether anybody is known to have begun.
func begun(heard map[string]beat.Heard) bool {
	for _, h := range heard {
		if h.Phase == beat.Running || h.Phase.Over() {
			return true
		}
	}
	return false
}

// noteDelay notes that nobody has begun who should have: the former leader was lost between its decision and the orders. The instant
// stays, because that leader's own part may have begun unheard, and no number may be used twice.
func (c *chair) noteDelay(ctx context.Context, at time.Time) error {
	const what = "the leader was lost when the scenarios were to begin, and nobody had begun; they begin where the schedule stands then"
	err := c.change(ctx, func(r *cluster.Run) error {
		if !slices.ContainsFunc(r.Disturbances, func(d cluster.Disturbance) bool { return d.What == what }) {
			r.Disturb(cluster.Disturbance{At: at, What: what, Share: 1})
		}
		return nil
	})
	if err == nil {
		c.feed.warn(what)
	}
	return err
}

// zero is when the scenarios' clock stood at zero, by this node's clock; false if nobody has begun. A report says how long ago it was when
// it was sent: the one that came quickest is the best.
func zero(heard map[string]beat.Heard) (at time.Time, known bool) {
	for _, h := range heard {
		if h.Since <= 0 {
			continue
		}
		if t := h.At.Add(-h.Since); !known || t.Before(at) {
			at, known = t, true
		}
	}
	return at.UTC(), known
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
		voters, nodes := c.cfg.Census()
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

// voters are the other voters, by name.
func (c *chair) voters() map[string]string {
	out := map[string]string{}
	for _, n := range c.cfg.View().Voters() {
		if n.Name != c.cfg.Self {
			out[n.Name] = n.ClientURL
		}
	}
	return out
}

// gather asks voters what they have heard of the run: a new leader knows only its own half. It returns those that did not answer.
func (c *chair) gather(ctx context.Context, voters map[string]string) (silent map[string]string) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	silent = maps.Clone(voters)
	var mu sync.Mutex // guards silent
	var wg sync.WaitGroup
	for name, url := range voters {
		wg.Go(func() {
			parts, err := beat.Ask(ctx, c.cfg.Client, url, c.id)
			if err != nil {
				return
			}
			c.cfg.Receiver.Take(c.id, parts)
			mu.Lock()
			defer mu.Unlock()
			delete(silent, name)
		})
	}
	wg.Wait()
	return silent
}

// askAgain asks those voters that did not answer, until they have, or vote no more: one that is merely slow may be the only one that knows
// what the dead had measured.
func (c *chair) askAgain(ctx context.Context) {
	for silent := c.unheard; len(silent) > 0; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		now := c.voters()
		maps.DeleteFunc(silent, func(name, _ string) bool { return now[name] == "" })
		silent = c.gather(ctx, silent)
	}
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
