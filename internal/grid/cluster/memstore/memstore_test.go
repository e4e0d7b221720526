package memstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Bench {
		s := New()
		return storetest.Bench{Store: s, Compact: func(r int64) error { s.Compact(r); return nil }}
	})
}

func TestAGoodLinkIsAStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Bench {
		s := New()
		return storetest.Bench{Store: s.Link(), Compact: func(r int64) error { s.Compact(r); return nil }}
	})
}

const key = cluster.Prefix + "k"

func put(value string) cluster.Txn {
	return cluster.Txn{Put: map[string][]byte{key: []byte(value)}}
}

func TestTheHistoryIsBounded(t *testing.T) {
	t.Parallel()
	s := New()
	for i := range 3 * history {
		if _, err := s.Commit(t.Context(), put(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.log) >= 2*history {
		t.Errorf("%d commits are kept", len(s.log))
	}
	if _, ok := <-s.Watch(t.Context(), cluster.Prefix, 1); ok {
		t.Error("a watch began at what is forgotten")
	}
}

func TestALinkIsAsBadAsANetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		l := s.Link()
		l.Refuse(1)
		if _, err := l.Commit(t.Context(), put("refused")); !errors.Is(err, ErrNoAnswer) {
			t.Error(err)
		}
		if _, err := s.Get(t.Context(), key); !errors.Is(err, cluster.ErrNotFound) {
			t.Errorf("what was refused is there: %v", err)
		}
		l.Lose(1)
		if _, err := l.Commit(t.Context(), put("lost")); !errors.Is(err, ErrNoAnswer) {
			t.Error(err)
		}
		if kv, err := l.Get(t.Context(), key); err != nil || string(kv.Value) != "lost" {
			t.Errorf("what reached the store and was never answered: %s, %v", kv.Value, err)
		}
		l.Delay(time.Second)
		began := time.Now()
		if _, err := l.Get(t.Context(), key); err != nil || time.Since(began) != time.Second {
			t.Errorf("a delayed call took %v, %v", time.Since(began), err)
		}
	})
}

func TestACutLinkIsSilentUntilItIsMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		l := s.Link()
		at, err := l.Commit(t.Context(), put("1"))
		if err != nil {
			t.Fatal(err)
		}
		watching, stop := context.WithCancel(t.Context())
		defer stop()
		c := l.Watch(watching, cluster.Prefix, at)
		l.Cut()
		if _, err := s.Commit(t.Context(), put("2")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := l.Get(ctx, key); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("over a cut link: %v", err)
		}
		select {
		case e := <-c:
			t.Errorf("over a cut link: %v", e)
		default:
		}
		l.Mend()
		if e := <-c; len(e) != 1 || string(e[0].Value) != "2" {
			t.Errorf("once it is mended: %v", e)
		}
	})
}
