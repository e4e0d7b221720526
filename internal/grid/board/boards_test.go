package board

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
		known := uint64(0) // what a leader knows of the term until it is refused: that of its own reign
		if name == names[0] {
			known = 1
		}
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
			for _, o := range names {
				if o != name && !v.dead[o] {
					out = append(out, "http://"+o)
				}
			}
			return out
		}})
	}
	return v, client
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
