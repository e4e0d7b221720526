package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/etcdstore"
)

// seat is the node's part in keeping the store: a member of its own, or the way to those of others. What it does follows from
// the leader's word (cluster.Seat), from what is on disk, and from nothing that it did before:
//
//	no seat            no member; the store is reached through those who vote
//	learner            a member that starts with those it was told, and receives the log; the store as above
//	voter              the store is reached through the member
//	voter, leaving     the member stays up, because the others still need it; the store as above
//	no seat any more   the member ends, its directory is put aside, and the node may be chosen again
type seat struct {
	n *Node

	mu       sync.Mutex // guards what follows
	server   keeper
	changed  chan struct{} // closed, and made anew, when server changes
	stopping bool
	door     *door // open while others may reach the store through our member

	grpc, plain *http.Transport // to the member's socket

	used string // the endpoints in use; owned by run
	told string // the last complaint, so that it is made once; owned by run
}

func newSeat(n *Node) *seat {
	s := &seat{n: n, changed: make(chan struct{})}
	s.grpc, s.plain = s.toMember()
	return s
}

func (s *seat) dir() string { return filepath.Join(s.n.o.DataDir, "etcd") }

// member returns this node's member of the store; nil while there is none.
func (s *seat) member() (keeper, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server, s.changed
}

func (s *seat) set(server keeper) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server = server
	close(s.changed)
	s.changed = make(chan struct{})
}

// config is where the member lives.
func (s *seat) config(ctx context.Context) (etcdstore.Config, error) {
	c := etcdstore.Config{Name: s.n.name(), Dir: s.dir(), ClientURL: s.n.o.ClientURL, PeerURL: s.n.o.ServerURL, Log: s.n.log}
	var err error
	if c.Listen, err = bindTo(ctx, c.PeerURL); err != nil {
		return c, fault.New(fault.InvalidConfig, fmt.Errorf("--server-urls: %w", err))
	}
	if s.n.identity != nil {
		f := s.n.identity.Files()
		c.Peers = &etcdstore.TLSFiles{Cert: f.Cert, Key: f.Key, CA: f.CA}
	}
	return c, nil
}

// stopIn bounds the wait for etcd's end. While it leads it asks the others for their versions, one after the other, seven seconds each if they
// are frozen, and ends only then. What has been written is on disk: a process that ends sooner loses as little as one that is killed.
const stopIn = 2 * time.Second

// stop stops the member, which hands leadership over, and waits for that until ctx ends.
func (s *seat) stop(ctx context.Context) {
	s.mu.Lock()
	s.stopping = true
	server := s.server
	s.mu.Unlock()
	s.shut()
	if err := s.n.store.Close(); err != nil {
		s.n.log.Debug("leave the store: " + err.Error())
	}
	if server == nil {
		return
	}
	began := time.Now()
	if err := server.Stop(ctx); err != nil {
		s.n.log.Warn("stop etcd: " + err.Error())
	}
	s.n.log.Debug("etcd stopped", "after", time.Since(began))
}

func (s *seat) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// again is how long the node waits until it tries once more what did not work.
const again = 500 * time.Millisecond

// run does what the seat says until ctx ends, or the member comes to an end that it cannot recover from.
func (s *seat) run(ctx context.Context) error {
	if s.n.o.foreign() {
		return s.runForeign(ctx)
	}
	if server, _ := s.member(); server == nil {
		if had, _ := s.n.memory.member(); had != "" && !etcdstore.Exists(s.dir()) {
			return s.lost()
		}
	}
	if server, _ := s.member(); server == nil && etcdstore.Exists(s.dir()) {
		// Before anything is known of the others: they may all be waiting for this member.
		if err := s.restart(ctx); err != nil {
			return err
		}
	}
	for {
		next := s.n.picture.next()
		server, _ := s.member()
		knew := isReady(server)
		if err := s.step(ctx, server); err != nil {
			return err
		}
		now, changed := s.member()
		var ended, ready <-chan struct{}
		if now != nil {
			ended, ready = now.Done(), now.Ready()
		}
		if server == now && knew { // a learner goes another way all the same: that it is ready is news once
			ready = nil
		}
		select {
		case <-next:
		case <-changed:
		case <-ended:
		case <-ready:
		case <-time.After(again):
		case <-ctx.Done():
			return nil
		}
	}
}

func isReady(server keeper) bool {
	if server == nil {
		return false
	}
	select {
	case <-server.Ready():
		return true
	default:
		return false
	}
}

// step takes one step towards what the seat says.
func (s *seat) step(ctx context.Context, server keeper) error {
	if s.isStopping() {
		return nil
	}
	if server != nil {
		select {
		case <-server.Done():
			return s.ended(server)
		default:
		}
	}
	word, seated, known := s.n.picture.seat(s.n.name())
	// A member that was cut off hears from raft that it is removed before the picture, which it kept meanwhile, shows it.
	seated = seated && word.Member != s.n.memory.removed() && (server == nil || word.Member == server.ID())
	var err error
	switch {
	case server == nil && seated:
		err = s.take(ctx, word)
	case server != nil && !seated && known:
		return s.yield(server)
	}
	if err != nil {
		return err
	}
	return s.reach(word, seated, known)
}

// take starts the member that the seat is for.
func (s *seat) take(ctx context.Context, word cluster.Seat) error {
	had, invited := s.n.memory.member()
	switch {
	case (word.Member == had || word.Member == invited) && etcdstore.Exists(s.dir()):
		return s.restart(ctx)
	case len(word.Cluster) == 0 && word.Role == cluster.Learner:
		return nil // the leader has not said yet with whom
	case len(word.Cluster) == 0:
		return s.lost()
	case invited != word.Member:
		if err := s.putAside(); err != nil {
			return err
		}
		if err := s.remember("", word.Member); err != nil {
			return err
		}
	}
	c, err := s.config(ctx)
	if err != nil {
		return err
	}
	server, err := etcdstore.Join(ctx, c, word.Cluster)
	if err != nil {
		s.complain(ctx, "take a seat", err)
		return nil
	}
	s.set(server)
	s.n.log.Info("this node keeps the store with the others, as a learner")
	return s.remember(word.Member, "")
}

// lost is what a member's end is called whose data is gone.
func (s *seat) lost() error {
	return fault.WithHint(fault.InvalidConfig, fmt.Errorf("this node votes, and what its member wrote to %s is lost", s.dir()),
		"remove "+s.n.o.DataDir+" and join the grid anew, with --seeds")
}

func (s *seat) remember(member, invited string) error {
	return s.n.memory.change(s.n.o.DataDir, func(m *memory) { m.Member, m.Invited = member, invited })
}

// restart starts the member whose data is on disk.
func (s *seat) restart(ctx context.Context) error {
	c, err := s.config(ctx)
	if err != nil {
		return err
	}
	server, err := etcdstore.Restart(ctx, c)
	if err != nil {
		return unlessStopped(ctx, fault.New(fault.Other, err))
	}
	s.set(server)
	return s.remember(server.ID(), "")
}

// complain logs what did not work, and is tried again.
func (s *seat) complain(ctx context.Context, what string, err error) {
	if ctx.Err() != nil || s.told == err.Error() {
		return
	}
	s.told = err.Error()
	s.n.log.Warn(what + ": " + err.Error())
}

// ended deals with a member that ended by itself.
func (s *seat) ended(server keeper) error {
	if s.isStopping() {
		return nil
	}
	err := server.Err()
	if errors.Is(err, etcdstore.ErrRemoved) {
		return s.vacate(server)
	}
	if err == nil {
		err = errors.New("etcd ended")
	}
	s.set(nil) // there is nothing left to stop
	return fmt.Errorf("this node's member of the store: %w", err)
}

// yield ends the member: the leader has removed it.
func (s *seat) yield(server keeper) error {
	if err := s.reach(cluster.Seat{}, false, true); err != nil { // the picture is known, so this way is never our own
		return err
	}
	began := time.Now()
	if err := server.Stop(context.Background()); err != nil {
		return fmt.Errorf("stop etcd: %w", err) // a new one could not listen
	}
	s.n.log.Debug("etcd stopped", "after", time.Since(began))
	return s.vacate(server)
}

// vacate makes the node one without a member. That is written down first: a directory that is put aside, and was not, is a lost one.
func (s *seat) vacate(server keeper) error {
	id := server.ID()
	s.set(nil)
	if err := s.reach(cluster.Seat{}, false, true); err != nil {
		return err
	}
	if err := s.n.memory.change(s.n.o.DataDir, func(m *memory) { m.Member, m.Invited, m.Removed = "", "", id }); err != nil {
		return err
	}
	if err := s.putAside(); err != nil {
		return err
	}
	s.n.log.Info("this node no longer keeps the store")
	return nil
}

// putAside moves a former member's directory away. It must not be used again: the others would take its member for one that
// has forgotten its votes. The last one is kept.
func (s *seat) putAside() error {
	old := s.dir() + ".old"
	if _, err := os.Stat(s.dir()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := os.RemoveAll(old); err != nil {
		return fmt.Errorf("remove an old member's directory: %w", err)
	}
	if err := os.Rename(s.dir(), old); err != nil {
		return fmt.Errorf("put a former member's directory aside: %w", err)
	}
	return nil
}

// own names the way to the store through this node's member.
func (s *seat) own(server keeper) string {
	if server == nil {
		return ""
	}
	return server.ID()
}

// reach makes the store go the way that fits the seat.
func (s *seat) reach(word cluster.Seat, seated, known bool) error {
	server, _ := s.member()
	votes := server != nil && (seated && word.Role == cluster.Voter && !word.Leaving || !known && server.Votes())
	if votes {
		s.open(server)
		select {
		case <-server.Ready():
		default:
			if known && s.used != "" {
				return nil // the old way is as good until then
			}
		}
		return s.use(s.own(server), server.Access())
	}
	s.shut()
	endpoints := s.others()
	if len(endpoints) == 0 {
		return nil
	}
	a := etcdstore.Access{Endpoints: endpoints}
	if s.n.identity != nil {
		var err error
		if a.TLS, err = s.n.identity.ClientTLS(); err != nil {
			return err
		}
	}
	return s.use(strings.Join(endpoints, " "), a)
}

func (s *seat) use(name string, a etcdstore.Access) error {
	if name == s.used || s.isStopping() {
		return nil
	}
	if err := s.n.store.Use(a); err != nil {
		return err
	}
	s.used = name
	return nil
}

// others are the addresses of the nodes that vote, beside this one; where none is known, of all that were ever known.
func (s *seat) others() []string {
	var out []string
	for _, v := range s.n.picture.view().Voters() {
		if v.Name != s.n.name() {
			out = append(out, v.ClientURL)
		}
	}
	if len(out) == 0 {
		for _, e := range slices.Concat(s.n.memory.endpoints(), s.n.o.Seeds) {
			if e != s.n.o.ClientURL && !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
	}
	return out
}
