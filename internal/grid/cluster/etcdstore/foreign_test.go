package etcdstore

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"throng/internal/grid/cluster"
)

// TestForeignMembers has three members on one etcd that is not theirs: one leads, another one after it hands leadership over, and
// another one when the leader is gone.
func TestForeignMembers(t *testing.T) {
	t.Parallel()
	ctx := soon(t)
	server, err := Bootstrap(ctx, config(t, "etcd"), "foreign")
	running(t, server, err)
	a := server.Access()
	a.Foreign = true
	store := storeOn(t, a)
	first, key, value, err := FoundForeign("h1", "http://h1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Commit(ctx, cluster.Txn{Put: map[string][]byte{key: value}}); err != nil {
		t.Fatal(err)
	}
	open := func(id, name string) *Foreign {
		f, err := OpenForeign(ctx, store, a, id, name, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := f.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		})
		return f
	}
	leads := func(what string, who ...*Foreign) *Foreign {
		t.Helper()
		deadline := time.After(30 * time.Second)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			for _, f := range who {
				if _, ok := f.Leading(); ok {
					return f
				}
			}
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatal(what + ": nobody leads")
			}
		}
	}
	if _, err := OpenForeign(ctx, store, a, "unknown", "h9", slog.New(slog.DiscardHandler)); !errors.Is(err, ErrRemoved) {
		t.Errorf("a member that there is not: %v", err)
	}
	h1 := open(first, "h1")
	leads("alone", h1)
	before, _ := h1.Leading()
	all := []*Foreign{h1}
	for _, name := range []string{"h2", "h3"} {
		id, err := h1.AddLearner(ctx, "http://"+name)
		if err != nil {
			t.Fatal(err)
		}
		if err := h1.Promote(ctx, id); !errors.Is(err, cluster.ErrLater) {
			t.Errorf("%s was promoted before it was there: %v", name, err)
		}
		f := open(id, name)
		if f.Votes() {
			t.Errorf("%s votes", name)
		}
		if err := h1.Promote(ctx, id); err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	changed := h1.LeaderChanged()
	if err := h1.MoveLeader(ctx, ""); err != nil {
		t.Fatal(err)
	}
	await(t, "h1 gives leadership up", changed)
	next := leads("handed over", all[1:]...)
	if term, _ := next.Leading(); term <= before {
		t.Errorf("term %d follows term %d", term, before)
	}
	if err := next.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if _, ok := next.Leading(); ok {
		t.Error("a member that was stopped leads")
	}
	var rest []*Foreign
	for _, f := range all {
		if f != next {
			rest = append(rest, f)
		}
	}
	last := leads("stopped", rest...)
	if err := last.Remove(ctx, last.ID()); err != nil {
		t.Fatal(err)
	}
	other := rest[0]
	if other == last {
		other = rest[1]
	}
	leads("removed", other)
	if _, ok := last.Leading(); ok && last.Votes() {
		t.Error("a member that was removed votes")
	}
}
