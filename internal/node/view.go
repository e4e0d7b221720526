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

	"throng/internal/grid/cluster"
	"throng/internal/grid/fence"
)

// picture is what this node knows of the grid, kept like the store.
type picture struct {
	self    string
	silence func(nodes []string) map[string]time.Duration // nil while this node hears no beats
	log     *slog.Logger

	mu      sync.Mutex // guards what follows
	id      string
	leader  cluster.Leader
	fence   int64
	ideal   int
	nodes   map[string]cluster.Node
	seats   map[string]cluster.Seat
	votes   time.Time     // since when this node votes; zero: it does not
	changed chan struct{} // closed, and made anew, at every change
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

// view returns the picture as a value.
func (p *picture) view() cluster.View {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := slices.Sorted(maps.Keys(p.nodes))
	v := cluster.View{Self: p.self, ClusterID: p.id, Leader: p.leader, Fence: p.fence, Ideal: p.ideal, Nodes: make([]cluster.NodeState, 0, len(names))}
	silent := p.silences(names)
	for _, name := range names {
		n := cluster.NodeState{Node: p.nodes[name], Role: cluster.Client, Alive: name == p.self || silent[name] < fence.Lease+fence.Margin}
		if s, ok := p.seats[name]; ok && s.Identity == n.Identity {
			n.Role = s.Role
		}
		v.Nodes = append(v.Nodes, n)
	}
	return v
}

// silences are for how long this node has not heard each of the others; since it votes at the longest, because others speak to
// those who vote. The caller holds mu.
func (p *picture) silences(names []string) map[string]time.Duration {
	if p.silence == nil {
		return nil
	}
	silent := p.silence(names)
	if !p.votes.IsZero() {
		for name, d := range silent {
			silent[name] = min(d, time.Since(p.votes))
		}
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
	return p.silences(slices.Collect(maps.Keys(p.nodes)))
}

func (p *picture) seat(name string) (cluster.Seat, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.seats[name]
	return s, ok && s.Identity == p.nodes[name].Identity
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
	return len(p.nodes) > 0 && len(p.seats) > 0
}

// next is closed at the next change.
func (p *picture) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}
