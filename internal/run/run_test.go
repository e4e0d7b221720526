package run

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"throng/internal/plan"
	"throng/internal/segment"
)

func TestWhatIsInheritedAddsUp(t *testing.T) {
	scenarios := []plan.Scenario{
		{Name: "loop", Executor: plan.ConstantVUs, VUs: 7}, {Name: "pool", Executor: plan.SharedIterations, VUs: 4, Iterations: 100},
		{Name: "each", Executor: plan.PerVUIterations, VUs: 1, Iterations: 100}, {Name: "rate", Executor: plan.ConstantArrivalRate, MaxVUs: 5},
	}
	used := map[string]int64{"loop": 31, "pool": 77, "each": 12, "rate": 41, "gone": 5}
	sum := map[string]int64{}
	sequence := func(bounds string) segment.Sequence {
		q, err := segment.ParseSequence(bounds)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	q := sequence("0,1/6,2/3,1")
	for i := range q {
		part, err := Inherited(scenarios, nil, segment.Cut{Segment: q[i], Sequence: q}, used)
		if err != nil {
			t.Fatal(err)
		}
		for name, n := range part {
			sum[name] += n
		}
		if n := part["each"]; n != 0 && n != 12 {
			t.Errorf("part %d has the VU or not, and inherits %d of its 12 iterations", i, n)
		}
	}
	if want := map[string]int64{"loop": 31, "pool": 77, "each": 12, "rate": 41}; !maps.Equal(sum, want) {
		t.Errorf("together they inherit %v, want %v", sum, want)
	}
	bad := segment.Cut{Segment: q[0], Sequence: sequence("0,1/2,1")}
	if _, err := Inherited(scenarios, nil, bad, used); err == nil || !strings.Contains(err.Error(), "scenario loop") {
		t.Errorf("a segment outside its sequence: %v", err)
	}
}

func TestWhatIsBeyondTheLimitsIsRefused(t *testing.T) {
	text := func(n int) json.RawMessage { return json.RawMessage(`"` + strings.Repeat("x", n-2) + `"`) }
	many := func(n int, v json.RawMessage) (all []json.RawMessage) {
		for range n {
			all = append(all, v)
		}
		return all
	}
	for _, tt := range []struct {
		name string
		ask  Ask
		ok   bool
	}{
		{"a name", Ask{Op: Add, Key: "a"}, true},
		{"no name", Ask{Op: Add}, false},
		{"the longest name", Ask{Op: Add, Key: strings.Repeat("ä", MaxKey)}, true},
		{"a longer one", Ask{Op: Add, Key: strings.Repeat("a", MaxKey+1)}, false},
		{"a name that is no text", Ask{Op: Add, Key: "\xff"}, false},
		{"the largest value", Ask{Op: Settle, Key: "a", Values: many(1, text(MaxValue))}, true},
		{"a larger one", Ask{Op: Settle, Key: "a", Values: many(1, text(MaxValue+1))}, false},
		{"no value", Ask{Op: Settle, Key: "a"}, false},
		{"a value that is no JSON", Ask{Op: Push, Key: "a", Values: many(1, json.RawMessage("{"))}, false},
		{"most values", Ask{Op: Push, Key: "a", Values: many(MaxValues, text(2))}, true},
		{"one more", Ask{Op: Push, Key: "a", Values: many(MaxValues+1, text(2))}, false},
		{"too many large ones", Ask{Op: Push, Key: "a", Values: many(4, text(MaxValue))}, false},
		{"a barrier for nobody", Ask{Op: Arrive, Key: "a"}, false},
		{"another operation", Ask{Op: "steal", Key: "a"}, false},
	} {
		if err := tt.ask.Check(); (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrAsk) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
