package etcdstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"throng/internal/grid/cluster"
)

// Foreign is a member of a store that nodes do not keep themselves: an etcd that somebody else looks after. Its members vote in
// name alone, by a record in the store: they are those who may lead, and who witness which nodes are alive. Who of them leads is
// decided by an election with a lease, in that etcd.
type Foreign struct {
	store  cluster.Store
	access Access
	id     string
	log    *slog.Logger

	stop  context.CancelFunc
	ended chan struct{} // closed when nothing of it is left
	ready chan struct{} // closed from the beginning

	mu       sync.Mutex // guards what follows
	members  []cluster.Member
	revision int64              // of members
	term     uint64             // 0 while it does not lead
	resign   context.CancelFunc // ends its leadership; nil while it does not lead
	changed  chan struct{}      // closed, and made anew, when it begins or ceases to lead
	known    chan struct{}      // closed, and made anew, when members change
}

// membersKey holds the members of a grid whose store is foreign; electionKey begins the keys of their election.
const (
	membersKey  = cluster.Prefix + "members"
	electionKey = cluster.Prefix + "election"
)

// A member's lease. Twice as long as an embedded member's election takes: here nobody notices sooner that it is gone.
const leaseSeconds = 4

// lag is how long a member that handed leadership over leaves it to others.
const lag = 3 * time.Second

type memberRecord struct {
	Members []cluster.Member `json:"members"`
}

// FoundForeign returns the key and the value with which the records of a grid on a foreign store begin: its one member, which votes,
// and its id.
func FoundForeign(name, peerURL string) (id, key string, value []byte, err error) {
	id = newMemberID()
	value, err = cluster.Encode(memberRecord{[]cluster.Member{{ID: id, Name: name, PeerURL: peerURL}}})
	return id, membersKey, value, err
}

func newMemberID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// OpenForeign makes a node the member that the id is of, and says so in the store, under the node's name. ErrRemoved, if there is no
// such member.
func OpenForeign(ctx context.Context, s cluster.Store, a Access, id, name string, log *slog.Logger) (*Foreign, error) {
	f := &Foreign{
		store: s, access: a, id: id, log: log, ended: make(chan struct{}), ready: make(chan struct{}),
		changed: make(chan struct{}), known: make(chan struct{}),
	}
	close(f.ready)
	err := f.edit(ctx, func(members []cluster.Member) ([]cluster.Member, error) {
		i := f.index(members, id)
		if i < 0 {
			return nil, ErrRemoved
		}
		members[i].Name = name
		return members, nil
	})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	f.stop = stop
	go f.run(running)
	return f, nil
}

// run follows the members and stands for election until ctx ends.
func (f *Foreign) run(ctx context.Context) {
	defer close(f.ended)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { f.follow(ctx) })
	for ctx.Err() == nil {
		f.mu.Lock()
		known := f.known
		f.mu.Unlock()
		if f.Votes() {
			if err := f.stand(ctx); err != nil && ctx.Err() == nil {
				f.log.Debug("stand for election: " + err.Error())
			}
		}
		select {
		case <-known:
		case <-time.After(lag):
		case <-ctx.Done():
		}
	}
}

// follow keeps the members like the store.
func (f *Foreign) follow(ctx context.Context) {
	for ctx.Err() == nil {
		kv, err := f.store.Get(ctx, membersKey)
		if err == nil {
			err = f.take(kv)
		}
		if err != nil {
			f.log.Debug("read the members: " + err.Error())
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		for events := range f.store.Watch(ctx, membersKey, kv.Revision) {
			for _, e := range events {
				if err := f.take(e.KV); err != nil {
					f.log.Debug("read the members: " + err.Error())
				}
			}
		}
	}
}

func (f *Foreign) take(kv cluster.KV) error {
	var r memberRecord
	if err := cluster.Decode(kv, &r); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if kv.Revision <= f.revision {
		return nil
	}
	f.members, f.revision = r.Members, kv.Revision
	close(f.known)
	f.known = make(chan struct{})
	return nil
}

// stand stands for election and leads, until ctx ends, the lease is lost, or leadership is handed over.
func (f *Foreign) stand(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := dial(f.access)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	// What the election cleans up at its end knows no bounds of its own.
	defer context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, func() { _ = client.Close() }) })()
	session, err := concurrency.NewSession(client, concurrency.WithTTL(leaseSeconds), concurrency.WithContext(ctx))
	if err != nil {
		return err
	}
	defer f.leave(client, session.Lease())
	go func() {
		select {
		case <-session.Done(): // the lease is lost
			cancel()
		case <-ctx.Done():
		}
	}()
	e := concurrency.NewElection(session, electionKey)
	if err := e.Campaign(ctx, f.id); err != nil {
		return err
	}
	f.lead(uint64(e.Rev()), cancel)
	defer f.lead(0, nil)
	for {
		f.mu.Lock()
		known := f.known
		f.mu.Unlock()
		if !f.Votes() {
			return nil
		}
		select {
		case <-known:
		case <-ctx.Done():
			return nil
		}
	}
}

// leave gives the lease back, so that the next leader need not wait for its end.
func (f *Foreign) leave(client *clientv3.Client, lease clientv3.LeaseID) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = client.Revoke(ctx, lease) // it ends by itself
}

func (f *Foreign) lead(term uint64, resign context.CancelFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.term, f.resign = term, resign
	close(f.changed)
	f.changed = make(chan struct{})
}

// edit changes the members in the store.
func (f *Foreign) edit(ctx context.Context, change func([]cluster.Member) ([]cluster.Member, error)) error {
	for {
		r, revision, err := cluster.Fetch[memberRecord](ctx, f.store, membersKey)
		if err != nil {
			return err
		}
		next, err := change(slices.Clone(r.Members))
		if err != nil {
			return err
		}
		b, err := cluster.Encode(memberRecord{next})
		if err != nil {
			return err
		}
		at, err := f.store.Commit(ctx, cluster.Txn{
			If: []cluster.Condition{{Key: membersKey, Revision: revision}}, Put: map[string][]byte{membersKey: b},
		})
		if errors.Is(err, cluster.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		return f.take(cluster.KV{Key: membersKey, Value: b, Revision: at})
	}
}

func (f *Foreign) index(members []cluster.Member, id string) int {
	return slices.IndexFunc(members, func(m cluster.Member) bool { return m.ID == id })
}

// ID is the member's own.
func (f *Foreign) ID() string { return f.id }

// Ready is closed: the store is there, or it is not, whatever this member does.
func (f *Foreign) Ready() <-chan struct{} { return f.ready }

// Done is closed when the member has been stopped.
func (f *Foreign) Done() <-chan struct{} { return f.ended }

// Err is nil: it ends when it is stopped.
func (f *Foreign) Err() error { return nil }

// Access is the way to the store.
func (f *Foreign) Access() Access { return f.access }

// Stop hands leadership over and ends the member.
func (f *Foreign) Stop(ctx context.Context) error {
	f.stop()
	select {
	case <-f.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Members are those in the store.
func (f *Foreign) Members() []cluster.Member {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.members)
}

// Votes reports whether this member is one that votes.
func (f *Foreign) Votes() bool {
	return slices.ContainsFunc(f.Members(), func(m cluster.Member) bool { return m.ID == f.id && !m.Learner })
}

// Leading reports whether this member leads, and in which term: the revision of the store at which it was elected.
func (f *Foreign) Leading() (term uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.term, f.term > 0
}

// LeaderChanged is closed when this member begins or ceases to lead.
func (f *Foreign) LeaderChanged() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// AddLearner adds a member that does not vote, and returns its id.
func (f *Foreign) AddLearner(ctx context.Context, peerURL string) (id string, err error) {
	id = newMemberID()
	err = f.edit(ctx, func(m []cluster.Member) ([]cluster.Member, error) {
		return append(m, cluster.Member{ID: id, PeerURL: peerURL, Learner: true}), nil
	})
	return id, err
}

// Promote lets a learner vote; ErrLater while its node has not taken it up.
func (f *Foreign) Promote(ctx context.Context, id string) error {
	return f.edit(ctx, func(m []cluster.Member) ([]cluster.Member, error) {
		i := f.index(m, id)
		switch {
		case i < 0:
			return nil, fmt.Errorf("promote member %s: %w", id, cluster.ErrNotFound)
		case m[i].Name == "":
			return nil, fmt.Errorf("promote member %s: %w", id, cluster.ErrLater)
		}
		m[i].Learner = false
		return m, nil
	})
}

// Remove removes a member. That it is not there is as good.
func (f *Foreign) Remove(ctx context.Context, id string) error {
	return f.edit(ctx, func(m []cluster.Member) ([]cluster.Member, error) {
		return slices.DeleteFunc(m, func(m cluster.Member) bool { return m.ID == id }), nil
	})
}

// Readdress says where a member is reached from now on. Nobody does reach it there, as nothing is kept by it.
func (f *Foreign) Readdress(ctx context.Context, id, peerURL string) error {
	return f.edit(ctx, func(m []cluster.Member) ([]cluster.Member, error) {
		if i := f.index(m, id); i >= 0 {
			m[i].PeerURL = peerURL
		}
		return m, nil
	})
}

// MoveLeader gives leadership up. Who of the others takes it, their election decides: whoever asked looks whether it is the right one.
func (f *Foreign) MoveLeader(context.Context, string) error {
	f.mu.Lock()
	resign := f.resign
	f.mu.Unlock()
	if resign == nil {
		return fmt.Errorf("move leadership: %w", cluster.ErrLater)
	}
	resign()
	return nil
}
