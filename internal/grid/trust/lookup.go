package trust

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"throng/internal/grid/cluster"
)

// Lookup returns the record of a token, or cluster.ErrNotFound.
type Lookup func(ctx context.Context, id string) (cluster.Token, error)

// LookupIn looks tokens up in a store, each time.
func LookupIn(s cluster.Store) Lookup {
	return func(ctx context.Context, id string) (cluster.Token, error) {
		kv, err := s.Get(ctx, cluster.Tokens+id)
		if err != nil {
			return cluster.Token{}, err
		}
		return decodeRecord(kv)
	}
}

func decodeRecord(kv cluster.KV) (rec cluster.Token, err error) {
	if err := cluster.Decode(kv, &rec); err != nil {
		return cluster.Token{}, err
	}
	if cluster.Tokens+rec.ID != kv.Key {
		return cluster.Token{}, fmt.Errorf("%s is the record of another token", kv.Key)
	}
	return rec, nil
}

// How a Ledger asks the store.
const (
	askTimeout = 2 * time.Second
	askAtOnce  = 8 // whoever comes when so many are being asked for waits, as long as his request lasts
	askAgain   = time.Second
)

// Ledger is a node's own copy of the tokens' records: a request is not held up by the store, and people can look at a grid
// whose voters have lost their majority. A revocation reaches it as soon as the store tells; a node that is cut off goes
// by what it knew.
type Ledger struct {
	store cluster.Store
	ask   Lookup
	slots chan struct{}

	mu       sync.Mutex
	known    map[string]cluster.Token
	watching bool // known is what the store holds
}

// NewLedger returns an empty ledger; until Run it asks the store each time.
func NewLedger(s cluster.Store) *Ledger {
	return &Ledger{store: s, ask: LookupIn(s), slots: make(chan struct{}, askAtOnce), known: map[string]cluster.Token{}}
}

// Run keeps the ledger like the store until ctx ends; it returns nil then.
func (l *Ledger) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if revision, err := l.list(ctx); err == nil {
			l.follow(ctx, revision)
		}
		l.mu.Lock()
		l.watching = false
		l.mu.Unlock()
		pause(ctx, askAgain)
	}
	return nil
}

func (l *Ledger) list(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	kvs, revision, err := l.store.List(ctx, cluster.Tokens)
	if err != nil {
		return 0, err
	}
	known := map[string]cluster.Token{}
	for _, kv := range kvs {
		if rec, err := decodeRecord(kv); err == nil { // one bad record is no reason to lock everybody out
			known[rec.ID] = rec
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.watching = known, true
	return revision, nil
}

func (l *Ledger) follow(ctx context.Context, revision int64) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for events := range l.store.Watch(ctx, cluster.Tokens, revision) {
		l.mu.Lock()
		for _, e := range events {
			id := strings.TrimPrefix(e.Key, cluster.Tokens)
			if rec, err := decodeRecord(e.KV); err == nil && !e.Deleted {
				l.known[id] = rec
			} else {
				delete(l.known, id)
			}
		}
		l.mu.Unlock()
	}
}

// Lookup is a Lookup. What it knows it says at once while it follows the store; else it asks the store, and falls back on what
// it knew if there is no answer. A token that it does not know may be new: it asks for it.
func (l *Ledger) Lookup(ctx context.Context, id string) (cluster.Token, error) {
	rec, ok, fresh := l.lookup(id)
	if ok && fresh {
		return rec, nil
	}
	got, err := l.askStore(ctx, id)
	if err == nil || errors.Is(err, cluster.ErrNotFound) || !ok {
		return got, err
	}
	return rec, nil
}

func (l *Ledger) lookup(id string) (rec cluster.Token, ok, fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rec, ok = l.known[id]
	return rec, ok, l.watching
}

func (l *Ledger) askStore(ctx context.Context, id string) (cluster.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
		return l.ask(ctx, id)
	case <-ctx.Done():
		return cluster.Token{}, ctx.Err()
	}
}
