package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/storetest"
)

// freePort is a port that nobody listens at: of an address of loopback of its own, where there are many, so that no connection is
// given it meanwhile.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 64+rand.IntN(128), rand.IntN(256), 1+rand.IntN(254)))
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func config(t *testing.T, name string) Config {
	t.Helper()
	return Config{
		Name: name, Dir: t.TempDir() + "/etcd", ClientURL: "http://" + freePort(t), PeerURL: "http://" + freePort(t),
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
}

// soon is long enough for anything that does not hang.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Second, errors.New("it hangs"))
	t.Cleanup(cancel)
	return ctx
}

func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: not within 30 s", what)
	}
}

// running waits until a server is ready, and stops it with the test.
func running(t *testing.T, s *Server, err error) *Server {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	await(t, "the server is ready", s.Ready())
	return s
}

func storeOn(t *testing.T, a Access) *Store {
	t.Helper()
	s := New()
	if err := s.Use(a); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	server, err := Bootstrap(t.Context(), config(t, "h1"), "suite")
	running(t, server, err)
	storetest.Run(t, func(t *testing.T) storetest.Bench {
		s := storeOn(t, server.Access())
		kvs, _, err := s.List(t.Context(), cluster.Prefix)
		if err != nil {
			t.Fatal(err)
		}
		for _, kv := range kvs {
			if _, err := s.Commit(t.Context(), cluster.Txn{Delete: []string{kv.Key}}); err != nil {
				t.Fatal(err)
			}
		}
		return storetest.Bench{Store: s, Compact: func(r int64) error {
			_, err := server.inner.Compact(t.Context(), r, clientv3.WithCompactPhysical())
			return err
		}}
	})
}

func TestMembersComeAndGo(t *testing.T) {
	t.Parallel()
	ctx := soon(t)
	c1, c2 := config(t, "h1"), config(t, "h2")
	began := time.Now()
	h1, err := Bootstrap(ctx, c1, "members")
	running(t, h1, err)
	t.Logf("bootstrapped after %v", time.Since(began))
	if _, ok := h1.Leading(); !ok || !h1.Votes() {
		t.Error("the only member does not lead")
	}
	id, err := h1.AddLearner(ctx, c2.PeerURL)
	if err != nil {
		t.Fatal(err)
	}
	if err := h1.Promote(ctx, id); !errors.Is(err, cluster.ErrLater) {
		t.Errorf("a learner that never started was promoted: %v", err)
	}
	h2, err := Join(ctx, c2, map[string]string{"h1": c1.PeerURL, "h2": c2.PeerURL})
	running(t, h2, err)
	t.Logf("joined after %v", time.Since(began))
	if h2.ID() != id || h2.Votes() || h2.Leader() != h1.ID() {
		t.Errorf("the learner is %s and votes: %v, led by %s", h2.ID(), h2.Votes(), h2.Leader())
	}
	sooner(t, func() error { return h1.Promote(ctx, id) })
	if err := h1.Promote(ctx, id); err != nil {
		t.Errorf("promoted twice: %v", err)
	}
	t.Logf("promoted after %v", time.Since(began))
	if got, want := fmt.Sprint(names(h1)), "map[h1:true h2:true]"; got != want {
		t.Errorf("the voters are %s, want %s", got, want)
	}

	changed := h2.LeaderChanged()
	sooner(t, func() error { return h1.MoveLeader(ctx, id) })
	await(t, "h2 leads", changed)
	if _, ok := h2.Leading(); !ok {
		t.Error("h2 does not lead")
	}
	sooner(t, func() error { return h2.Remove(ctx, h1.ID()) })
	t.Logf("removed after %v", time.Since(began))
	await(t, "h1 ends", h1.Done())
	if err := h1.Err(); !errors.Is(err, ErrRemoved) {
		t.Errorf("h1 ended with %v", err)
	}
	if err := h2.Remove(ctx, h1.ID()); err != nil {
		t.Errorf("removed twice: %v", err)
	}
	if _, err := storeOn(t, h2.Access()).Commit(ctx, cluster.Txn{Put: map[string][]byte{cluster.IDKey: nil}}); err != nil {
		t.Errorf("the survivor does not take writes: %v", err)
	}
}

// sooner tries again while change is refused for now.
func sooner(t *testing.T, change func() error) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 600 {
		err := change()
		if err == nil {
			return
		}
		if !errors.Is(err, cluster.ErrLater) {
			t.Fatal(err)
		}
		<-tick.C
	}
	t.Fatal("refused for 30 s")
}

// names says of each member that started whether it votes.
func names(s *Server) map[string]bool {
	out := map[string]bool{}
	for _, m := range s.Members() {
		out[m.Name] = !m.Learner
	}
	return out
}
