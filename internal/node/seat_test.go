package node

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

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
