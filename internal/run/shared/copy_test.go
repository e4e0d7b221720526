package shared

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"throng/internal/run"
)

// copied is a board that was made from another one's words.
func copied(t *testing.T, b *Board) *Board {
	t.Helper()
	data, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	out := New()
	out.counters["forgotten"] = 1
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A copy goes on as its original would, whatever is asked of both, and whenever it was made.
func TestACopyAnswersAsItsOriginal(t *testing.T) {
	ops := []run.Op{run.Claim, run.Settle, run.Release, run.Arrive, run.Leave, run.Add, run.Push, run.Pop}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		b := New()
		calls := map[string]uint64{}
		var twin *Board
		for i := range 200 {
			if i%50 == 25 {
				twin = copied(t, b)
			}
			ask := run.Ask{Op: ops[rng.IntN(len(ops))], Key: fmt.Sprint(rng.IntN(3)), Runner: fmt.Sprint(rng.IntN(2)), Caller: rng.Uint64N(3), N: 2}
			who := fmt.Sprint(ask.Runner, ask.Caller)
			if rng.IntN(4) > 0 || calls[who] == 0 { // else it asks again
				calls[who]++
			}
			ask.Call = calls[who]
			if ask.Op == run.Push || ask.Op == run.Settle {
				ask.Values = []json.RawMessage{json.RawMessage([]string{"null", `"v"`, `{"a":[1]}`}[rng.IntN(3)])}
			}
			want, werr := b.Do(canceled(), ask)
			if twin == nil {
				continue
			}
			if got, err := twin.Do(canceled(), ask); !reflect.DeepEqual(got, want) || (err == nil) != (werr == nil) {
				t.Fatalf("seed %d: %+v is answered with %+v (%v), and by its copy with %+v (%v)", seed, ask, want, werr, got, err)
			}
			if b.bytes != twin.bytes {
				t.Fatalf("seed %d: %d bytes, and in the copy %d", seed, b.bytes, twin.bytes)
			}
		}
	}
}

func TestWhatIsNoBoardChangesNothing(t *testing.T) {
	b := New()
	b.Take(run.Ask{Op: run.Add, Key: "k", Caller: 1, Call: 1, N: 5})
	if err := b.UnmarshalJSON([]byte(`{"counters": "no"}`)); err == nil || b.counters["k"] != 5 {
		t.Errorf("%v; it holds %v", err, b.counters)
	}
}
