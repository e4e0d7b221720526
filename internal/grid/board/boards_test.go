package board

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/run"
)

// voters are Boards that copy to one another; one that is dead refuses.
type voters struct {
	mu     sync.Mutex
	by     map[string]*Boards
	dead   map[string]bool
	leader string
	term   uint64
}

func (v *voters) RoundTrip(r *http.Request) (*http.Response, error) {
	v.mu.Lock()
	b, dead := v.by[r.URL.Host], v.dead[r.URL.Host]
	v.mu.Unlock()
	if dead {
		return nil, errors.New("dead")
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w.Result(), nil
}

func newVoters(names ...string) (*voters, *courier.Client) {
	v := &voters{by: map[string]*Boards{}, dead: map[string]bool{}, leader: names[0], term: 1}
	client := &courier.Client{HTTP: &http.Client{Transport: v}}
	for _, name := range names {
		v.join(client, name)
	}
	return v, client
}

// join adds a voter that knows nothing, or replaces one: it has started again.
func (v *voters) join(client *courier.Client, name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	known := uint64(0) // what a leader knows of the term until it is refused: that of its own reign
	if name == v.leader {
		known = v.term
	}
	delete(v.dead, name)
	v.by[name] = New(Config{Client: client, Told: func(error) {}, Term: func() uint64 {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.leader == name {
			known = v.term
		}
		return known
	}, Others: func() (out []string) {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, o := range slices.Sorted(maps.Keys(v.by)) {
			if o != name && !v.dead[o] {
				out = append(out, "http://"+o)
			}
		}
		return out
	}})
}

func (v *voters) asker(client *courier.Client) Asker {
	return Asker{Run: "r", Client: client, Leader: func() string {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.leader == "" {
			return ""
		}
		return "http://" + v.leader
	}}
}

func (v *voters) lead(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dead[v.leader] = true
	v.leader, v.term = name, v.term+1
}

func TestTheNextLeaderKnowsWhatWasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, client := newVoters("a", "b", "c")
		ask := func(caller, call uint64, op run.Op, n int64, values ...json.RawMessage) run.Answer {
			t.Helper()
			answer, err := v.asker(client).Do(t.Context(), run.Ask{Op: op, Key: "k", Runner: "x", Caller: caller, Call: call, N: n, Values: values})
			if err != nil {
				t.Fatal(err)
			}
			return answer
		}
		ask(1, 1, run.Push, 0, json.RawMessage("1"), json.RawMessage("2"), json.RawMessage("3"))
		first := ask(2, 1, run.Pop, 0)
		if n := ask(3, 1, run.Add, 5).N; n != 5 {
			t.Errorf("the counter shows %d", n)
		}
		if !ask(4, 1, run.Claim, 0).Mine {
			t.Error("nobody may make the value")
		}
		v.lead("c")
		if again := ask(2, 1, run.Pop, 0); string(again.Value) != string(first.Value) {
			t.Errorf("the same request got %s, and after the death %s", first.Value, again.Value)
		}
		if next := ask(2, 2, run.Pop, 0); string(next.Value) == string(first.Value) {
			t.Errorf("%s was given out twice", next.Value)
		}
		if n := ask(3, 2, run.Add, 1).N; n != 6 {
			t.Errorf("the counter shows %d", n)
		}
		if ask(5, 1, run.Claim, 0).Mine {
			t.Error("the value is made twice")
		}
		ask(4, 2, run.Settle, 0, json.RawMessage(`"v"`))
		if got := ask(5, 2, run.Claim, 0); string(got.Value) != `"v"` {
			t.Errorf("the value is %+v", got)
		}
	})
}

// Whoever comes to vote in mid-run, or starts again, can be the next leader, and the only one who is left.
func TestWhoComesToVoteLacksNothing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		comes string
		asked bool // something is asked between its coming and the leader's death
		waits time.Duration
		last  bool // nobody is left whom it could ask
	}{
		{"a newcomer, and something is asked", "d", true, 0, true},
		{"a newcomer, and nothing is asked any more", "d", false, 2 * keep, true},
		{"a newcomer that must lead at once", "d", false, 0, false},
		{"one that starts again, and something is asked", "c", true, 0, true},
		{"one that starts again, and nothing is asked any more", "c", false, 2 * keep, true},
		{"one that starts again and must lead at once", "c", false, 0, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			v, client := newVoters("a", "b", "c")
			ctx, stop := context.WithCancel(t.Context())
			var leading sync.WaitGroup
			leading.Go(func() { v.by["a"].Lead(ctx) })
			call := uint64(0)
			ask := func(op run.Op, n int64, values ...json.RawMessage) run.Answer {
				t.Helper()
				call++
				answer, err := v.asker(client).Do(t.Context(), run.Ask{Op: op, Key: "k", Runner: "x", Caller: 1, Call: call, N: n, Values: values})
				if err != nil {
					t.Fatal(err)
				}
				return answer
			}
			ask(run.Push, 0, json.RawMessage("1"), json.RawMessage("2"), json.RawMessage("3"))
			first := ask(run.Pop, 0)
			ask(run.Add, 5)
			want := int64(6)
			v.join(client, tt.comes)
			if tt.asked {
				ask(run.Add, 10)
				want += 10
			}
			time.Sleep(tt.waits)
			stop()
			leading.Wait()
			if tt.last {
				v.mu.Lock()
				v.dead["b"] = true
				v.dead["c"] = v.dead["c"] || tt.comes != "c"
				v.mu.Unlock()
			}
			v.lead(tt.comes)
			if n := ask(run.Add, 1).N; n != want {
				t.Errorf("%s: the counter shows %d, want %d", tt.name, n, want)
			}
			if next := ask(run.Pop, 0); string(next.Value) != "2" || string(first.Value) != "1" {
				t.Errorf("%s: %s came after %s", tt.name, next.Value, first.Value)
			}
		})
	}
}

// A leader that does not know yet that it was replaced may have had others take what the new one has not: the new one's order counts.
func TestWhatAnOldLeaderHadTakenIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, client := newVoters("a", "b", "c")
		add := func(caller uint64) int64 {
			answer, err := v.asker(client).Do(t.Context(), run.Ask{Op: run.Add, Key: "k", Caller: caller, Call: 1, N: 1})
			if err != nil {
				t.Fatal(err)
			}
			return answer.N
		}
		add(1)
		v.lead("b")
		if n := add(2); n != 2 {
			t.Errorf("it shows %d", n)
		}
		// a is back, and has c take something in its own term.
		stale := copied{Term: 1, From: v.by["c"].of("r").at, Asks: []run.Ask{{Op: run.Add, Key: "k", Caller: 9, Call: 1, N: 100}}}
		if _, err := v.by["c"].copied("r", stale); !errors.Is(err, cluster.ErrDeposed) {
			t.Errorf("an old leader is obeyed: %v", err)
		}
		c := v.by["c"].of("r")
		c.board.Take(stale.Asks[0])
		c.at = place{1, 99}
		if n := add(3); n != 3 {
			t.Errorf("it shows %d", n)
		}
		v.lead("c")
		if n := add(4); n != 4 {
			t.Errorf("under the next leader it shows %d", n)
		}
	})
}

func TestEveryItemIsHandedToOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, client := newVoters("a", "b", "c")
		const items, callers = 500, 20
		for i := range items {
			_, err := v.asker(client).Do(t.Context(), run.Ask{Op: run.Push, Key: "q", Caller: 99, Call: uint64(i + 1), Values: []json.RawMessage{json.RawMessage(fmt.Sprint(i))}})
			if err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		seen := map[string]int{}
		var wg sync.WaitGroup
		for c := range callers {
			wg.Go(func() {
				for call := uint64(1); ; call++ {
					a, err := v.asker(client).Do(t.Context(), run.Ask{Op: run.Pop, Key: "q", Caller: uint64(c), Call: call})
					for err == nil && a.Later {
						a, err = v.asker(client).Do(t.Context(), run.Ask{Op: run.Pop, Key: "q", Caller: uint64(c), Call: call})
					}
					if err != nil {
						t.Error(err)
						return
					}
					if a.Value == nil {
						return
					}
					mu.Lock()
					seen[string(a.Value)]++
					half := len(seen) == items/2
					mu.Unlock()
					if half {
						v.lead("b")
					}
				}
			})
		}
		wg.Wait()
		for item, n := range seen {
			if n != 1 {
				t.Errorf("item %s was given out %d times", item, n)
			}
		}
		if len(seen) != items {
			t.Errorf("%d of %d items", len(seen), items)
		}
	})
}

func TestWhileNobodyLeadsTheAnswerIsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, client := newVoters("a")
		v.leader = ""
		a, err := v.asker(client).Do(t.Context(), run.Ask{Op: run.Add, Key: "k", Caller: 1, Call: 1, N: 1})
		if err != nil || !a.Later {
			t.Errorf("%+v, %v", a, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := v.asker(client).Do(ctx, run.Ask{Op: run.Add, Key: "k", Caller: 1, Call: 1, N: 1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("at the end of its context: %v", err)
		}
	})
}

func TestARunThatIsOverIsForgotten(t *testing.T) {
	v, client := newVoters("a", "b")
	add := run.Ask{Op: run.Add, Key: "k", Caller: 1, Call: 1, N: 1}
	if _, err := v.asker(client).Do(t.Context(), add); err != nil {
		t.Fatal(err)
	}
	for _, b := range v.by {
		b.Forget("r")
		if len(b.runs) != 0 {
			t.Error("it is remembered")
		}
	}
}

func TestWhatALostRunnerHadClaimedIsFreeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, client := newVoters("a", "b")
		claim := func(runner string) run.Answer {
			a, err := v.asker(client).Do(t.Context(), run.Ask{Op: run.Claim, Key: "k", Runner: runner, Caller: 1, Call: 1})
			if err != nil {
				t.Error(err)
			}
			return a
		}
		if !claim("dies").Mine {
			t.Fatal("nobody may make the value")
		}
		time.AfterFunc(time.Second, func() { v.by["a"].Lost("r", "dies") })
		if a := claim("lives"); !a.Mine {
			t.Errorf("who waits gets %+v", a)
		}
	})
}
