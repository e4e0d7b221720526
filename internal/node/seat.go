package node

import (
	"context"
	"path/filepath"
	"sync"

	"throng/internal/grid/cluster/etcdstore"
)

// seat is the node's part in keeping the store: a member of its own, or the way to those of others.
type seat struct {
	n *Node

	mu      sync.Mutex // guards what follows
	server  *etcdstore.Server
	changed chan struct{} // closed, and made anew, when server changes
}

func newSeat(n *Node) *seat { return &seat{n: n, changed: make(chan struct{})} }

func (s *seat) dir() string { return filepath.Join(s.n.o.DataDir, "etcd") }

// member returns this node's member of the store; nil while there is none.
func (s *seat) member() (*etcdstore.Server, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server, s.changed
}

func (s *seat) set(server *etcdstore.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server = server
	close(s.changed)
	s.changed = make(chan struct{})
}

// config is where the member lives.
func (s *seat) config() etcdstore.Config {
	c := etcdstore.Config{Name: s.n.name(), Dir: s.dir(), ClientURL: s.n.o.ClientURL, PeerURL: s.n.o.ServerURL, Log: s.n.log}
	if s.n.identity != nil {
		f := s.n.identity.Files()
		c.Peers = &etcdstore.TLSFiles{Cert: f.Cert, Key: f.Key, CA: f.CA}
	}
	return c
}

// remote is the way to the store through nodes that vote.
func (s *seat) remote(endpoints []string) (etcdstore.Access, error) {
	a := etcdstore.Access{Endpoints: endpoints}
	if s.n.identity != nil {
		var err error
		if a.TLS, err = s.n.identity.ClientTLS(); err != nil {
			return a, err
		}
	}
	return a, nil
}

// stop stops the member, which hands leadership over.
func (s *seat) stop() {
	server, _ := s.member()
	if server == nil {
		return
	}
	if err := s.n.store.Close(); err != nil {
		s.n.log.Debug("leave the store: " + err.Error())
	}
	if err := server.Stop(context.Background()); err != nil {
		s.n.log.Warn("stop etcd: " + err.Error())
	}
}

// run keeps the node's way to the store until ctx ends.
func (s *seat) run(ctx context.Context) error {
	server, _ := s.member()
	if server == nil && etcdstore.Exists(s.dir()) {
		var err error
		if server, err = etcdstore.Restart(ctx, s.config()); err != nil {
			return err
		}
		s.set(server)
	}
	if server != nil {
		if err := s.n.store.Use(server.Access()); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	return s.asClient(ctx)
}

// asClient follows those who vote.
func (s *seat) asClient(ctx context.Context) error {
	endpoints := s.n.memory.Endpoints
	used := ""
	for {
		next := s.n.picture.next()
		var voters []string
		for _, v := range s.n.picture.view().Voters() {
			voters = append(voters, v.ClientURL)
		}
		if len(voters) > 0 {
			endpoints = voters
		}
		if key := join(endpoints); key != used {
			a, err := s.remote(endpoints)
			if err == nil {
				err = s.n.store.Use(a)
			}
			if err != nil && ctx.Err() == nil {
				return err
			}
			used = key
		}
		select {
		case <-next:
		case <-ctx.Done():
			return nil
		}
	}
}

func join(list []string) (out string) {
	for _, s := range list {
		out += s + " "
	}
	return out
}
