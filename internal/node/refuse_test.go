package node

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"throng/internal/fault"
	"throng/internal/grid/client"
	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/grid/trust"
)

// TestAForgottenNodeIsNobody covers the node that was away when it was forgotten, as a client and as a voter: it is told, and its
// certificate, though it has not ended, opens nothing any more.
func TestAForgottenNodeIsNobody(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	l.up(4)
	v, err := l.view()
	if err != nil {
		t.Fatal(err)
	}
	byRole := map[cluster.Role]string{}
	for _, n := range v.Nodes {
		if n.Name != "h1" {
			byRole[n.Role] = n.Name
		}
	}
	for _, name := range []string{byRole[cluster.Client], byRole[cluster.Voter]} {
		refused(t, l.order("forget", GridCall{Node: name}), "is alive")
		l.halt(name)
		l.until(name+" is missed", func() bool { return !strings.Contains(l.alive(), name) })
		l.mustOrder("forget", GridCall{Node: name})
		l.until(name+" is forgotten", func() bool {
			v, err := l.view()
			_, there := v.Find(name)
			return err == nil && !there
		})
		l.start(name)
		refused(t, l.ends(name), "forgotten node "+name)
		l.tryCertificateOf(name)
	}
	l.vote(1) // two are left
	again := byRole[cluster.Voter]
	if err := os.RemoveAll(filepath.Join(l.dir, again)); err != nil {
		t.Fatal(err)
	}
	l.start(again, "h1")
	l.vote(3)
}

// tryCertificateOf calls another node with the certificate that lies on a node's disk.
func (l *lab) tryCertificateOf(name string) {
	l.t.Helper()
	id, err := trust.OpenIdentity(filepath.Join(l.dir, name, "identity"), time.Now)
	if err != nil {
		l.t.Fatal(err)
	}
	cfg, err := id.ClientTLS()
	if err != nil {
		l.t.Fatal(err)
	}
	c := courier.Client{HTTP: &http.Client{Transport: &http.Transport{TLSClientConfig: cfg}}}
	for _, path := range []string{whoPath, client.ViewPath, authorityPath, "/version"} {
		var r *courier.RemoteError
		err := c.JSON(l.t.Context(), http.MethodGet, l.nodes["h1"].o.ClientURL, path, nil, nil)
		if !errors.As(err, &r) || r.Status != http.StatusGone {
			l.t.Errorf("%s got an answer from %s: %v", name, path, err)
		}
	}
}

// TestBadNodesAreToldWhy: one clear sentence each, and the grid is as it was.
func TestBadNodesAreToldWhy(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	l.up(2)
	good := func(o *Options) {
		o.Seeds, o.TokenFile = []string{l.nodes["h1"].o.ClientURL}, filepath.Join(l.dir, "h1", "join.token")
	}
	expired := l.token(trust.Join, time.Millisecond)
	l.until("it has expired", func() bool { return time.Now().After(expired.until) })
	revoked, viewer := l.token(trust.Join, time.Hour), l.token(trust.Viewer, time.Hour)
	if err := l.grid().JSON(t.Context(), http.MethodDelete, TokensPath+"/"+revoked.id, nil, nil); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*Options)
		words  []string
	}{
		"no token":           {func(o *Options) { o.TokenFile = "" }, []string{"join token"}},
		"no such file":       {func(o *Options) { o.TokenFile = "/nonexistent/join.token" }, []string{"/nonexistent/join.token"}},
		"a viewer's":         {func(o *Options) { o.TokenFile = viewer.file }, []string{"viewer", "join token"}},
		"an operator's":      {func(o *Options) { o.TokenFile = filepath.Join(l.dir, "h1", "operator.token") }, []string{"operator", "join token"}},
		"an expired token":   {func(o *Options) { o.TokenFile = expired.file }, []string{"expired"}},
		"a revoked token":    {func(o *Options) { o.TokenFile = revoked.file }, []string{"revoked"}},
		"another version":    {func(o *Options) { o.Version = "9.9.9" }, []string{"9.9.9", "version"}},
		"a name that lives":  {func(o *Options) { o.Hostname = "h2" }, []string{"named h2", "--hostname"}},
		"another's address":  {func(o *Options) { o.ServerURL = l.nodes["h2"].o.ServerURL }, []string{"address of node h2"}},
		"a port that is not": {func(o *Options) { o.ClientURL = l.nodes["h1"].o.ClientURL }, []string{"--client-urls", "address already in use"}},
		"a locked directory": {func(o *Options) { o.DataDir = l.nodes["h1"].o.DataDir }, []string{"another process", "directory"}},
		"a seed in clear":    {func(o *Options) { o.Seeds = []string{"http://127.0.0.1:1"} }, []string{"https://"}},
		"itself as its seed": {func(o *Options) { o.Seeds = []string{o.ClientURL} }, []string{"--seeds"}},
	} {
		bad := "bad-" + strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), "'", "")
		l.options(bad, good, tt.change)
		began := time.Now()
		l.startAs(bad)
		err := l.ends(bad)
		delete(l.nodes, bad)
		if err == nil {
			t.Errorf("%s was taken", name)
			continue
		}
		if fault.KindOf(err) != fault.InvalidConfig || time.Since(began) > 15*time.Second {
			t.Errorf("%s: kind %d after %v", name, fault.KindOf(err), time.Since(began))
		}
		for _, w := range tt.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not speak of %q", name, err, w)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q is not one sentence", name, err)
		}
	}
	if got := l.alive(); got != "h1 h2" {
		t.Errorf("the grid has %s", got)
	}
}

// TestASeedOfAnotherGrid: a node that has no other is told so, with what would be right. While another seed may still come up, it waits, and
// the first that takes it wins.
func TestASeedOfAnotherGrid(t *testing.T) {
	t.Parallel()
	l, other, clear := newLab(t, 1), newLab(t, 1), newLab(t, 1)
	clear.insecure = true
	for _, g := range []*lab{l, other, clear} {
		g.up(1)
	}
	theirs, plain := other.nodes["h1"].o.ClientURL, strings.Replace(clear.nodes["h1"].o.ClientURL, "http:", "https:", 1)
	token := filepath.Join(l.dir, "h1", "join.token")
	for name, tt := range map[string]struct {
		seeds []string
		words []string
		hint  string
	}{
		"of another grid": {[]string{theirs}, []string{"join the grid at " + theirs, "is not of the grid that the token is for"}, "of another one"},
		"in the clear":    {[]string{plain}, []string{"join the grid at " + plain, "does not speak TLS"}, ""},
		"a members port":  {[]string{l.nodes["h1"].o.ServerURL}, []string{"--client-urls would be right"}, ""},
		"both":            {[]string{theirs, plain}, []string{"is not of the grid"}, token},
	} {
		bad := "bad-" + strings.ReplaceAll(name, " ", "-")
		began := time.Now()
		l.startAs(bad, func(o *Options) { o.Seeds, o.TokenFile = tt.seeds, token })
		err := l.ends(bad)
		delete(l.nodes, bad)
		refused(t, err, tt.words...)
		if fault.KindOf(err) != fault.InvalidConfig || time.Since(began) > 5*time.Second || !strings.Contains(fault.HintOf(err), tt.hint) || strings.Contains(err.Error(), "no answer") {
			t.Errorf("%s: kind %d, hint %q after %v: %v", name, fault.KindOf(err), fault.HintOf(err), time.Since(began), err)
		}
	}
	// The right one comes up later.
	l.halt("h1")
	l.startAs("h2", func(o *Options) { o.Seeds, o.TokenFile = []string{theirs, l.nodes["h1"].o.ClientURL}, token })
	l.until("h2 waits", func() bool { return l.said("waiting for the other seeds") })
	l.start("h1")
	l.until("h2 is there", func() bool { return l.alive() == "h1 h2" })
}

type madeToken struct {
	id, file string
	until    time.Time
}

// token has the grid make a token, and writes it to a file.
func (l *lab) token(role trust.Role, life time.Duration) madeToken {
	l.t.Helper()
	var a TokenAnswer
	if err := l.grid().JSON(l.t.Context(), http.MethodPost, TokensPath, TokenCall{Role: role, Life: life}, &a); err != nil {
		l.t.Fatal(err)
	}
	token, err := trust.ParseToken(a.Token)
	if err != nil {
		l.t.Fatal(err)
	}
	file := filepath.Join(l.t.TempDir(), "token")
	if err := trust.WriteToken(file, token); err != nil {
		l.t.Fatal(err)
	}
	return madeToken{a.Record.ID, file, a.Record.Expires}
}

// TestClocksThatDiffer asks to be taken in with clocks that are wrong.
func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	l := newLab(t, 1)
	l.insecure = true
	l.up(1)
	c := courier.Client{HTTP: &http.Client{}}
	for _, wrong := range []time.Duration{time.Hour, -10 * time.Minute} {
		call := joinCall{Node: cluster.Node{Name: "h2", Version: "test", Identity: "x", ClientURL: l.address()}, Now: time.Now().Add(wrong)}
		refused(t, c.JSON(t.Context(), http.MethodPost, l.nodes["h1"].o.ClientURL, joinPath, call, nil), "clock of node h2")
	}
}

// TestEtcdsOwnClientOnAnyNode reads, writes, watches and keeps a lease alive, through a node that votes and one that does not.
func TestEtcdsOwnClientOnAnyNode(t *testing.T) {
	t.Parallel()
	for _, insecure := range []bool{true, false} {
		l := newLab(t, 1)
		l.insecure = insecure
		l.up(2)
		for _, name := range []string{"h1", "h2"} {
			l.tryEtcd(name)
		}
	}
}

func (l *lab) tryEtcd(name string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
	defer cancel()
	cfg := clientv3.Config{Endpoints: []string{l.nodes[name].o.ClientURL}, Logger: zap.NewNop(), DialTimeout: 5 * time.Second}
	if !l.insecure {
		id, err := trust.OpenIdentity(filepath.Join(l.dir, "h2", "identity"), time.Now)
		if err != nil {
			l.t.Fatal(err)
		}
		if cfg.TLS, err = id.ClientTLS(); err != nil {
			l.t.Fatal(err)
		}
	}
	c, err := clientv3.New(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	watch := c.Watch(ctx, "foreign/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	if r := <-watch; r.Err() != nil {
		l.t.Fatalf("watch through %s: %v", name, r.Err())
	}
	lease, err := c.Grant(ctx, 5)
	if err != nil {
		l.t.Fatalf("lease through %s: %v", name, err)
	}
	alive, err := c.KeepAlive(ctx, lease.ID)
	if err != nil {
		l.t.Fatal(err)
	}
	if a := <-alive; a == nil || a.TTL != 5 {
		l.t.Errorf("keep a lease alive through %s: %v", name, a)
	}
	if _, err := c.Put(ctx, "foreign/"+name, "x", clientv3.WithLease(lease.ID)); err != nil {
		l.t.Errorf("write through %s: %v", name, err)
	}
	if r := <-watch; r.Err() != nil || len(r.Events) != 1 || string(r.Events[0].Kv.Key) != "foreign/"+name {
		l.t.Errorf("watched through %s: %v, %v", name, r.Events, r.Err())
	}
	members, err := c.MemberList(ctx)
	if err != nil || len(members.Members) != 1 || members.Members[0].ClientURLs[0] != l.nodes["h1"].o.ClientURL {
		l.t.Errorf("members through %s: %v, %v", name, members, err)
	}
}
