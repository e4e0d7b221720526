package memstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"throng/internal/grid/cluster"
)

// history is how many commits Watch can go back to, at most twice: what is older is compacted.
const history = 1000

// Store is a cluster.Store in memory.
type Store struct {
	mu        sync.Mutex // guards what follows
	kv        map[string]cluster.KV
	revision  int64
	compacted int64 // Watch cannot begin at or before this revision
	log       []commit
	changed   chan struct{} // closed and replaced with every commit
}

// commit is what one transaction changed.
type commit struct {
	revision int64
	events   []cluster.Event
}

// New returns an empty store. Its first revision is 1, as etcd's is.
func New() *Store {
	return &Store{kv: map[string]cluster.KV{}, revision: 1, changed: make(chan struct{})}
}

// Get returns one key.
func (s *Store) Get(ctx context.Context, key string) (cluster.KV, error) {
	if ctx.Err() != nil {
		return cluster.KV{}, context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kv, ok := s.kv[key]
	if !ok {
		return cluster.KV{}, fmt.Errorf("%s: %w", key, cluster.ErrNotFound)
	}
	kv.Value = slices.Clone(kv.Value)
	return kv, nil
}

// List returns the keys with that prefix, and the store's revision.
func (s *Store) List(ctx context.Context, prefix string) ([]cluster.KV, int64, error) {
	if ctx.Err() != nil {
		return nil, 0, context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []cluster.KV
	for key, kv := range s.kv {
		if strings.HasPrefix(key, prefix) {
			kv.Value = slices.Clone(kv.Value)
			out = append(out, kv)
		}
	}
	slices.SortFunc(out, func(a, b cluster.KV) int { return strings.Compare(a.Key, b.Key) })
	return out, s.revision, nil
}

// Commit writes the transaction if its conditions hold.
func (s *Store) Commit(ctx context.Context, t cluster.Txn) (int64, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err := t.Check(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range t.If {
		if s.kv[c.Key].Revision != c.Revision {
			return 0, fmt.Errorf("%s: %w", c.Key, cluster.ErrConflict)
		}
	}
	if events := s.apply(t); len(events) > 0 {
		s.log = append(s.log, commit{s.revision, events})
		if len(s.log) >= 2*history {
			s.compact(s.log[history].revision)
		}
		close(s.changed)
		s.changed = make(chan struct{})
	}
	return s.revision, nil
}

// apply changes the keys and returns how, in the order of the keys.
func (s *Store) apply(t cluster.Txn) []cluster.Event {
	var events []cluster.Event
	next := s.revision + 1
	for key, value := range t.Put {
		kv := cluster.KV{Key: key, Value: slices.Clone(value), Revision: next}
		s.kv[key] = kv
		events = append(events, cluster.Event{KV: kv})
	}
	for _, key := range t.Delete {
		if _, ok := s.kv[key]; ok {
			delete(s.kv, key)
			events = append(events, cluster.Event{KV: cluster.KV{Key: key, Revision: next}, Deleted: true})
		}
	}
	if len(events) > 0 {
		s.revision = next
	}
	slices.SortFunc(events, func(a, b cluster.Event) int { return strings.Compare(a.Key, b.Key) })
	return events
}

// Compact forgets how the keys were before revision: a Watch that has not come so far ends.
func (s *Store) Compact(revision int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.compact(revision)
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Store) compact(revision int64) {
	i, _ := slices.BinarySearchFunc(s.log, revision, func(c commit, r int64) int { return int(c.revision - r) })
	s.log = slices.Clone(s.log[i:])
	s.compacted = max(s.compacted, min(revision, s.revision))
}

// Watch tells of changes as cluster.Store says. A reader that falls behind by more than the history is cut off.
func (s *Store) Watch(ctx context.Context, prefix string, revision int64) <-chan []cluster.Event {
	out := make(chan []cluster.Event)
	go func() {
		defer close(out)
		for next := revision + 1; ; {
			batch, upTo, changed, ok := s.since(prefix, next)
			if !ok {
				return
			}
			next = upTo
			var to chan []cluster.Event
			if len(batch) > 0 {
				to, changed = out, nil
			}
			select {
			case to <- batch:
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// since returns the first commit from revision next on that touched prefix, the revision to go on from, and what is closed when
// there is more. It is not ok when next was compacted.
func (s *Store) since(prefix string, next int64) (batch []cluster.Event, upTo int64, changed chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next < s.compacted {
		return nil, 0, nil, false
	}
	i, _ := slices.BinarySearchFunc(s.log, next, func(c commit, r int64) int { return int(c.revision - r) })
	for _, c := range s.log[i:] {
		for _, e := range c.events {
			if strings.HasPrefix(e.Key, prefix) {
				e.Value = slices.Clone(e.Value)
				batch = append(batch, e)
			}
		}
		if len(batch) > 0 {
			return batch, c.revision + 1, s.changed, true
		}
	}
	return nil, max(next, s.revision+1), s.changed, true
}
