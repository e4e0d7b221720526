package trust

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/memstore"
)

// shelf is a store that can be cut off, whose watches can be ended, and that counts how often it is asked for one key.
type shelf struct {
	*memstore.Store
	link *memstore.Link

	mu   sync.Mutex
	gets int
	ends []context.CancelFunc
}

func (s *shelf) Get(ctx context.Context, key string) (cluster.KV, error) {
	s.mu.Lock()
	s.gets++
	s.mu.Unlock()
	return s.link.Get(ctx, key)
}

func (s *shelf) List(ctx context.Context, prefix string) ([]cluster.KV, int64, error) {
	return s.link.List(ctx, prefix)
}

func (s *shelf) Watch(ctx context.Context, prefix string, revision int64) <-chan []cluster.Event {
	ctx, end := context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends = append(s.ends, end)
	return s.link.Watch(ctx, prefix, revision)
}

// drop ends every watch.
func (s *shelf) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, end := range s.ends {
		end()
	}
	s.ends = nil
}

func (s *shelf) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gets
}

// put writes a record past the link, as another node would.
func (s *shelf) put(t *testing.T, id string, rec cluster.Token) {
	t.Helper()
	b, err := cluster.Encode(rec)
	if err != nil {
		t.Fatal(err)
	}
	s.commit(t, cluster.Txn{Put: map[string][]byte{cluster.Tokens + id: b}})
}

func (s *shelf) commit(t *testing.T, txn cluster.Txn) {
	t.Helper()
	if _, err := s.Commit(t.Context(), txn); err != nil {
		t.Fatal(err)
	}
}

// ledger plays with a ledger that follows a shelf, in a bubble.
func ledger(t *testing.T, story func(t *testing.T, s *shelf, l *Ledger)) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		s := &shelf{Store: store, link: store.Link()}
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
		s.put(t, rec.ID, rec)
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
		s.put(t, rec.ID, rec)
		synctest.Wait()
		if got, err := l.Lookup(t.Context(), rec.ID); err != nil || got.Revoked.IsZero() {
			t.Errorf("after it was revoked: %v, %v", got, err)
		}
		s.commit(t, cluster.Txn{Delete: []string{cluster.Tokens + rec.ID}})
		synctest.Wait()
		if _, err := l.Lookup(t.Context(), rec.ID); !errors.Is(err, cluster.ErrNotFound) {
			t.Errorf("after it was deleted: %v", err)
		}
	})
}

func TestATokenThatWasJustMadeIsFound(t *testing.T) {
	ledger(t, func(t *testing.T, s *shelf, l *Ledger) {
		_, rec := token(t, Join, 0)
		s.link.Delay(time.Second) // the watch is behind
		s.put(t, rec.ID, rec)
		before := s.asked()
		if got, err := l.Lookup(t.Context(), rec.ID); err != nil || got.ID != rec.ID || s.asked() != before+1 {
			t.Errorf("%v, %v, after %d questions", got, err, s.asked()-before)
		}
	})
}

func TestAStoreThatIsAwayLocksNobodyOut(t *testing.T) {
	ledger(t, func(t *testing.T, s *shelf, l *Ledger) {
		_, rec := token(t, Operator, 0)
		s.put(t, rec.ID, rec)
		synctest.Wait()
		s.link.Cut()
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
		s.put(t, rec.ID, rec) // unseen
		s.link.Mend()
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
		s.link.Cut()
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
		s.put(t, good.ID, good)
		s.put(t, "cccccccccc", other)
		s.commit(t, cluster.Txn{Put: map[string][]byte{cluster.Tokens + "bbbbbbbbbb": []byte("{")}})
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
