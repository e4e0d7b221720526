package fence

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestLeaseEndsAfterTheMajoritysOldestBeat(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	for _, tt := range []struct {
		name   string
		voters []string
		acked  map[string]float64
		want   time.Time
	}{
		{"nobody votes", nil, map[string]float64{"a": 1}, time.Time{}},
		{"one of three has acknowledged", []string{"a", "b", "c"}, map[string]float64{"a": 1}, time.Time{}},
		{"two of three: the older counts", []string{"a", "b", "c"}, map[string]float64{"a": 1, "b": 2}, at(1).Add(Lease)},
		{"all three: the middle counts", []string{"a", "b", "c"}, map[string]float64{"a": 1, "b": 2, "c": 3}, at(2).Add(Lease)},
		{"two of two must agree", []string{"a", "b"}, map[string]float64{"a": 1, "b": 2}, at(1).Add(Lease)},
		{"one that does not vote does not count", []string{"a"}, map[string]float64{"a": 1, "x": 9}, at(1).Add(Lease)},
	} {
		var h Holder
		h.Electorate(tt.voters)
		for v, s := range tt.acked {
			h.Acknowledged(v, at(s))
			h.Acknowledged(v, at(s-1)) // an answer that was overtaken
		}
		if got := h.Until(); !got.Equal(tt.want) {
			t.Errorf("%s: until %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestGoneMeansStopped sends beats over a network that delays and loses them, with voters that die and start again, and asks at
// every instant whether anybody who is gone still holds its lease.
func TestGoneMeansStopped(t *testing.T) {
	gone := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var voters []string
		witness := map[string]*Witness{}
		start := time.Unix(1000, 0)
		for i := range 1 + r.IntN(5) {
			v := fmt.Sprint("v", i)
			voters = append(voters, v)
			witness[v] = NewWitness(start.Add(-time.Hour))
		}
		var h Holder
		h.Electorate(voters)
		type message struct {
			at    time.Time
			voter string
			sent  time.Time
			back  bool
		}
		var wire []message
		lossy := map[string]bool{}
		dead := map[string]bool{}
		everGone := false
		for ms := 0; ms < 20_000; ms += 50 {
			now := start.Add(time.Duration(ms) * time.Millisecond)
			if r.IntN(40) == 0 {
				v := voters[r.IntN(len(voters))]
				lossy[v] = !lossy[v]
			}
			if r.IntN(100) == 0 {
				v := voters[r.IntN(len(voters))]
				if dead[v] {
					witness[v] = NewWitness(now)
				}
				dead[v] = !dead[v]
			}
			if ms%1000 == 0 {
				for _, v := range voters {
					if dead[v] && !lossy[v] {
						h.Acknowledged(v, now) // refused
					} else if !lossy[v] {
						wire = append(wire, message{now.Add(time.Duration(r.IntN(1500)) * time.Millisecond), v, now, false})
					}
				}
			}
			var left []message
			for _, m := range wire {
				switch {
				case m.at.After(now):
					left = append(left, m)
				case m.back:
					h.Acknowledged(m.voter, m.sent)
				case !dead[m.voter]:
					witness[m.voter].Heard("n", now)
					left = append(left, message{now.Add(time.Duration(r.IntN(1500)) * time.Millisecond), m.voter, m.sent, true})
				}
			}
			wire = left
			told := map[string]map[string]time.Duration{}
			for _, v := range voters {
				if !dead[v] && r.IntN(4) > 0 {
					told[v] = witness[v].Silent([]string{"n"}, Silence, now)
				}
			}
			if Gone("n", voters, told) {
				everGone = true
				if h.Until().After(now) {
					t.Fatalf("seed %d: gone at %v, and holds its lease until %v", seed, now, h.Until())
				}
			}
		}
		if everGone {
			gone++
		}
	}
	if gone < 30 {
		t.Errorf("the node was gone in %d of 300 plays: too few to show anything", gone)
	}
}

func TestGoneNeedsAMajority(t *testing.T) {
	long, short := Lease+Margin+1, Lease
	voters := []string{"a", "b", "c"}
	for _, tt := range []struct {
		name string
		told map[string]map[string]time.Duration
		want bool
	}{
		{"one against", map[string]map[string]time.Duration{"a": {"n": long}}, false},
		{"two against", map[string]map[string]time.Duration{"a": {"n": long}, "b": {"n": long}}, true},
		{"two against, of whom one heard it", map[string]map[string]time.Duration{"a": {"n": long}, "b": {"n": short}}, false},
		{"silence of one that knows nothing counts for the node", map[string]map[string]time.Duration{"a": {"n": long}, "b": {}}, false},
	} {
		if got := Gone("n", voters, tt.told); got != tt.want {
			t.Errorf("%s: gone is %v", tt.name, got)
		}
	}
}
