package memstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"throng/internal/grid/cluster"
)

// ErrNoAnswer is what a Link that fails returns.
var ErrNoAnswer = errors.New("the store does not answer")

// Link is one user's way to a Store. A test makes it as bad as a network may be.
type Link struct {
	store *Store

	mu     sync.Mutex // guards what follows
	delay  time.Duration
	lose   int
	refuse int
	healed chan struct{} // not nil while the link is cut; closed when it is whole again
}

// Link returns a new way to the store. It is good.
func (s *Store) Link() *Link { return &Link{store: s} }

// Delay makes each call take so long, half of it on the way there; and each event.
func (l *Link) Delay(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

// Refuse makes the next n calls fail before they reach the store.
func (l *Link) Refuse(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = n
}

// Lose makes the next n calls reach the store and their answers get lost.
func (l *Link) Lose(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = n
}

// Cut parts the user from the store: calls hang until their context ends, watches are silent. Mend makes up for it.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.healed == nil {
		l.healed = make(chan struct{})
	}
}

// Mend ends what Cut began.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.healed != nil {
		close(l.healed)
		l.healed = nil
	}
}

// Get is Store.Get over the link.
func (l *Link) Get(ctx context.Context, key string) (kv cluster.KV, err error) {
	err = l.over(ctx, func() error { kv, err = l.store.Get(ctx, key); return err })
	return kv, err
}

// List is Store.List over the link.
func (l *Link) List(ctx context.Context, prefix string) (kvs []cluster.KV, revision int64, err error) {
	err = l.over(ctx, func() error { kvs, revision, err = l.store.List(ctx, prefix); return err })
	return kvs, revision, err
}

// Commit is Store.Commit over the link.
func (l *Link) Commit(ctx context.Context, t cluster.Txn) (revision int64, err error) {
	err = l.over(ctx, func() error { revision, err = l.store.Commit(ctx, t); return err })
	return revision, err
}

// Watch is Store.Watch over the link.
func (l *Link) Watch(ctx context.Context, prefix string, revision int64) <-chan []cluster.Event {
	out := make(chan []cluster.Event)
	go func() {
		defer close(out)
		for events := range l.store.Watch(ctx, prefix, revision) {
			if l.pass(ctx) != nil {
				return
			}
			select {
			case out <- events:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// over carries one call there and its answer back.
func (l *Link) over(ctx context.Context, call func() error) error {
	if err := l.pass(ctx); err != nil {
		return err
	}
	if l.take(&l.refuse) {
		return ErrNoAnswer
	}
	err := call()
	if lost := l.pass(ctx); lost != nil {
		return lost
	}
	if l.take(&l.lose) {
		return ErrNoAnswer
	}
	return err
}

func (l *Link) take(n *int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if *n == 0 {
		return false
	}
	*n--
	return true
}

// pass waits for half the delay, and for as long as the link is cut.
func (l *Link) pass(ctx context.Context) error {
	l.mu.Lock()
	delay, healed := l.delay/2, l.healed
	l.mu.Unlock()
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	if healed != nil {
		select {
		case <-healed:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
