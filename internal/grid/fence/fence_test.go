package fence

import (
	"fmt"
	"math/rand/v2"
	"slices"
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

// TestANewVoterDoesNotCutTheLeaseShort has one voter become three, and then two others.
func TestANewVoterDoesNotCutTheLeaseShort(t *testing.T) {
	var h Holder
	sent := time.Unix(1000, 0)
	h.Electorate([]string{"a"})
	h.Acknowledged("a", sent)
	for _, voters := range [][]string{{"a", "b"}, {"a", "b", "c"}, {"b", "c"}} {
		h.Electorate(voters)
		h.Electorate(voters)
		if got := h.Until(); !got.Equal(sent.Add(Lease)) {
			t.Errorf("%v vote: until %v", voters, got)
		}
	}
	h.Acknowledged("b", sent.Add(time.Second))
	h.Acknowledged("c", sent.Add(time.Second))
	if got := h.Until(); !got.Equal(sent.Add(time.Second + Lease)) {
		t.Errorf("acknowledged by all: until %v", got)
	}
}

// play is a node that sends beats over a network that delays and loses them, to voters that die and start again, and that
// come and go: one at a time, a Lease apart, of which the node hears late.
type play struct {
	r       *rand.Rand
	holder  Holder
	voters  []string // who votes
	changed int      // ms, when they last did
	told    int      // ms, when the node hears of it
	witness map[string]*Witness
	lossy   map[string]bool
	dead    map[string]bool
	wire    []message
}

type message struct {
	at    time.Time
	voter string
	sent  time.Time
	back  bool
}

func newPlay(seed uint64, start time.Time) *play {
	p := &play{r: rand.New(rand.NewPCG(seed, 1)), witness: map[string]*Witness{}, lossy: map[string]bool{}, dead: map[string]bool{}}
	for i := range 1 + p.r.IntN(5) {
		v := fmt.Sprint("v", i)
		p.voters = append(p.voters, v)
		p.witness[v] = NewWitness(start.Add(-time.Hour))
	}
	p.holder.Electorate(p.voters)
	return p
}

// vote has one voter come, go, fall silent, be heard again, die or start.
func (p *play) vote(ms int, now time.Time) {
	if p.r.IntN(40) == 0 {
		v := p.voters[p.r.IntN(len(p.voters))]
		p.lossy[v] = !p.lossy[v]
	}
	if p.r.IntN(100) == 0 {
		v := p.voters[p.r.IntN(len(p.voters))]
		if p.dead[v] {
			p.witness[v] = NewWitness(now)
		}
		p.dead[v] = !p.dead[v]
	}
	if ms-p.changed >= int(Lease/time.Millisecond) && p.r.IntN(60) == 0 {
		v := fmt.Sprint("v", p.r.IntN(6))
		after := append(slices.Clone(p.voters), v)
		if i := slices.Index(p.voters, v); i >= 0 {
			after = slices.Delete(slices.Clone(p.voters), i, i+1)
		}
		if p.quorum(p.voters) && p.quorum(after) {
			if len(after) > len(p.voters) {
				p.witness[v] = NewWitness(now) // whatever it was before
			}
			p.voters, p.changed, p.told = after, ms, ms+p.r.IntN(int(Lease/time.Millisecond))
		}
	}
	if ms >= p.told {
		p.holder.Electorate(p.voters)
	}
}

// quorum reports whether a majority lives, without which nothing is changed.
func (p *play) quorum(voters []string) bool {
	live := 0
	for _, v := range voters {
		if !p.dead[v] {
			live++
		}
	}
	return 2*live > len(voters)
}

func (p *play) send(now time.Time) {
	for _, v := range p.holder.voters {
		if p.dead[v] && !p.lossy[v] {
			p.holder.Acknowledged(v, now) // refused
		} else if !p.lossy[v] {
			p.wire = append(p.wire, message{now.Add(time.Duration(p.r.IntN(1500)) * time.Millisecond), v, now, false})
		}
	}
}

func (p *play) arrive(now time.Time) {
	var left []message
	for _, m := range p.wire {
		switch {
		case m.at.After(now):
			left = append(left, m)
		case m.back:
			p.holder.Acknowledged(m.voter, m.sent)
		case !p.dead[m.voter]:
			p.witness[m.voter].Heard("n", now)
			left = append(left, message{now.Add(time.Duration(p.r.IntN(1500)) * time.Millisecond), m.voter, m.sent, true})
		}
	}
	p.wire = left
}

func (p *play) gone(now time.Time) bool {
	told := map[string]map[string]time.Duration{}
	for _, v := range p.voters {
		if !p.dead[v] && p.r.IntN(4) > 0 {
			told[v] = p.witness[v].Silent([]string{"n"}, Silence, now)
		}
	}
	return Gone("n", p.voters, told)
}

// TestGoneMeansStopped asks at every instant of many plays whether a node that is gone still holds its lease.
func TestGoneMeansStopped(t *testing.T) {
	start, gone := time.Unix(1000, 0), 0
	for seed := range uint64(1000) {
		p, ever := newPlay(seed, start), false
		for ms := 0; ms < 20_000; ms += 50 {
			now := start.Add(time.Duration(ms) * time.Millisecond)
			p.vote(ms, now)
			if ms%1000 == 0 {
				p.send(now)
			}
			p.arrive(now)
			if p.gone(now) {
				ever = true
				if p.holder.Until().After(now) {
					t.Fatalf("seed %d: gone at %d ms, and holds its lease until %v", seed, ms, p.holder.Until().Sub(start))
				}
			}
		}
		if ever {
			gone++
		}
	}
	if gone < 100 {
		t.Errorf("the node was gone in %d of 1000 plays: too few to show anything", gone)
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
