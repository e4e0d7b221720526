package node

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/fence"
)

// picture is what this node knows of the grid, kept like the store.
type picture struct {
	self string
	// silent returns the nodes that have not been heard for longer than that, and for how long; nil while this node hears no beats.
	silent func(nodes []string, longer time.Duration) map[string]time.Duration
	log    *slog.Logger

	mu      sync.Mutex // guards what follows
	id      string
	leader  cluster.Leader
	fence   int64
	ideal   int
	nodes   map[string]cluster.Node
	seats   map[string]cluster.Seat
	votes   time.Time     // since when this node votes; zero: it does not
	drawn   *drawn        // what follows from the above, made when it is asked for; nil after a change
	changed chan struct{} // closed, and made anew, at every change
}

// drawn is the picture in the forms in which it is asked for, many times a second in a large grid.
type drawn struct {
	names  []string            // of all nodes, in order
	nodes  []cluster.NodeState // in the same order; Alive is not set
	voters []beat.Voter        // in the same order
	votes  []string            // their names
}

func newPicture(self, id string, log *slog.Logger) *picture {
	return &picture{self: self, id: id, log: log, nodes: map[string]cluster.Node{}, seats: map[string]cluster.Seat{}, changed: make(chan struct{})}
}

// watch keeps the picture like the store until ctx ends.
func (p *picture) watch(ctx context.Context, s cluster.Store) {
	var wg sync.WaitGroup
	for prefix, forget := range map[string]func(){
		cluster.Nodes:     func() { p.nodes = map[string]cluster.Node{} },
		cluster.Seats:     func() { p.seats = map[string]cluster.Seat{} },
		cluster.LeaderKey: func() {},
		cluster.IdealKey:  func() {},
	} {
		wg.Go(func() { p.follow(ctx, s, prefix, forget) })
	}
	wg.Wait()
}

// follow keeps what is below one prefix.
func (p *picture) follow(ctx context.Context, s cluster.Store, prefix string, forget func()) {
	for ctx.Err() == nil {
		kvs, revision, err := s.List(ctx, prefix)
		if err != nil {
			if ctx.Err() == nil {
				p.log.Debug("the store cannot be read: " + err.Error())
			}
			select {
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		p.change(func() {
			forget()
			for _, kv := range kvs {
				p.take(cluster.Event{KV: kv})
			}
		})
		for events := range s.Watch(ctx, prefix, revision) {
			p.change(func() {
				for _, e := range events {
					p.take(e)
				}
			})
		}
	}
}

func (p *picture) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	own, seated := p.seats[p.self]
	switch votes := seated && own.Role == cluster.Voter; {
	case !votes:
		p.votes = time.Time{}
	case p.votes.IsZero():
		p.votes = time.Now()
	}
	p.drawn = nil
	close(p.changed)
	p.changed = make(chan struct{})
}

// take takes one change; a record that cannot be read is as one that is not there. The caller holds mu.
func (p *picture) take(e cluster.Event) {
	switch {
	case e.Key == cluster.LeaderKey:
		var l cluster.Leader
		if cluster.Decode(e.KV, &l) == nil && e.Revision >= p.fence {
			p.leader, p.fence = l, e.Revision
		}
	case e.Key == cluster.IdealKey:
		if n, err := strconv.Atoi(string(e.Value)); err == nil {
			p.ideal = n
		}
	case strings.HasPrefix(e.Key, cluster.Nodes):
		put(p.nodes, strings.TrimPrefix(e.Key, cluster.Nodes), e)
	case strings.HasPrefix(e.Key, cluster.Seats):
		put(p.seats, strings.TrimPrefix(e.Key, cluster.Seats), e)
	}
}

func put[T any](m map[string]T, name string, e cluster.Event) {
	var record T
	if e.Deleted || cluster.Decode(e.KV, &record) != nil {
		delete(m, name)
		return
	}
	m[name] = record
}

// draw returns the picture as drawn, which nobody changes. The caller holds mu.
func (p *picture) draw() *drawn {
	if p.drawn != nil {
		return p.drawn
	}
	d := &drawn{names: slices.Sorted(maps.Keys(p.nodes))}
	d.nodes = make([]cluster.NodeState, 0, len(d.names))
	for _, name := range d.names {
		n := cluster.NodeState{Node: p.nodes[name], Role: cluster.Client}
		if s, ok := p.seats[name]; ok && s.Identity == n.Identity {
			n.Role = s.Role
		}
		d.nodes = append(d.nodes, n)
		if n.Role == cluster.Voter {
			d.voters, d.votes = append(d.voters, beat.Voter{Name: name, URL: n.ClientURL}), append(d.votes, name)
		}
	}
	p.drawn = d
	return d
}

// view returns the picture as a value.
func (p *picture) view() cluster.View {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.draw()
	v := cluster.View{Self: p.self, ClusterID: p.id, Leader: p.leader, Fence: p.fence, Ideal: p.ideal, Nodes: slices.Clone(d.nodes)}
	silent := p.silences(d.names)
	for i := range v.Nodes {
		_, gone := silent[v.Nodes[i].Name]
		v.Nodes[i].Alive = !gone || v.Nodes[i].Name == p.self
	}
	return v
}

// census returns who votes, and all nodes; the slices must not be changed.
func (p *picture) census() (voters, nodes []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.draw()
	return d.votes, d.names
}

// electorate returns who leads and who votes; the slices must not be changed. Every beat asks for it.
func (p *picture) electorate() (leader cluster.Leader, voters []beat.Voter, names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.draw()
	return p.leader, d.voters, d.votes
}

// silences are for how long this node has not heard those others whose silence counts (fence.Gone); since it votes at the longest,
// because others speak to those who vote. The caller holds mu.
func (p *picture) silences(names []string) map[string]time.Duration {
	if p.silent == nil {
		return nil
	}
	silent := p.silent(names, fence.Silence)
	if !p.votes.IsZero() {
		maps.DeleteFunc(silent, func(string, time.Duration) bool { return time.Since(p.votes) <= fence.Silence })
	}
	return silent
}

// heard is what this node tells the others of whom it has not heard; nil while it does not vote.
func (p *picture) heard() map[string]time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.votes.IsZero() {
		return nil
	}
	return p.silences(p.draw().names)
}

// address is where a node is reached; "" for a stranger.
func (p *picture) address(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nodes[name].ClientURL
}

// seat returns a node's seat. That it has none means something only if the picture is known, at the same instant: a node gives up its member for it.
func (p *picture) seat(name string) (s cluster.Seat, seated, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.seats[name]
	return s, ok && s.Identity == p.nodes[name].Identity, p.isKnown()
}

// node is a node's record.
func (p *picture) node(name string) (cluster.Node, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.nodes[name]
	return n, ok
}

// known reports whether the picture has been read from the store at all.
func (p *picture) known() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isKnown()
}

// isKnown is known; the caller holds mu.
func (p *picture) isKnown() bool { return len(p.nodes) > 0 && len(p.seats) > 0 }

// next is closed at the next change.
func (p *picture) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}
