package metric

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestAMetricHasOneDefinition(t *testing.T) {
	r := NewRegistry()
	first, err := r.Define("my_trend", Trend, Time)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.Define("my_trend", Trend, Time); again != first || err != nil {
		t.Errorf("the same definition again is %p, %v; want %p", again, err, first)
	}
	for _, tt := range []struct {
		name     string
		kind     Kind
		contains Contains
		want     string
	}{
		{"my_trend", Counter, Time, "metric 'my_trend' already exists but with type trend, instead of counter"},
		{"my_trend", Trend, Data, "metric 'my_trend' already exists but with a value type time, instead of data"},
		{"", Counter, Default, "Invalid metric name: ''"},
		{"1st", Counter, Default, "Invalid metric name: '1st'"},
		{"a-b", Counter, Default, "Invalid metric name: 'a-b'"},
		{"größe", Counter, Default, "Invalid metric name: 'größe'"},
		{"a", Counter, Default, "Invalid metric name: 'a'"},
		{"a" + strings.Repeat("b", 129), Counter, Default, "Invalid metric name: 'a"},
	} {
		if m, err := r.Define(tt.name, tt.kind, tt.contains); m != nil || err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("Define(%q) = %v, %v; want an error that begins %q", tt.name, m, err, tt.want)
		}
	}
	if _, err := r.Define("_"+strings.Repeat("b", 128), Counter, Default); err != nil {
		t.Errorf("the longest name is refused: %v", err)
	}
	if r.Get("my_trend") != first || r.Get("another") != nil {
		t.Error("Get finds the wrong ones")
	}
}

func TestMetricsComeInTheOrderOfDefinition(t *testing.T) {
	r := NewRegistry()
	NewBuiltin(r)
	builtin := len(r.All())
	for _, name := range []string{"zz", "aa", "zz", "mm"} {
		if _, err := r.Define(name, Counter, Default); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	all := r.All()
	for _, m := range all[builtin:] {
		names = append(names, m.Name)
	}
	if got := strings.Join(names, " "); got != "zz aa mm" {
		t.Errorf("they come as %s", got)
	}
	all[0] = nil
	if r.All()[0] == nil {
		t.Error("All gives away what belongs to the registry")
	}
}

func TestManyMayDefineAtOnce(t *testing.T) {
	r := NewRegistry()
	got := make([][]*Metric, 8)
	var wg sync.WaitGroup
	for a := range got {
		wg.Go(func() {
			for i := range 200 {
				m, err := r.Define(fmt.Sprintf("metric_%d", i), Rate, Default)
				if err != nil {
					t.Error(err)
				}
				got[a] = append(got[a], m)
				r.Get("metric_0")
				r.All()
			}
		})
	}
	wg.Wait()
	for a := range got {
		for i, m := range got[a] {
			if m != got[0][i] {
				t.Fatalf("definer %d got another metric_%d", a, i)
			}
		}
	}
	if n := len(r.All()); n != 200 {
		t.Errorf("%d metrics are defined, want 200", n)
	}
}

func TestKindsAndContentsReadWhatTheyWrite(t *testing.T) {
	type pair struct {
		K Kind
		C Contains
	}
	for _, tt := range []struct {
		p    pair
		text string
	}{
		{pair{Counter, Default}, `{"K":"counter","C":"default"}`},
		{pair{Gauge, Data}, `{"K":"gauge","C":"data"}`},
		{pair{Trend, Time}, `{"K":"trend","C":"time"}`},
		{pair{Rate, Default}, `{"K":"rate","C":"default"}`},
	} {
		text, err := json.Marshal(tt.p)
		if err != nil || string(text) != tt.text {
			t.Errorf("%v is written %s (%v), want %s", tt.p, text, err, tt.text)
		}
		var back pair
		if err := json.Unmarshal(text, &back); err != nil || back != tt.p {
			t.Errorf("%s is read as %v (%v)", text, back, err)
		}
	}
	for _, wrong := range []string{`{"K":"Trend"}`, `{"K":""}`, `{"C":"bytes"}`} {
		if err := json.Unmarshal([]byte(wrong), new(pair)); err == nil {
			t.Errorf("%s is accepted", wrong)
		}
	}
}
