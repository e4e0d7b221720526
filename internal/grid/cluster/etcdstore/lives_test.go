package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"throng/internal/grid/cluster"
)

// TestFiftyLives starts and stops one member fifty times in one process, on the same addresses, and finds its data every time.
// It runs alone, because it counts goroutines.
func TestFiftyLives(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	c := config(t, "h1")
	store := New()
	count := cluster.Prefix + "count"
	var before int
	var stops time.Duration
	for i := range 50 {
		var s *Server
		var err error
		if i == 0 {
			s, err = Bootstrap(soon(t), c, "lives")
		} else {
			s, err = Restart(soon(t), c)
		}
		if err != nil {
			t.Fatalf("life %d: %v", i, err)
		}
		await(t, "the server is ready", s.Ready())
		if err := store.Use(s.Access()); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			if kv, err := store.Get(soon(t), count); err != nil || string(kv.Value) != fmt.Sprint(i) {
				t.Fatalf("life %d found %s, %v", i, kv.Value, err)
			}
		}
		if _, err := store.Commit(soon(t), cluster.Txn{Put: map[string][]byte{count: []byte(fmt.Sprint(i + 1))}}); err != nil {
			t.Fatalf("life %d: %v", i, err)
		}
		watching := store.Watch(t.Context(), cluster.Prefix, 1) // open to the end, as a node's is
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		for range watching { //nolint:revive // until it ends
		}
		began := time.Now()
		if err := s.Stop(soon(t)); err != nil {
			t.Fatalf("life %d: %v", i, err)
		}
		stops += time.Since(began)
		if err := s.Err(); err != nil {
			t.Fatalf("life %d ended with %v", i, err)
		}
		if i == 4 {
			before = runtime.NumGoroutine()
		}
	}
	t.Logf("a stop takes %v", stops/50)
	if stops/50 > time.Second {
		t.Errorf("a stop takes %v", stops/50)
	}
	if now := runtime.NumGoroutine(); now > before+5 {
		var b strings.Builder
		_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
		t.Errorf("%d goroutines after five lives, %d after fifty:\n%s", before, now, b.String())
	}
}

func TestASecondServerOnOneAddressIsRefused(t *testing.T) {
	t.Parallel()
	c := config(t, "h1")
	first, err := Bootstrap(soon(t), c, "first")
	running(t, first, err)
	second := config(t, "h1")
	second.PeerURL = c.PeerURL
	if _, err := Bootstrap(soon(t), second, "second"); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a second server on the same address: %v", err)
	}
	if _, err := storeOn(t, first.Access()).Commit(soon(t), cluster.Txn{}); err != nil {
		t.Errorf("the first is disturbed: %v", err)
	}
}

func TestAFatalLogEntryEndsTheServerNotTheProcess(t *testing.T) {
	t.Parallel()
	s, err := Bootstrap(soon(t), config(t, "h1"), "fatal")
	running(t, s, err)
	go s.book.logger().Panic("the disk is full", zap.Error(errors.New("no space left on device")), zap.String("value", "secret"))
	await(t, "the server ends", s.Done())
	if err := s.Err(); err == nil || err.Error() != "etcd gave up: the disk is full, error: no space left on device" {
		t.Errorf("it ended with %v", err)
	}
	if _, ok := s.Leading(); ok {
		t.Error("it still leads")
	}
}

func TestAFatalLogEntryAtTheStartIsAnError(t *testing.T) {
	t.Parallel()
	c := config(t, "h1")
	if err := os.MkdirAll(filepath.Join(c.Dir, "member"), 0o700); err != nil {
		t.Fatal(err)
	}
	// etcd makes a directory here, and calls it fatal when it cannot.
	if err := os.WriteFile(filepath.Join(c.Dir, "member", "snap"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Bootstrap(soon(t), c, "start"); err == nil || !strings.Contains(err.Error(), "snapshot directory") {
		t.Errorf("bootstrap on a broken directory: %v", err)
	}
}

// TestARemovedMemberSaysSo covers the member that was away when it was removed, and is told when it comes back.
func TestARemovedMemberSaysSo(t *testing.T) {
	t.Parallel()
	ctx := soon(t)
	c1, c2 := config(t, "h1"), config(t, "h2")
	h1, err := Bootstrap(ctx, c1, "removed")
	running(t, h1, err)
	id, err := h1.AddLearner(ctx, c2.PeerURL)
	if err != nil {
		t.Fatal(err)
	}
	h2, err := Join(ctx, c2, map[string]string{"h1": c1.PeerURL, "h2": c2.PeerURL})
	running(t, h2, err)
	if err := h2.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h1.Remove(ctx, id); err != nil {
		t.Fatal(err)
	}
	again, err := Restart(ctx, c2)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the removed member ends", again.Done())
	if err := again.Err(); !errors.Is(err, ErrRemoved) {
		t.Errorf("it ended with %v", err)
	}
}

// pair is a store of two voters, of which the first leads.
func pair(t *testing.T, c1, c2 Config) (h1, h2 *Server) {
	ctx := soon(t)
	h1, err := Bootstrap(ctx, c1, "pair")
	running(t, h1, err)
	id, err := h1.AddLearner(ctx, c2.PeerURL)
	if err != nil {
		t.Fatal(err)
	}
	h2, err = Join(ctx, c2, map[string]string{"h1": c1.PeerURL, "h2": c2.PeerURL})
	running(t, h2, err)
	sooner(t, func() error { return h1.Promote(ctx, id) })
	return h1, h2
}

func TestAMemberWithoutAMajorityStops(t *testing.T) {
	t.Parallel()
	ctx := soon(t)
	c1, c2 := config(t, "h1"), config(t, "h2")
	h1, h2 := pair(t, c1, c2)
	for _, s := range []*Server{h1, h2} {
		if err := s.Stop(ctx); err != nil {
			t.Fatal(err)
		}
	}
	alone, err := Restart(ctx, c2)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := alone.Stop(ctx); err != nil || time.Since(began) > 3*time.Second {
		t.Errorf("it stopped after %v: %v", time.Since(began), err)
	}
	again, err := Restart(ctx, c2) // on the same addresses
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// TestAMemberThatLostTheMajorityStops freezes the other one of two voters: its connections stay, and nothing comes any more. The leader stops
// soon although a write waits, and nobody takes the leadership; and nothing that was written before is lost.
func TestAMemberThatLostTheMajorityStops(t *testing.T) {
	t.Parallel()
	ctx := soon(t)
	c1, c2 := config(t, "h1"), config(t, "h2")
	var links []*stuck
	for _, c := range []*Config{&c1, &c2} {
		c.Listen = strings.TrimPrefix(c.PeerURL, "http://")
		links = append(links, newStuck(t, "tcp", c.Listen))
		c.PeerURL = "http://" + links[len(links)-1].Addr().String()
	}
	h1, h2 := pair(t, c1, c2)
	store := New()
	if err := store.Use(h1.Access()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Commit(ctx, cluster.Txn{Put: map[string][]byte{cluster.IDKey: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		l.stick()
	}
	waits := make(chan error, 1)
	go func() {
		_, err := store.Commit(ctx, cluster.Txn{Put: map[string][]byte{cluster.IdealKey: []byte("1")}})
		waits <- err
	}()
	select {
	case err := <-waits:
		t.Fatalf("a write without a majority: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := h1.Stop(ctx); err != nil || time.Since(began) > 3*time.Second {
		t.Errorf("the leader stopped after %v: %v", time.Since(began), err)
	}
	began = time.Now()
	if err := h2.Stop(ctx); err != nil || time.Since(began) > 3*time.Second {
		t.Errorf("the other one stopped after %v: %v", time.Since(began), err)
	}
	for _, l := range links {
		l.dead.Store(false)
	}
	for _, c := range []Config{c1, c2} {
		s, err := Restart(soon(t), c)
		if c.Name == "h2" {
			running(t, s, err)
			kv, err := storeOn(t, s.Access()).Get(soon(t), cluster.IDKey)
			if err != nil || string(kv.Value) != "1" {
				t.Errorf("after both came back there is %q, %v", kv.Value, err)
			}
		} else if err != nil {
			t.Fatal(err)
		} else {
			t.Cleanup(func() { _ = s.Stop(context.Background()) })
		}
	}
}

func TestTheStoreSurvivesAChangeOfWays(t *testing.T) {
	t.Parallel()
	s, err := Bootstrap(soon(t), config(t, "h1"), "ways")
	running(t, s, err)
	store := New()
	got := make(chan error, 1)
	go func() {
		_, err := store.Get(soon(t), cluster.IDKey)
		got <- err
	}()
	if err := store.Use(s.Access()); err != nil {
		t.Fatal(err)
	}
	if err := <-got; !errors.Is(err, cluster.ErrNotFound) {
		t.Errorf("a call that waited for a way: %v", err)
	}
	watching := store.Watch(soon(t), cluster.Prefix, 1)
	if err := store.Use(s.Access()); err != nil {
		t.Fatal(err)
	}
	for range watching { //nolint:revive // until it ends
	}
	if _, _, err := store.List(soon(t), cluster.Prefix); err != nil {
		t.Errorf("over the new way: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := store.Get(ctx, cluster.IDKey); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a way: %v", err)
	}
}

func TestADeepDirectoryHasAShortSocket(t *testing.T) {
	t.Parallel()
	c := config(t, "h1")
	c.Dir = filepath.Join(t.TempDir(), strings.Repeat("deep/", 30), "etcd")
	s, err := Bootstrap(soon(t), c, "deep")
	running(t, s, err)
	info, err := os.Stat(filepath.Dir(s.Socket()))
	if err != nil || info.Mode().Perm() != 0o700 || len(s.Socket()) > maxSocket {
		t.Errorf("the socket is %s, in %v, %v", s.Socket(), info.Mode(), err)
	}
	if _, _, err := storeOn(t, s.Access()).List(soon(t), cluster.Prefix); err != nil {
		t.Error(err)
	}
}

func TestAnIPv6AddressAndAHostName(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"some-host", "[::1]"} {
		c := config(t, "h1")
		_, port, _ := strings.Cut(strings.TrimPrefix(c.PeerURL, "http://"), ":")
		c.PeerURL = "http://" + host + ":" + port
		if host == "some-host" {
			c.Listen = "127.0.0.1:" + port
		}
		s, err := Bootstrap(soon(t), c, host)
		if err != nil && strings.Contains(err.Error(), "cannot assign requested address") {
			t.Logf("no IPv6 here: %v", err)
			continue
		}
		running(t, s, err)
	}
}

// TestASilentWatchEnds puts a proxy between store and server that goes on holding connections, and passes nothing more.
func TestASilentWatchEnds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute")
	}
	t.Parallel()
	s, err := Bootstrap(soon(t), config(t, "h1"), "silent")
	running(t, s, err)
	p := newStuck(t, "unix", s.Socket())
	store := storeOn(t, Access{Endpoints: []string{"http://" + p.Addr().String()}})
	at, err := store.Commit(t.Context(), cluster.Txn{Put: map[string][]byte{cluster.IDKey: nil}})
	if err != nil {
		t.Fatal(err)
	}
	watching := store.Watch(t.Context(), cluster.Prefix, at)
	if _, err := store.Commit(t.Context(), cluster.Txn{Put: map[string][]byte{cluster.IDKey: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	if events := <-watching; len(events) != 1 {
		t.Fatalf("it told of %v", events)
	}
	began := time.Now()
	idle := time.After(2 * progress)
	select {
	case e, ok := <-watching:
		t.Fatalf("a watch of a store in which nothing happens told of %v, %v", e, ok)
	case <-idle:
	}
	p.stick()
	if e, ok := <-watching; ok || time.Since(began) > 8*progress {
		t.Errorf("it told of %v after %v", e, time.Since(began))
	}
}

// stuck is a proxy.
type stuck struct {
	net.Listener
	dead atomic.Bool
}

func newStuck(t *testing.T, network, address string) *stuck {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &stuck{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial(network, address)
			if err != nil {
				_ = in.Close()
				continue
			}
			t.Cleanup(func() { _, _ = in.Close(), out.Close() })
			go p.copy(in, out)
			go p.copy(out, in)
		}
	}()
	return p
}

func (p *stuck) stick() { p.dead.Store(true) }

func (p *stuck) copy(to, from net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if p.dead.Load() {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
