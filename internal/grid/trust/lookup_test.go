package trust

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/grid/cluster"
)

// shelf is a store that can be cut off. It belongs to one bubble.
type shelf struct {
	mu       sync.Mutex
	values   map[string][]byte
	revision int64
	watchers []chan []cluster.Event
	cut      bool // no call is answered, no watch ends
	gets     int
}

func (s *shelf) wait(ctx context.Context) error {
	if !s.cut {
		return nil
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	return ctx.Err()
}

func (s *shelf) Get(ctx context.Context, key string) (cluster.KV, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	if err := s.wait(ctx); err != nil {
		return cluster.KV{}, err
	}
	v, ok := s.values[key]
	if !ok {
		return cluster.KV{}, cluster.ErrNotFound
	}
	return cluster.KV{Key: key, Value: v, Revision: s.revision}, nil
}

func (s *shelf) List(ctx context.Context, prefix string) (kvs []cluster.KV, revision int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.wait(ctx); err != nil {
		return nil, 0, err
	}
	for k, v := range s.values {
		if strings.HasPrefix(k, prefix) {
			kvs = append(kvs, cluster.KV{Key: k, Value: v})
		}
	}
	return kvs, s.revision, nil
}

func (s *shelf) Commit(_ context.Context, t cluster.Txn) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revision++
	var events []cluster.Event
	for k, v := range t.Put {
		s.values[k] = v
		events = append(events, cluster.Event{KV: cluster.KV{Key: k, Value: v, Revision: s.revision}})
	}
	for _, k := range t.Delete {
		delete(s.values, k)
		events = append(events, cluster.Event{KV: cluster.KV{Key: k, Revision: s.revision}, Deleted: true})
	}
	for _, w := range s.watchers {
		if !s.cut {
			w <- events
		}
	}
	return s.revision, nil
}

func (s *shelf) Watch(ctx context.Context, _ string, _ int64) <-chan []cluster.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan []cluster.Event, 16)
	s.watchers = append(s.watchers, c)
	context.AfterFunc(ctx, s.drop)
	return c
}

// drop ends every watch.
func (s *shelf) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watchers {
		close(w)
	}
	s.watchers = nil
}

func (s *shelf) set(cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = cut
}

func (s *shelf) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gets
}

func (s *shelf) put(t *testing.T, rec cluster.Token) {
	t.Helper()
	b, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = s.Commit(t.Context(), cluster.Txn{Put: map[string][]byte{cluster.Tokens + rec.ID: b}})
}

// ledger plays with a ledger that follows a shelf, in a bubble.
func ledger(t *testing.T, story func(t *testing.T, s *shelf, l *Ledger)) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{values: map[string][]byte{}}
		l := NewLedger(s)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		synctest.Wait()
		story(t, s, l)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestALedgerKnowsWhatTheStoreTells(t *testing.T) {
	ledger(t, func(t *testing.T, s *shelf, l *Ledger) {
		_, rec := token(t, Viewer, 0)
		if _, err := l.Lookup(t.Context(), rec.ID); !errors.Is(err, cluster.ErrNotFound) {
			t.Errorf("before it was made: %v", err)
		}
		s.put(t, rec)
		synctest.Wait()
		before := s.asked()
		for range 100 {
			if got, err := l.Lookup(t.Context(), rec.ID); err != nil || got.Hash != rec.Hash {
				t.Fatalf("%v, %v", got, err)
			}
		}
		if n := s.asked() - before; n != 0 {
			t.Errorf("the store was asked %d times", n)
		}
		rec.Revoked = time.Now()
		s.put(t, rec)
		synctest.Wait()
		if got, err := l.Lookup(t.Context(), rec.ID); err != nil || got.Revoked.IsZero() {
			t.Errorf("after it was revoked: %v, %v", got, err)
		}
		_, _ = s.Commit(t.Context(), cluster.Txn{Delete: []string{cluster.Tokens + rec.ID}})
		synctest.Wait()
		if _, err := l.Lookup(t.Context(), rec.ID); !errors.Is(err, cluster.ErrNotFound) {
			t.Errorf("after it was deleted: %v", err)
		}
	})
}

func TestATokenThatWasJustMadeIsFound(t *testing.T) {
	ledger(t, func(t *testing.T, s *shelf, l *Ledger) {
		_, rec := token(t, Join, 0)
		s.set(true) // the watch is behind
		s.put(t, rec)
		s.set(false)
		synctest.Wait()
		if got, err := l.Lookup(t.Context(), rec.ID); err != nil || got.ID != rec.ID {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestAStoreThatIsAwayLocksNobodyOut(t *testing.T) {
	ledger(t, func(t *testing.T, s *shelf, l *Ledger) {
		_, rec := token(t, Operator, 0)
		s.put(t, rec)
		synctest.Wait()
		s.set(true)
		for _, dropped := range []bool{false, true} {
			if dropped {
				s.drop()
				synctest.Wait()
			}
			begin := time.Now()
			got, err := l.Lookup(t.Context(), rec.ID)
			if err != nil || got.Hash != rec.Hash || time.Since(begin) > askTimeout {
				t.Errorf("watch dropped %v: %v, %v after %v", dropped, got, err, time.Since(begin))
			}
		}
		if _, err := l.Lookup(t.Context(), "aaaaaaaaaa"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("somebody unknown: %v", err)
		}
		rec.Revoked = time.Now()
		s.put(t, rec) // unseen
		s.set(false)
		if got, err := l.Lookup(t.Context(), rec.ID); err != nil || got.Revoked.IsZero() {
			t.Errorf("as soon as it is back: %v, %v", got, err)
		}
		pass(askTimeout + askAgain)
		if got, err := l.Lookup(t.Context(), rec.ID); err != nil || got.Revoked.IsZero() {
			t.Errorf("when it is back: %v, %v", got, err)
		}
		before := s.asked()
		_, _ = l.Lookup(t.Context(), rec.ID)
		if s.asked() != before {
			t.Error("it does not follow the store any more")
		}
	})
}

func TestStrangersCannotFloodTheStore(t *testing.T) {
	ledger(t, func(t *testing.T, s *shelf, l *Ledger) {
		s.set(true)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { _, _ = l.Lookup(t.Context(), "aaaaaaaaaa") })
		}
		synctest.Wait()
		if n := s.asked(); n != askAtOnce {
			t.Errorf("%d calls at once, want %d", n, askAtOnce)
		}
		wg.Wait()
	})
}

func TestADamagedRecordLocksOneTokenOut(t *testing.T) {
	ledger(t, func(t *testing.T, s *shelf, l *Ledger) {
		_, good := token(t, Viewer, 0)
		_, other := token(t, Operator, 0)
		s.put(t, good)
		b, _ := json.Marshal(other)
		_, _ = s.Commit(t.Context(), cluster.Txn{Put: map[string][]byte{cluster.Tokens + "bbbbbbbbbb": []byte("{"), cluster.Tokens + "cccccccccc": b}})
		s.drop()
		pass(2 * askAgain)
		if _, err := l.Lookup(t.Context(), good.ID); err != nil {
			t.Error(err)
		}
		for _, id := range []string{"bbbbbbbbbb", "cccccccccc"} {
			if _, err := l.Lookup(t.Context(), id); err == nil {
				t.Errorf("the damaged record %s was used", id)
			}
		}
	})
}
