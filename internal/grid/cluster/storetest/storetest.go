package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"throng/internal/grid/cluster"
)

// Bench is an empty store, and what the suite must be able to do with it beside using it.
type Bench struct {
	Store cluster.Store
	// Compact makes the store forget how it was before a revision.
	Compact func(revision int64) error
}

// Run puts a store to the test. Every test gets a bench of its own.
func Run(t *testing.T, open func(*testing.T) Bench) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, Bench)
	}{
		{"what was written is read", written},
		{"a list is in order and of one instant", list},
		{"conditions hold together or nothing is written", conditions},
		{"what no store takes is refused whole", refused},
		{"a watch tells of every change once and in order", watch},
		{"a watch tells of what was before it began", watchPast},
		{"a watch ends with its context", watchEnds},
		{"a watch that was compacted ends", compacted},
		{"of many who want one thing one gets it", race},
		{"a leader who was deposed cannot write", deposed},
		{"an ended context is no answer", ended},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

const base = cluster.Prefix + "test/"

func put(t *testing.T, b Bench, kv ...string) int64 {
	t.Helper()
	txn := cluster.Txn{Put: map[string][]byte{}}
	for i := 0; i < len(kv); i += 2 {
		txn.Put[base+kv[i]] = []byte(kv[i+1])
	}
	revision, err := b.Store.Commit(t.Context(), txn)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func remove(t *testing.T, b Bench, keys ...string) int64 {
	t.Helper()
	var txn cluster.Txn
	for _, k := range keys {
		txn.Delete = append(txn.Delete, base+k)
	}
	revision, err := b.Store.Commit(t.Context(), txn)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func show(kvs []cluster.KV) string {
	var out []string
	for _, kv := range kvs {
		out = append(out, fmt.Sprintf("%s=%s@%d", strings.TrimPrefix(kv.Key, base), kv.Value, kv.Revision))
	}
	return strings.Join(out, " ")
}

func written(t *testing.T, b Bench) {
	if _, err := b.Store.Get(t.Context(), base+"a"); !errors.Is(err, cluster.ErrNotFound) {
		t.Fatalf("before: %v", err)
	}
	first := put(t, b, "a", "1")
	second := put(t, b, "a", "2", "empty", "")
	if second <= first {
		t.Errorf("revision %d follows %d", second, first)
	}
	kv, err := b.Store.Get(t.Context(), base+"a")
	if err != nil || string(kv.Value) != "2" || kv.Revision != second || kv.Key != base+"a" {
		t.Errorf("got %v, %v", kv, err)
	}
	kv.Value[0] = 'x' // ours now
	if again, err := b.Store.Get(t.Context(), base+"a"); err != nil || string(again.Value) != "2" {
		t.Errorf("a reader changed the store: %s, %v", again.Value, err)
	}
	if kv, err := b.Store.Get(t.Context(), base+"empty"); err != nil || len(kv.Value) != 0 {
		t.Errorf("an empty value: %v, %v", kv, err)
	}
	remove(t, b, "a")
	if _, err := b.Store.Get(t.Context(), base+"a"); !errors.Is(err, cluster.ErrNotFound) {
		t.Errorf("after: %v", err)
	}
}

func list(t *testing.T, b Bench) {
	one := put(t, b, "b/2", "two", "b/1", "one", "c", "other")
	two := put(t, b, "b/10", "ten")
	remove(t, b, "b/2")
	last := put(t, b, "z", "z")
	kvs, revision, err := b.Store.List(t.Context(), base+"b/")
	if want := fmt.Sprintf("b/1=one@%d b/10=ten@%d", one, two); err != nil || show(kvs) != want || revision != last {
		t.Errorf("%s at %d, %v; want %s at %d", show(kvs), revision, err, want, last)
	}
	if kvs, _, err := b.Store.List(t.Context(), base+"none/"); err != nil || len(kvs) != 0 {
		t.Errorf("%s, %v", show(kvs), err)
	}
}

func conditions(t *testing.T, b Bench) {
	at := put(t, b, "there", "1")
	write := map[string][]byte{base + "new": []byte("x")}
	for _, tt := range []struct {
		name  string
		conds []cluster.Condition
		want  error
	}{
		{"another revision", []cluster.Condition{{Key: base + "there", Revision: at - 1}}, cluster.ErrConflict},
		{"there and should not be", []cluster.Condition{{Key: base + "there"}}, cluster.ErrConflict},
		{"not there and should be", []cluster.Condition{{Key: base + "absent", Revision: at}}, cluster.ErrConflict},
		{"one of two", []cluster.Condition{{Key: base + "there", Revision: at}, {Key: base + "absent", Revision: 1}}, cluster.ErrConflict},
		{"both", []cluster.Condition{{Key: base + "there", Revision: at}, {Key: base + "absent"}}, nil},
	} {
		_, err := b.Store.Commit(t.Context(), cluster.Txn{If: tt.conds, Put: write, Delete: []string{base + "there"}})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		kvs, _, lerr := b.Store.List(t.Context(), base)
		if want := map[bool]string{true: "new", false: "there"}[tt.want == nil]; lerr != nil || len(kvs) != 1 || kvs[0].Key != base+want {
			t.Errorf("%s: now there is %s, %v", tt.name, show(kvs), lerr)
		}
	}
	back := put(t, b, "there", "2")
	if back <= at {
		t.Errorf("written again at %d, before at %d", back, at)
	}
	if _, err := b.Store.Commit(t.Context(), cluster.Txn{If: []cluster.Condition{{Key: base + "there", Revision: back}}}); err != nil {
		t.Errorf("conditions alone: %v", err)
	}
}

func refused(t *testing.T, b Bench) {
	good := map[string][]byte{base + "good": []byte("x")}
	many := cluster.Txn{}
	for i := range cluster.MaxTxn + 1 {
		many.Delete = append(many.Delete, fmt.Sprintf("%s%d", base, i))
	}
	for name, txn := range map[string]cluster.Txn{
		"outside our keys":  {Put: map[string][]byte{base + "good": nil, "elsewhere": nil}},
		"put and deleted":   {Put: good, Delete: []string{base + "good"}},
		"deleted twice":     {Put: good, Delete: []string{base + "a", base + "a"}},
		"too large a value": {Put: map[string][]byte{base + "good": make([]byte, cluster.MaxValue+1)}},
		"too many writes":   many,
	} {
		if _, err := b.Store.Commit(t.Context(), txn); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if kvs, _, err := b.Store.List(t.Context(), base); err != nil || len(kvs) > 0 {
		t.Errorf("written: %s, %v", show(kvs), err)
	}
	full := cluster.Txn{Put: map[string][]byte{base + "large": make([]byte, cluster.MaxValue)}}
	for i := range cluster.MaxTxn - 1 {
		full.Put[fmt.Sprintf("%s%d", base, i)] = []byte("x")
		full.If = append(full.If, cluster.Condition{Key: fmt.Sprintf("%s%d", base, i)})
	}
	if _, err := b.Store.Commit(t.Context(), full); err != nil {
		t.Errorf("as much as is allowed: %v", err)
	}
}

// next waits for one transaction's events.
func next(t *testing.T, c <-chan []cluster.Event) string {
	t.Helper()
	select {
	case events, ok := <-c:
		if !ok {
			return "closed"
		}
		var out []string
		for _, e := range events {
			word := fmt.Sprintf("%s=%s", strings.TrimPrefix(e.Key, base), e.Value)
			if e.Deleted {
				word = "-" + strings.TrimPrefix(e.Key, base)
			}
			out = append(out, word)
		}
		slices.Sort(out)
		return fmt.Sprintf("%s @%d", strings.Join(out, " "), events[0].Revision)
	case <-t.Context().Done():
		return "nothing"
	}
}

// expect reads transactions until all of want have come. A store may tell of several in one slice, in order.
func expect(t *testing.T, c <-chan []cluster.Event, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := next(t, c); got != w {
			t.Fatalf("watched %q, want %q", got, w)
		}
	}
}

func watch(t *testing.T, b Bench) {
	start := put(t, b, "w/a", "0")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := b.Store.Watch(ctx, base+"w/", start)
	one := put(t, b, "w/b", "1", "w/c", "1", "other", "1")
	put(t, b, "other", "2")
	expect(t, c, fmt.Sprintf("w/b=1 w/c=1 @%d", one))
	two := remove(t, b, "w/a", "w/never")
	expect(t, c, fmt.Sprintf("-w/a @%d", two))
	var want []string
	for i := range 50 {
		at := put(t, b, "w/n", fmt.Sprint(i))
		want = append(want, fmt.Sprintf("w/n=%d @%d", i, at))
	}
	expect(t, c, want...)
}

func watchPast(t *testing.T, b Bench) {
	start := put(t, b, "p", "0")
	one := put(t, b, "p", "1")
	two := put(t, b, "p", "2")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := b.Store.Watch(ctx, base, start)
	three := put(t, b, "p", "3")
	expect(t, c, fmt.Sprintf("p=1 @%d", one), fmt.Sprintf("p=2 @%d", two), fmt.Sprintf("p=3 @%d", three))
}

func watchEnds(t *testing.T, b Bench) {
	start := put(t, b, "e", "0")
	ctx, cancel := context.WithCancel(t.Context())
	c := b.Store.Watch(ctx, base, start)
	put(t, b, "e", "unread")
	cancel()
	for range c { //nolint:revive // an event may still come; what counts is the end
	}
}

func compacted(t *testing.T, b Bench) {
	start := put(t, b, "c", "0")
	put(t, b, "c", "1")
	last := put(t, b, "c", "2")
	if err := b.Compact(last); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if got := next(t, b.Store.Watch(ctx, base, start)); got != "closed" {
		t.Errorf("what was compacted is told: %s", got)
	}
	kvs, revision, err := b.Store.List(t.Context(), base)
	if err != nil || show(kvs) != fmt.Sprintf("c=2@%d", last) {
		t.Fatalf("%s, %v", show(kvs), err)
	}
	c := b.Store.Watch(ctx, base, revision)
	after := put(t, b, "c", "3")
	expect(t, c, fmt.Sprintf("c=3 @%d", after))
}

func race(t *testing.T, b Bench) {
	var wg sync.WaitGroup
	won := make(chan int, 8)
	for i := range 8 {
		wg.Go(func() {
			_, err := b.Store.Commit(t.Context(), cluster.Txn{
				If: []cluster.Condition{{Key: base + "one"}}, Put: map[string][]byte{base + "one": []byte(fmt.Sprint(i))},
			})
			switch {
			case err == nil:
				won <- i
			case !errors.Is(err, cluster.ErrConflict):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(won)
	var winners []int
	for i := range won {
		winners = append(winners, i)
	}
	kv, err := b.Store.Get(t.Context(), base+"one")
	if err != nil || len(winners) != 1 || string(kv.Value) != fmt.Sprint(winners[0]) {
		t.Errorf("%v won, %s stands there, %v", winners, kv.Value, err)
	}
}

func deposed(t *testing.T, b Bench) {
	lead := func(name string) int64 {
		at, err := b.Store.Commit(t.Context(), cluster.Txn{Put: map[string][]byte{cluster.LeaderKey: []byte(name)}})
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	old := cluster.Fenced(b.Store, lead("old"))
	txn := cluster.Txn{Put: map[string][]byte{base + "order": []byte("x")}, If: []cluster.Condition{{Key: base + "absent"}}}
	if _, err := old.Commit(t.Context(), txn); err != nil {
		t.Errorf("the leader's order: %v", err)
	}
	txn.If = []cluster.Condition{{Key: base + "absent", Revision: 7}}
	if _, err := old.Commit(t.Context(), txn); !errors.Is(err, cluster.ErrConflict) || errors.Is(err, cluster.ErrDeposed) {
		t.Errorf("a conflict that is none of leadership: %v", err)
	}
	lead("new")
	if _, err := old.Commit(t.Context(), cluster.Txn{Put: txn.Put}); !errors.Is(err, cluster.ErrDeposed) {
		t.Errorf("the deposed leader's order: %v", err)
	}
}

func ended(t *testing.T, b Bench) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := b.Store.Get(ctx, base+"a"); !errors.Is(err, cause) {
		t.Errorf("get: %v", err)
	}
	if _, _, err := b.Store.List(ctx, base); !errors.Is(err, cause) {
		t.Errorf("list: %v", err)
	}
	if _, err := b.Store.Commit(ctx, cluster.Txn{Put: map[string][]byte{base + "a": nil}}); !errors.Is(err, cause) {
		t.Errorf("commit: %v", err)
	}
}
