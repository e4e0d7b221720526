package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/etcdstore"
	"throng/internal/grid/nominate"
	"throng/internal/grid/trust"
)

// A grid may keep its store in an etcd that somebody else looks after. Every node then reaches that etcd itself. Those who vote
// keep nothing: they witness who is alive, and one of them leads.

// keeper is this node's member of the store: etcdstore.Server, or etcdstore.Foreign.
type keeper interface {
	nominate.Keeper
	ID() string
	Votes() bool
	Leading() (term uint64, ok bool)
	LeaderChanged() <-chan struct{}
	Ready() <-chan struct{}
	Done() <-chan struct{}
	Err() error
	Access() etcdstore.Access
	Stop(ctx context.Context) error
}

var errForeign = errors.New("this grid keeps its store in an etcd of its own: ask that one")

func (o *Options) foreign() bool { return len(o.EtcdEndpoints) > 0 }

// checkForeign says what is wrong with the addresses of an external etcd.
func (o *Options) checkForeign() error {
	var errs []error
	for _, e := range o.EtcdEndpoints {
		u, err := url.Parse(e)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			errs = append(errs, fmt.Errorf("--etcd-endpoints has %.120q: https://HOST:2379 would be right", e))
		case u.Scheme == "http":
			if err := trust.CheckInsecure(u.Hostname()); err != nil {
				errs = append(errs, fmt.Errorf("--etcd-endpoints: %w", err))
			}
		}
	}
	if !o.foreign() && (o.EtcdCA != "" || o.EtcdCert != "" || o.EtcdKey != "") {
		errs = append(errs, errors.New("--etcd-cacert, --etcd-cert and --etcd-key go with --etcd-endpoints"))
	}
	if (o.EtcdCert == "") != (o.EtcdKey == "") {
		errs = append(errs, errors.New("--etcd-cert and --etcd-key go together"))
	}
	return errors.Join(errs...)
}

// foreignAccess is the way to an external etcd.
func (o *Options) foreignAccess() (etcdstore.Access, error) {
	a := etcdstore.Access{Endpoints: o.EtcdEndpoints, Foreign: true, TLS: &tls.Config{MinVersion: tls.VersionTLS12}}
	if u, err := url.Parse(o.EtcdEndpoints[0]); err == nil && u.Scheme == "http" {
		a.TLS = nil
		return a, nil
	}
	if o.EtcdCA != "" {
		pem, err := os.ReadFile(o.EtcdCA)
		if err != nil {
			return a, fault.New(fault.InvalidConfig, fmt.Errorf("--etcd-cacert: %w", err))
		}
		a.TLS.RootCAs = x509.NewCertPool()
		if !a.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return a, fault.New(fault.InvalidConfig, fmt.Errorf("--etcd-cacert: there is no certificate in %s", o.EtcdCA))
		}
	}
	if o.EtcdCert != "" {
		if _, err := tls.LoadX509KeyPair(o.EtcdCert, o.EtcdKey); err != nil {
			return a, fault.New(fault.InvalidConfig, fmt.Errorf("--etcd-cert: %w", err))
		}
		a.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // read anew: it may be renewed
			c, err := tls.LoadX509KeyPair(o.EtcdCert, o.EtcdKey)
			return &c, err
		}
	}
	return a, nil
}

// checkKind refuses a node of one kind in a grid of the other; foreign is the node's, gridForeign the grid's.
func checkKind(foreign, gridForeign bool) error {
	switch {
	case foreign == gridForeign:
		return nil
	case gridForeign:
		return fault.WithHint(fault.InvalidConfig, errors.New("this grid keeps its store in an external etcd"), "--etcd-endpoints names it, on every node")
	}
	return fault.WithHint(fault.InvalidConfig, errors.New("the members of this grid keep its store themselves"), "leave --etcd-endpoints out")
}

// foundForeign begins a grid in an external etcd, and returns how its records begin.
func (n *Node) foundForeign(ctx context.Context) (member string, records map[string][]byte, err error) {
	a, err := n.o.foreignAccess()
	if err != nil {
		return "", nil, err
	}
	if err := n.store.Use(a); err != nil {
		return "", nil, err
	}
	switch id, err := n.store.Get(ctx, cluster.IDKey); {
	case err == nil && string(id.Value) == n.memory.Cluster: // this founding was interrupted before
		if err := n.forgetAll(ctx, []string{cluster.Prefix}); err != nil {
			return "", nil, err
		}
	case err == nil:
		return "", nil, fault.WithHint(fault.InvalidConfig, fmt.Errorf("the etcd at %s holds grid %s already", n.o.EtcdEndpoints[0], id.Value), "--seeds names a node of it, to join")
	case !errors.Is(err, cluster.ErrNotFound):
		return "", nil, fault.New(fault.InvalidConfig, fmt.Errorf("--etcd-endpoints: %w", err))
	}
	member, key, value, err := etcdstore.FoundForeign(n.name(), n.o.ServerURL)
	return member, map[string][]byte{key: value}, err
}

// runForeign is run where the store is an external etcd.
func (s *seat) runForeign(ctx context.Context) error {
	a, err := s.n.o.foreignAccess()
	if err != nil {
		return err
	}
	if err := s.n.store.Use(a); err != nil {
		return err
	}
	for {
		next := s.n.picture.next()
		if err := s.stepForeign(ctx, a); err != nil && ctx.Err() == nil {
			s.complain(ctx, "take a seat", err)
		}
		select {
		case <-next:
		case <-time.After(again):
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *seat) stepForeign(ctx context.Context, a etcdstore.Access) error {
	word, seated, known := s.n.picture.seat(s.n.name())
	if s.isStopping() || !known {
		return nil
	}
	member, _ := s.member()
	switch {
	case member != nil && (!seated || word.Member != member.ID()):
		s.set(nil)
		return member.Stop(ctx)
	case member == nil && seated:
		f, err := etcdstore.OpenForeign(ctx, s.n.store, a, word.Member, s.n.name(), s.n.log)
		if err != nil {
			return err
		}
		s.set(f)
	}
	return nil
}

// notOurs answers for what only an embedded store can do.
func notOurs(w http.ResponseWriter, r *http.Request) { etcdFailed(w, r, errForeign) }
