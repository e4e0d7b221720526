package node

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/etcdstore"
)

// external starts an etcd that is not the grid's, and returns its URL.
func (l *lab) external() string {
	l.t.Helper()
	plain := func() string { return "http://" + strings.SplitN(l.address(), "://", 2)[1] }
	server, err := etcdstore.Bootstrap(l.t.Context(), etcdstore.Config{
		Name: "etcd", Dir: filepath.Join(l.dir, "etcd"), ClientURL: plain(), PeerURL: plain(), Log: slog.New(slog.DiscardHandler),
	}, "external")
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			l.t.Error(err)
		}
	})
	return forward(l.t, server.Socket())
}

// TestAGridOnAnExternalEtcd forms, loses its leader, follows its size, and comes back.
func TestAGridOnAnExternalEtcd(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	l := newLab(t, 3)
	at := l.external()
	for _, name := range []string{"h1", "h2", "h3", "h4"} {
		l.options(name, func(o *Options) { o.EtcdEndpoints = []string{at} })
	}
	l.up(4)
	if exists(l.dir, "h1", "etcd") {
		t.Error("h1 keeps a store of its own")
	}
	id := l.clusterID()
	refused(t, l.order("forget", GridCall{Node: "h2"}), "alive")

	// Another founding in the same etcd, and nodes of the other kind, are refused.
	l.options("second", func(o *Options) { o.EtcdEndpoints = []string{at} })
	l.start("second")
	refused(t, l.ends("second"), "holds grid "+id)
	l.options("plain")
	l.start("plain", "h1")
	refused(t, l.ends("plain"), "external etcd")
	for _, name := range []string{"second", "plain"} {
		delete(l.nodes, name)
	}

	v, err := l.view()
	if err != nil {
		t.Fatal(err)
	}
	leader := v.Leader.Name
	l.halt(leader)
	l.until("another leads, and takes orders", func() bool {
		v, err := l.view()
		return err == nil && v.Leader.Name != leader && l.order("size", GridCall{Size: 1}) == nil
	})
	l.vote(1)
	l.start(leader)
	l.mustOrder("size", GridCall{Size: 3})
	l.vote(3)
	l.mustOrder("drain", GridCall{Node: leader})
	l.until("the drained one votes no more", func() bool {
		v, err := l.view()
		n, _ := v.Find(leader)
		return err == nil && n.Role == cluster.Client && len(v.Voters()) == 3
	})
	for name := range l.nodes {
		l.halt(name)
	}
	for name := range l.nodes {
		l.start(name)
	}
	l.vote(3)
	if got := l.clusterID(); got != id {
		t.Errorf("the grid is %s, it was %s", got, id)
	}
}
