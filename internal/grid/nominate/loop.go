package nominate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"throng/internal/grid/cluster"
)

// Keeper changes the members. ErrLater, and the end of the context, mean that the same may work a moment later.
type Keeper interface {
	Members() []cluster.Member
	AddLearner(ctx context.Context, peerURL string) (id string, err error)
	Promote(ctx context.Context, id string) error
	Remove(ctx context.Context, id string) error
	MoveLeader(ctx context.Context, id string) error
	// Readdress says where a member is reached from now on.
	Readdress(ctx context.Context, id, peerURL string) error
}

// Loop makes the changes that Choose asks for. It runs on the leader, for as long as it leads.
type Loop struct {
	Self   string
	Store  cluster.Store // fenced: a leader who was deposed cannot give seats away (cluster.Fenced)
	Keeper Keeper
	// Silent is for how long a node has not been heard by this one. Nodes speak to voters: what was before the loop began does
	// not count.
	Silent func(node string) time.Duration
	// Founder is true for the leader of a grid that was founded a moment ago: no other leader can have changed its voters.
	Founder bool
	Log     *slog.Logger
}

const (
	// every is how often the loop looks: raft tells nobody of changes of its members.
	every = 500 * time.Millisecond
	// bar is how long a node whose learner came to nothing is left alone.
	bar = time.Minute
	// changePatience bounds one change. It is shorter than Pace: what a deposed leader still had under way is over before his
	// successor makes a change.
	changePatience = 2 * time.Second
)

// Run makes changes until ctx ends or somebody else leads: then it returns ErrDeposed.
func (l *Loop) Run(ctx context.Context) error {
	now := time.Now()
	r := &rounds{Loop: l, first: map[string]time.Time{}, barred: map[string]time.Time{}, began: now, changed: now}
	if l.Founder {
		r.changed = time.Time{}
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		again, err := r.once(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, cluster.ErrDeposed):
			return err
		case err != nil:
			r.complain(err)
		case again:
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// rounds is what the leader remembers from one round to the next. A new leader begins without it, and nothing breaks.
type rounds struct {
	*Loop
	first   map[string]time.Time // when a member was first seen
	barred  map[string]time.Time // until when
	began   time.Time
	changed time.Time
	voters  string // as last seen

	complained string
	since      time.Time
}

// once looks at everything anew and makes at most one change. Again says that it did, and that the next round need not wait.
func (r *rounds) once(ctx context.Context) (again bool, err error) {
	records, ideal, err := r.read(ctx)
	if err != nil {
		return false, err
	}
	members := r.Keeper.Members()
	owner := owners(members, records)
	if err := r.readdress(ctx, members, records, owner); err != nil {
		return false, err
	}
	now := time.Now()
	view := r.view(members, records, owner, ideal, now)
	change := Choose(view, now)
	leaving := ""
	if change.Kind == Remove {
		leaving = change.Member
	}
	told, err := r.tell(ctx, records, seats(members, records, owner, leaving))
	if err != nil {
		return false, err
	}
	if change.Kind == Remove && told && !change.Failed && r.silent(change.Node, now) < Lost {
		return false, nil // who leaves is given the time to hear of it
	}
	if change.Kind == Nothing {
		r.complained = ""
		return false, nil
	}
	if err := r.apply(ctx, change, records[change.Node].node); err != nil {
		return false, fmt.Errorf("%s: %w", sentence(change), err)
	}
	r.Log.Info(sentence(change), slog.String("why", change.Why))
	return true, nil
}

func (r *rounds) read(ctx context.Context) (records map[string]record, ideal int, err error) {
	records = map[string]record{}
	nodes, _, err := r.Store.List(ctx, cluster.Nodes)
	if err != nil {
		return nil, 0, err
	}
	given, _, err := r.Store.List(ctx, cluster.Seats)
	if err != nil {
		return nil, 0, err
	}
	kv, err := r.Store.Get(ctx, cluster.IdealKey)
	if err != nil {
		return nil, 0, err
	}
	if ideal, err = strconv.Atoi(string(kv.Value)); err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", cluster.IdealKey, err)
	}
	for _, kv := range nodes {
		var rec record
		if err := cluster.Decode(kv, &rec.node); err != nil {
			return nil, 0, err
		}
		rec.known = true
		records[strings.TrimPrefix(kv.Key, cluster.Nodes)] = rec
	}
	for _, kv := range given {
		name := strings.TrimPrefix(kv.Key, cluster.Seats)
		rec := records[name]
		if err := cluster.Decode(kv, &rec.seat); err != nil {
			return nil, 0, err
		}
		rec.seated = true
		records[name] = rec
	}
	return records, ideal, nil
}

func (r *rounds) view(members []cluster.Member, records map[string]record, owner map[string]string, ideal int, now time.Time) View {
	v := View{Self: r.Self, Ideal: ideal}
	voters := ""
	for _, m := range members {
		if r.first[m.ID].IsZero() {
			r.first[m.ID] = now
		}
		if !m.Learner {
			voters += m.ID + " "
		}
		v.Members = append(v.Members, Member{ID: m.ID, Node: owner[m.ID], Learner: m.Learner, Started: m.Name != "", Since: r.first[m.ID]})
	}
	if r.voters != "" && r.voters != voters {
		r.changed = now
	}
	r.voters, v.Changed = voters, r.changed
	for name, rec := range records {
		if rec.known {
			v.Nodes = append(v.Nodes, Node{
				Name: name, Can: !rec.node.NoServer && !rec.node.Drained, Silent: r.silent(name, now), Joined: rec.node.Joined, Barred: now.Before(r.barred[name]),
			})
		}
	}
	return v
}

func (r *rounds) silent(node string, now time.Time) time.Duration {
	return min(r.Silent(node), now.Sub(r.began))
}

// tell writes the seats that are not as they should be, and reports whether there were any.
func (r *rounds) tell(ctx context.Context, records map[string]record, want map[string]cluster.Seat) (bool, error) {
	t, err := difference(records, want)
	if err != nil || len(t.Put)+len(t.Delete) == 0 {
		return false, err
	}
	if _, err := r.Store.Commit(ctx, t); err != nil {
		return false, fmt.Errorf("write the seats: %w", err)
	}
	return true, nil
}

// readdress tells the members where a node is that came back at another address.
func (r *rounds) readdress(ctx context.Context, members []cluster.Member, records map[string]record, owner map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, changePatience)
	defer cancel()
	for _, m := range members {
		node := records[owner[m.ID]].node
		if owner[m.ID] == "" || node.ServerURL == m.PeerURL || node.ServerURL == "" {
			continue
		}
		if _, err := r.Store.Commit(ctx, cluster.Txn{}); err != nil {
			return err
		}
		if err := r.Keeper.Readdress(ctx, m.ID, node.ServerURL); err != nil {
			return fmt.Errorf("say that %s is at %s: %w", node.Name, node.ServerURL, err)
		}
		r.Log.Info(node.Name + " is reached by members at " + node.ServerURL)
	}
	return nil
}

// apply makes one change. Whether we still lead is asked right before it: raft would carry out the change of a deposed leader,
// too.
func (r *rounds) apply(ctx context.Context, c Change, node cluster.Node) error {
	ctx, cancel := context.WithTimeout(ctx, changePatience)
	defer cancel()
	if _, err := r.Store.Commit(ctx, cluster.Txn{}); err != nil {
		return err
	}
	var err error
	switch c.Kind {
	case Add:
		_, err = r.Keeper.AddLearner(ctx, node.ServerURL)
	case Promote:
		err = r.Keeper.Promote(ctx, c.Member)
	case Remove:
		err = r.Keeper.Remove(ctx, c.Member)
		if c.Failed {
			r.barred[c.Node] = time.Now().Add(bar)
		}
	case Move:
		err = r.Keeper.MoveLeader(ctx, c.Member)
	case Nothing:
	}
	return err
}

// complain logs an error: what is refused for now only when that goes on for long, all else once.
func (r *rounds) complain(err error) {
	text := err.Error()
	if r.complained != text {
		r.complained, r.since = text, time.Now()
		if !errors.Is(err, cluster.ErrLater) && !errors.Is(err, context.DeadlineExceeded) {
			r.Log.Warn("the voters cannot be changed", slog.String("error", text))
		}
		return
	}
	if time.Since(r.since) > Patience && !r.since.IsZero() {
		r.since = time.Time{} // told
		r.Log.Warn("the voters cannot be changed", slog.String("error", text))
	}
}

func sentence(c Change) string {
	who := c.Node
	if who == "" {
		who = "member " + c.Member
	}
	switch c.Kind {
	case Add:
		return who + " joins those who keep the store, as a learner"
	case Promote:
		return who + " votes"
	case Remove:
		return who + " no longer keeps the store"
	case Move:
		return "leadership moves to " + who
	case Nothing:
	}
	return "nothing changes"
}
