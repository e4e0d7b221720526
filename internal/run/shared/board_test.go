package shared

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/run"
)

// asker asks as a virtual user does: one thing after another.
type asker struct {
	t      *testing.T
	b      run.Shared
	runner string
	id     uint64
	call   uint64
}

func (a *asker) ask(ctx context.Context, op run.Op, key string, n int64, values ...string) run.Answer {
	a.t.Helper()
	a.call++
	return a.again(ctx, op, key, n, values...)
}

// again repeats the last call.
func (a *asker) again(ctx context.Context, op run.Op, key string, n int64, values ...string) run.Answer {
	a.t.Helper()
	q := run.Ask{Op: op, Key: key, Runner: a.runner, Caller: a.id, Call: a.call, N: n}
	for _, v := range values {
		q.Values = append(q.Values, json.RawMessage(v))
	}
	answer, err := a.b.Do(ctx, q)
	if err != nil {
		a.t.Error(err)
	}
	return answer
}

func askers(t *testing.T, b run.Shared, n int) []*asker {
	all := make([]*asker, n)
	for i := range all {
		all[i] = &asker{t: t, b: b, runner: fmt.Sprintf("r%d", i%3), id: uint64(i)}
	}
	return all
}

func TestAValueIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := New(), t.Context()
		all := askers(t, b, 10)
		if a := all[0].ask(ctx, run.Claim, "k", 0); !a.Mine {
			t.Errorf("the first gets %+v", a)
		}
		if a := all[0].again(ctx, run.Claim, "k", 0); !a.Mine {
			t.Errorf("asked again the first gets %+v", a)
		}
		got := make(chan run.Answer, 10)
		for _, a := range all[1:] {
			go func() { got <- a.ask(ctx, run.Claim, "k", 0) }()
		}
		synctest.Wait()
		if len(got) != 0 {
			t.Fatalf("%d did not wait", len(got))
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if a := askers(t, b, 11)[10].ask(short, run.Claim, "k", 0); !a.Later {
			t.Errorf("who has no time gets %+v", a)
		}
		if a := all[0].ask(ctx, run.Settle, "other", 0, `1`); a.Refused == "" {
			t.Error("what was not claimed was settled")
		}
		all[0].ask(ctx, run.Release, "k", 0)
		synctest.Wait()
		if len(got) != 1 {
			t.Fatalf("%d got something when it was given up", len(got))
		}
		if a := <-got; !a.Mine {
			t.Errorf("the next gets %+v", a)
		}
		if a := all[0].ask(ctx, run.Settle, "k", 0, `1`); a.Refused == "" {
			t.Error("who gave it up has settled it")
		}
		var next *asker
		for _, a := range all[1:] {
			if a.again(canceled(), run.Claim, "k", 0).Mine {
				next = a
			}
		}
		if a := next.ask(ctx, run.Settle, "k", 0, `{"a":1}`); string(a.Value) != `{"a":1}` {
			t.Errorf("settled: %+v", a)
		}
		for range 8 {
			if a := <-got; string(a.Value) != `{"a":1}` {
				t.Errorf("who waited gets %+v", a)
			}
		}
		if a := all[0].ask(ctx, run.Claim, "k", 0); a.Mine || string(a.Value) != `{"a":1}` {
			t.Errorf("who comes later gets %+v", a)
		}
	})
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestABarrierOpensForAllAtOnceAndIsAsNewThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := New(), t.Context()
		all := askers(t, b, 6)
		for round := range 3 {
			through := make(chan int, 6)
			for i, a := range all {
				if i == 5 {
					synctest.Wait()
					if len(through) != 0 {
						t.Fatalf("round %d: %d went through before all were there", round, len(through))
					}
				}
				go func() {
					if x := a.ask(ctx, run.Arrive, "b", 6); x.Later || x.Refused != "" {
						t.Errorf("%+v", x)
					}
					through <- i
				}()
			}
			synctest.Wait()
			if len(through) != 6 {
				t.Fatalf("round %d: %d of 6 went through", round, len(through))
			}
			if x := all[2].again(ctx, run.Arrive, "b", 6); x.Later || x.Refused != "" {
				t.Errorf("who did not hear that it opened gets %+v", x)
			}
		}
		if x := all[0].ask(canceled(), run.Arrive, "b", 2); !x.Later {
			t.Errorf("%+v", x)
		}
		if x := all[1].ask(ctx, run.Arrive, "b", 3); x.Refused == "" {
			t.Error("a barrier is for 2 and for 3")
		}
		all[0].ask(ctx, run.Leave, "b", 0)
		if x := all[1].ask(canceled(), run.Arrive, "b", 3); !x.Later {
			t.Errorf("once nobody waits: %+v", x)
		}
		if b.bytes != len("b")+itemCost || len(b.barriers) != 1 {
			t.Errorf("%d bytes in %d barriers", b.bytes, len(b.barriers))
		}
	})
}

func TestCountersCountAndQueuesHandOutEachItemOnce(t *testing.T) {
	b, ctx := New(), t.Context()
	all := askers(t, b, 8)
	ended := make(chan []string, 8)
	for i, a := range all {
		go func() {
			var mine []string
			for n := range 100 {
				a.ask(ctx, run.Add, "c", int64(i))
				if n%2 == 0 {
					a.ask(ctx, run.Push, "q", 0, fmt.Sprint(i*1000+n), fmt.Sprint(i*1000+n+1))
				}
				if x := a.ask(ctx, run.Pop, "q", 0); x.Value != nil {
					mine = append(mine, string(x.Value))
				}
			}
			ended <- mine
		}()
	}
	var items []string
	for range all {
		items = append(items, <-ended...)
	}
	for {
		x := all[0].ask(ctx, run.Pop, "q", 0)
		if x.Value == nil {
			break
		}
		items = append(items, string(x.Value))
	}
	slices.Sort(items)
	if len(items) != 800 || len(slices.Compact(items)) != 800 {
		t.Errorf("%d items came out, of 800", len(items))
	}
	if x := all[0].ask(ctx, run.Add, "c", 0); x.N != 2800 {
		t.Errorf("the counter shows %d", x.N)
	}
	if x := all[0].ask(ctx, run.Add, "c", maxCount); x.Refused == "" || all[0].ask(ctx, run.Add, "c", 0).N != 2800 {
		t.Errorf("beyond what is exact: %+v", x)
	}
	if x := all[0].ask(ctx, run.Add, "never", 0); x.N != 0 || x.Refused != "" {
		t.Errorf("a new counter shows %+v", x)
	}
	for i, v := range []string{`1`, `null`, `{"a":[2]}`} {
		if x := all[0].ask(ctx, run.Push, "order", 0, v); x.N != int64(i+1) {
			t.Errorf("%+v", x)
		}
	}
	for i, v := range []string{`1`, `null`, `{"a":[2]}`} {
		if x := all[1].ask(ctx, run.Pop, "order", 0); string(x.Value) != v || x.N != int64(2-i) {
			t.Errorf("%+v, want %s", x, v)
		}
	}
}

// TestARepeatedAskCountsOnce plays askers whose answers are often lost against twins whose never are.
func TestARepeatedAskCountsOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	lossy, twin := New(), New()
	some, same := askers(t, lossy, 5), askers(t, twin, 5)
	ops := []run.Op{run.Add, run.Push, run.Pop, run.Claim, run.Settle, run.Release}
	for range 5000 {
		i, op, key := r.IntN(5), ops[r.IntN(len(ops))], string(rune('a'+r.IntN(3)))
		var values []string
		if op == run.Push || op == run.Settle {
			values = []string{fmt.Sprint(r.IntN(1000))}
		}
		ctx := canceled() // who would wait goes away, and its claim with it: there was none
		got := some[i].ask(ctx, op, key, 3, values...)
		for range r.IntN(3) {
			if again := some[i].again(ctx, op, key, 3, values...); again.N != got.N || !bytes.Equal(again.Value, got.Value) || again.Mine != got.Mine {
				t.Fatalf("%s %s: %+v, then %+v", op, key, got, again)
			}
		}
		if want := same[i].ask(ctx, op, key, 3, values...); want.N != got.N || !bytes.Equal(want.Value, got.Value) || want.Mine != got.Mine || want.Refused != got.Refused {
			t.Fatalf("%s %s: %+v, want %+v", op, key, got, want)
		}
	}
	if _, err := lossy.Do(t.Context(), run.Ask{Op: run.Pop, Key: "a", Runner: "r0", Caller: 0, Call: 1}); err == nil {
		t.Error("a request that was over long ago was answered")
	}
}

func TestWhoIsNoMoreIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := New(), t.Context()
		all := askers(t, b, 6)
		all[0].ask(ctx, run.Claim, "k", 0) // of r0
		for _, i := range []int{0, 3, 1} {
			all[i].ask(canceled(), run.Arrive, "b", 4)
		}
		all[3].ask(ctx, run.Push, "q", 0, `1`)
		all[3].ask(ctx, run.Pop, "q", 0)
		got := make(chan run.Answer, 1)
		go func() { got <- all[2].ask(ctx, run.Claim, "k", 0) }()
		synctest.Wait()
		b.Forget("r0")
		if a := <-got; !a.Mine {
			t.Errorf("who waited for it gets %+v", a)
		}
		if n := len(b.barriers["b"].arrived); n != 1 {
			t.Errorf("%d are at the barrier", n)
		}
		if x := all[3].again(ctx, run.Pop, "q", 0); x.Value != nil {
			t.Errorf("%+v", x)
		}
		if want := 2*itemCost + len("b") + len("k"); b.bytes != want {
			t.Errorf("%d bytes, want %d", b.bytes, want)
		}
	})
}

func TestTheBoardIsBounded(t *testing.T) {
	b, ctx := New(), t.Context()
	a := askers(t, b, 1)[0]
	big := `"` + strings.Repeat("x", run.MaxValue-2) + `"`
	n := 0
	for ; a.ask(ctx, run.Push, "q", 0, big).Refused == ""; n++ {
		if n > maxBytes/run.MaxValue {
			t.Fatal("it takes no end of bytes")
		}
	}
	if n < maxBytes/run.MaxValue*9/10 {
		t.Errorf("it takes %d values only", n)
	}
	if x := a.ask(ctx, run.Claim, "k", 0); x.Refused != "" {
		t.Errorf("a name: %+v", x)
	}
	if x := a.ask(ctx, run.Settle, "k", 0, big); x.Refused == "" {
		t.Error("a value that has no room was settled")
	}
	if x := a.ask(ctx, run.Claim, "k", 0); !x.Mine {
		t.Errorf("what could not be settled stays claimed: %+v", x)
	}
	a.ask(ctx, run.Release, "k", 0)
	for i := range n {
		before := b.bytes
		if x := a.ask(ctx, run.Pop, "q", 0); string(x.Value) != big {
			t.Fatalf("%.40s", x.Value)
		}
		// It may be asked for again: until the next request it is on the board.
		if i == 0 && b.bytes != before {
			t.Errorf("of %d bytes %d are left", before, b.bytes)
		}
	}
	if a.ask(ctx, run.Pop, "q", 0); b.bytes != 0 {
		t.Errorf("%d bytes stay behind", b.bytes)
	}
	for i := range maxThing {
		if x := a.ask(ctx, run.Add, fmt.Sprint(i), 1); x.Refused != "" {
			t.Fatalf("%d: %+v", i, x)
		}
	}
	for _, op := range []run.Op{run.Add, run.Push, run.Claim, run.Arrive} {
		if x := a.ask(ctx, op, "one more", 1, `1`); x.Refused == "" {
			t.Errorf("%s: it takes no end of names", op)
		}
	}
	if x := a.ask(ctx, run.Add, strings.Repeat("k", run.MaxKey+1), 1); x.Refused == "" {
		t.Error("a name that is too long")
	}
}
