package node

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/etcdstore"
)

// idle is a learner that is ready, and counts how often it is asked whether it votes.
type idle struct {
	keeper
	ready, never chan struct{}
	asked        atomic.Int64
}

func (k *idle) Ready() <-chan struct{} { return k.ready }
func (k *idle) Done() <-chan struct{}  { return k.never }
func (k *idle) ID() string             { return "1" }
func (k *idle) Votes() bool            { k.asked.Add(1); return false }

// TestALearnerIsIdle: that its member is ready is no news to a learner, which reaches the store through others.
func TestALearnerIsIdle(t *testing.T) {
	t.Parallel()
	n := &Node{o: Options{DataDir: t.TempDir()}, log: slog.New(slog.DiscardHandler), store: etcdstore.New(), memory: &memory{}, picture: newPicture("h1", "", slog.New(slog.DiscardHandler))}
	n.seat = newSeat(n)
	k := &idle{ready: make(chan struct{}), never: make(chan struct{})}
	close(k.ready)
	n.seat.set(k)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := n.seat.run(ctx); err != nil {
		t.Fatal(err)
	}
	if asked := k.asked.Load(); asked < 1 || asked > 5 {
		t.Errorf("it took %d steps within %v, one in %v would be right", asked, 300*time.Millisecond, again)
	}
}

// removed is a voter that has heard from raft that it is removed.
type removed struct{ idle }

func (k *removed) Done() <-chan struct{} { return k.ready }
func (k *removed) Err() error            { return etcdstore.ErrRemoved }
func (k *removed) Votes() bool           { return false }

// TestWhoWasReplacedWhileCutOffStays has a voter hear that it is removed while what it knows of the grid still says that it votes, and
// starts it again then.
func TestWhoWasReplacedWhileCutOffStays(t *testing.T) {
	t.Parallel()
	n := &Node{o: Options{Hostname: "h1", DataDir: t.TempDir()}, log: slog.New(slog.DiscardHandler), store: etcdstore.New(), memory: &memory{Name: "h1", Member: "1"}}
	n.picture = newPicture("h1", "", n.log)
	n.picture.nodes["h1"] = cluster.Node{Name: "h1", Identity: "x"}
	n.picture.seats["h1"] = cluster.Seat{Identity: "x", Role: cluster.Voter, Member: "1"}
	n.seat = newSeat(n)
	if err := os.MkdirAll(n.seat.dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	k := &removed{idle{ready: make(chan struct{})}}
	close(k.ready)
	n.seat.set(k)
	for _, life := range []string{"that was cut off", "that has started again"} {
		ctx, cancel := context.WithTimeout(t.Context(), 3*again)
		defer cancel()
		if err := n.seat.run(ctx); err != nil {
			t.Fatalf("a node %s: %v", life, err)
		}
		if had, _ := n.memory.member(); had != "" || n.memory.removed() != "1" {
			t.Errorf("a node %s remembers member %q, removed %q", life, had, n.memory.removed())
		}
		if _, err := os.Stat(n.seat.dir()); err == nil {
			t.Errorf("a node %s keeps the directory", life)
		}
	}
}

// TestASeatIsLookedUpWithWhatIsKnown reads pictures in the very moment in which they are read from the store: a voter that saw no seat in one that
// was empty, and then that it was known, gave up its member, and so the last voter its grid.
func TestASeatIsLookedUpWithWhatIsKnown(t *testing.T) {
	t.Parallel()
	for range 3000 {
		p := newPicture("h1", "", slog.New(slog.DiscardHandler))
		var reading sync.WaitGroup
		reading.Go(func() {
			p.change(func() { p.nodes["h1"] = cluster.Node{Name: "h1", Identity: "i"} })
			p.change(func() { p.seats["h1"] = cluster.Seat{Role: cluster.Voter, Identity: "i"} })
		})
		for {
			_, seated, known := p.seat("h1")
			if known && !seated {
				t.Fatal("a seat that is there was not seen")
			}
			if known {
				break
			}
			runtime.Gosched()
		}
		reading.Wait()
	}
}

// TestAPictureHalfReadIsNotRemembered: a node that is stopped in that moment, and starts without seeds, would never find its grid again.
func TestAPictureHalfReadIsNotRemembered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := []string{"https://h1:2379"}
	n := &Node{o: Options{DataDir: dir, Hostname: "h2"}, log: slog.New(slog.DiscardHandler), memory: &memory{Endpoints: old}, picture: newPicture("h2", "", slog.New(slog.DiscardHandler))}
	for name, seats := range map[string]bool{"half": false, "whole": true} {
		n.picture.change(func() {
			n.picture.nodes["h2"] = cluster.Node{Name: "h2", ClientURL: "https://h2:2379"}
			n.picture.nodes["h3"] = cluster.Node{Name: "h3", ClientURL: "https://h3:2379", Identity: "i"}
			delete(n.picture.seats, "h3")
			if seats {
				n.picture.seats["h3"] = cluster.Seat{Role: cluster.Voter, Identity: "i"}
			}
		})
		if !seats {
			n.memory.Endpoints = old
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := n.remember(ctx); err != nil {
			t.Fatal(err)
		}
		want := old
		if seats {
			want = []string{"https://h2:2379", "https://h3:2379"}
		}
		if got := n.memory.endpoints(); !slices.Equal(got, want) {
			t.Errorf("%s: %v are remembered, want %v", name, got, want)
		}
	}
}
