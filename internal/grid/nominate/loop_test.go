package nominate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/memstore"
)

// grid is raft and the nodes around a memstore: nodes do what their seats say.
type grid struct {
	t     *testing.T
	store *memstore.Store

	mu      sync.Mutex // guards what follows
	members []cluster.Member
	running map[string]string // the member that a node runs, by node
	away    map[string]bool   // nodes that are dead
	leader  string
	next    int
	budget  int // calls until the leader dies; negative: it does not
	die     func()
	before  bool // it dies before its last call takes effect, not after
}

var errDead = errors.New("the leader is dead")

func newGrid(t *testing.T, ideal int, names ...string) *grid {
	g := &grid{t: t, store: memstore.New(), running: map[string]string{}, away: map[string]bool{}, budget: -1, leader: names[0], next: 1}
	g.put(cluster.IdealKey, []byte(fmt.Sprint(ideal)))
	for i, n := range names {
		g.putRecord(cluster.Nodes+n, cluster.Node{Name: n, ServerURL: "http://" + n, Identity: "disk of " + n, Joined: time.Unix(int64(i), 0)})
	}
	g.members = []cluster.Member{{ID: "m1", Name: names[0], PeerURL: "http://" + names[0]}}
	g.running[names[0]] = "m1"
	return g
}

func (g *grid) put(key string, value []byte) {
	g.t.Helper()
	if _, err := g.store.Commit(g.t.Context(), cluster.Txn{Put: map[string][]byte{key: value}}); err != nil {
		g.t.Fatal(err)
	}
}

func (g *grid) putRecord(key string, record any) {
	b, err := cluster.Encode(record)
	if err != nil {
		g.t.Fatal(err)
	}
	g.put(key, b)
}

// call counts the leader's calls, and ends its life when they are used up.
func (g *grid) call(effect func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.budget == 0 {
		return errDead
	}
	g.budget--
	if g.budget == 0 {
		defer g.die()
		if !g.before {
			_ = effect() // nobody hears what came of it
		}
		return errDead
	}
	return effect()
}

func (g *grid) Members() []cluster.Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.members)
}

func (g *grid) AddLearner(_ context.Context, peerURL string) (id string, err error) {
	err = g.call(func() error {
		if slices.ContainsFunc(g.members, func(m cluster.Member) bool { return m.PeerURL == peerURL }) {
			return errors.New("peer URL exists")
		}
		g.next++
		id = fmt.Sprintf("m%d", g.next)
		g.members = append(g.members, cluster.Member{ID: id, PeerURL: peerURL, Learner: true})
		return nil
	})
	return id, err
}

func (g *grid) Promote(_ context.Context, id string) error {
	return g.call(func() error {
		for i, m := range g.members {
			if m.ID == id && m.Name != "" {
				g.members[i].Learner = false
				return nil
			}
		}
		return cluster.ErrLater
	})
}

func (g *grid) Remove(_ context.Context, id string) error {
	return g.call(func() error {
		g.members = slices.DeleteFunc(g.members, func(m cluster.Member) bool { return m.ID == id })
		return nil
	})
}

func (g *grid) MoveLeader(_ context.Context, id string) error {
	return g.call(func() error {
		for _, m := range g.members {
			if m.ID == id {
				g.leader = m.Name
			}
		}
		return nil
	})
}

func (g *grid) Readdress(_ context.Context, id, peerURL string) error {
	return g.call(func() error {
		for i, m := range g.members {
			if m.ID == id {
				g.members[i].PeerURL = peerURL
			}
		}
		return nil
	})
}

// deadStore is the store as a leader sees it whose life is counted.
type deadStore struct {
	cluster.Store
	g *grid
}

func (d deadStore) Commit(ctx context.Context, t cluster.Txn) (revision int64, err error) {
	err = d.g.call(func() error { revision, err = d.Store.Commit(ctx, t); return err })
	return revision, err
}

// obey makes the nodes do what their seats say.
func (g *grid) obey() {
	kvs, _, err := g.store.List(g.t.Context(), cluster.Seats)
	if err != nil {
		g.t.Error(err)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	seated := map[string]bool{}
	for _, kv := range kvs {
		var seat cluster.Seat
		if err := cluster.Decode(kv, &seat); err != nil {
			g.t.Error(err)
		}
		node := strings.TrimPrefix(kv.Key, cluster.Seats)
		if seat.Identity != "disk of "+node || g.away[node] {
			continue
		}
		seated[node] = true
		if g.running[node] == seat.Member || len(seat.Cluster) != len(g.members) {
			continue // what it was told is out of date: the leader will say so
		}
		for i, m := range g.members {
			if m.ID == seat.Member {
				g.members[i].Name, g.running[node] = node, seat.Member
			}
		}
	}
	for node := range g.running {
		if !seated[node] {
			delete(g.running, node)
		}
	}
}

// lead runs one leader until its life ends, or for so long.
func (g *grid) lead(length time.Duration) {
	ctx, cancel := context.WithTimeout(g.t.Context(), length)
	defer cancel()
	g.mu.Lock()
	g.die = cancel
	self := g.leader
	g.mu.Unlock()
	b, _ := cluster.Encode(cluster.Leader{Name: self})
	fence, err := g.store.Commit(ctx, cluster.Txn{Put: map[string][]byte{cluster.LeaderKey: b}})
	if err != nil {
		g.t.Error(err)
		return
	}
	l := &Loop{Self: self, Store: cluster.Fenced(deadStore{g.store, g}, fence), Keeper: g, Log: slog.New(slog.DiscardHandler), Silent: func(n string) time.Duration {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.away[n] {
			return time.Hour
		}
		return 0
	}}
	if err := l.Run(ctx); err == nil {
		g.t.Error("the loop ended for no reason")
	}
}

// run lets leaders come and go: the first ones die after so many calls, the last one does not.
func (g *grid) run(lives, calls int, before bool) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				g.obey()
			case <-stop:
				return
			}
		}
	})
	for range lives {
		g.mu.Lock()
		g.budget, g.before = calls, before
		g.mu.Unlock()
		g.lead(10 * time.Second)
	}
	g.mu.Lock()
	g.budget = -1
	g.mu.Unlock()
	g.lead(time.Minute)
	close(stop)
	wg.Wait()
}

// state is what came of it: who votes, and that seats and nodes agree with it.
func (g *grid) state() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for _, m := range g.members {
		role := "votes"
		if m.Learner {
			role = "learns"
		}
		var seat cluster.Seat
		if kv, err := g.store.Get(g.t.Context(), cluster.Seats+m.Name); err == nil {
			if err := cluster.Decode(kv, &seat); err != nil {
				g.t.Error(err)
			}
		}
		if seat.Member != m.ID || string(seat.Role)+"s" != strings.Replace(role, "votes", "voters", 1) || seat.Leaving || g.running[m.Name] != m.ID && !g.away[m.Name] {
			role += fmt.Sprintf(" and has the seat %+v and runs %q", seat, g.running[m.Name])
		}
		out = append(out, m.Name+" "+role)
	}
	kvs, _, err := g.store.List(g.t.Context(), cluster.Seats)
	if err != nil || len(kvs) != len(g.members) || len(g.running) > len(g.members) {
		out = append(out, fmt.Sprintf("%d seats, %d running, %v", len(kvs), len(g.running), err))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// TestTheLoopIsIdempotent lets the leader die at each of its calls, with and without effect, on the way from one voter to three,
// from three to one, and while a dead one is replaced.
func TestTheLoopIsIdempotent(t *testing.T) {
	t.Parallel()
	step := 1
	if testing.Short() {
		step = 5
	}
	for calls := 1; calls <= 16; calls += step {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d calls, the last without effect: %v", calls, before), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := newGrid(t, 3, "h1", "h2", "h3", "h4")
					g.run(3, calls, before)
					if got, want := g.state(), "h1 votes, h2 votes, h3 votes"; got != want {
						t.Fatalf("from one to three: %s", got)
					}
					g.away["h2"] = true
					delete(g.running, "h2")
					g.run(3, calls, before)
					if got, want := g.state(), "h1 votes, h3 votes, h4 votes"; got != want {
						t.Fatalf("a dead one: %s", got)
					}
					g.put(cluster.IdealKey, []byte("1"))
					g.run(3, calls, before)
					if got, want := g.state(), "h1 votes"; got != want {
						t.Fatalf("from three to one: %s", got)
					}
				})
			})
		}
	}
}

func TestADeposedLeaderChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGrid(t, 3, "h1", "h2", "h3")
		b, _ := cluster.Encode(cluster.Leader{Name: "h1"})
		fence, err := g.store.Commit(t.Context(), cluster.Txn{Put: map[string][]byte{cluster.LeaderKey: b}})
		if err != nil {
			t.Fatal(err)
		}
		g.put(cluster.LeaderKey, b) // somebody else's
		l := &Loop{Self: "h1", Store: cluster.Fenced(g.store, fence), Keeper: g, Log: slog.New(slog.DiscardHandler), Silent: func(string) time.Duration { return 0 }}
		if err := l.Run(t.Context()); !errors.Is(err, cluster.ErrDeposed) {
			t.Errorf("the loop ended with %v", err)
		}
		if len(g.members) != 1 {
			t.Errorf("the members are %v", g.members)
		}
	})
}

// TestALostDiskTakesNoSeat has a node come back with a new data directory while its old member still votes.
func TestALostDiskTakesNoSeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGrid(t, 3, "h1", "h2", "h3")
		g.run(0, 0, false)
		g.putRecord(cluster.Nodes+"h3", cluster.Node{Name: "h3", ServerURL: "http://h3", Identity: "new disk"})
		delete(g.running, "h3")
		old := g.members[2].ID
		g.lead(10 * time.Second)
		var seat cluster.Seat
		kv, err := g.store.Get(t.Context(), cluster.Seats+"h3")
		if err == nil {
			err = cluster.Decode(kv, &seat)
		}
		if err != nil || seat.Identity != "new disk" || seat.Member == old || len(seat.Cluster) != 3 {
			t.Errorf("the seat is %+v, %v", seat, err)
		}
		if slices.ContainsFunc(g.members, func(m cluster.Member) bool { return m.ID == old }) {
			t.Errorf("the old member is still there: %v", g.members)
		}
	})
}

func TestANodeThatMovedIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGrid(t, 3, "h1", "h2", "h3")
		g.run(0, 0, false)
		g.putRecord(cluster.Nodes+"h3", cluster.Node{Name: "h3", ServerURL: "http://elsewhere", Identity: "disk of h3"})
		g.lead(10 * time.Second)
		if g.members[2].PeerURL != "http://elsewhere" || len(g.members) != 3 {
			t.Errorf("the members are %v", g.members)
		}
	})
}

func TestAnOddMemberIsNobodys(t *testing.T) {
	members := []cluster.Member{
		{ID: "m1", Name: "h1", PeerURL: "http://h1"},
		{ID: "m2", PeerURL: "http://h2", Learner: true}, // added by a leader who died
		{ID: "m3", Name: "h3", PeerURL: "http://h3"},
		{ID: "m4", Name: "gone", PeerURL: "http://h4"},
	}
	records := map[string]record{
		"h1": {known: true, seated: true, node: cluster.Node{Identity: "1"}, seat: cluster.Seat{Member: "m1", Identity: "1"}},
		"h2": {known: true, node: cluster.Node{Identity: "2", ServerURL: "http://h2"}},
		"h3": {known: true, seated: true, node: cluster.Node{Identity: "3"}, seat: cluster.Seat{Member: "m3", Identity: "other"}},
	}
	got := owners(members, records)
	if got["m1"] != "h1" || got["m2"] != "h2" || got["m3"] != "" || got["m4"] != "" {
		t.Errorf("%v", got)
	}
	s := seats(members, records, got, "m1")
	if !s["h1"].Leaving || s["h2"].Cluster["h2"] != "http://h2" || len(s["h2"].Cluster) != 4 || s["h3"].Identity != "other" || len(s) != 3 {
		t.Errorf("%+v", s)
	}
}
