package nominate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// sim is a grid in which time passes when it is told to. Its members refuse what etcd's strict check refuses.
type sim struct {
	now     time.Time
	ideal   int
	leader  string
	changed time.Time
	nodes   map[string]*simNode
	members []simMember
	next    int
	barred  map[string]time.Time
	said    []string // what was wrong
}

type simNode struct {
	name   string
	joined time.Time
	can    bool
	stalls bool
	dead   time.Time // zero: alive
}

type simMember struct {
	Member
	starts time.Time // a learner's etcd is up from here on
	lost   bool      // its disk is gone
}

func newSim(ideal int, names ...string) *sim {
	s := &sim{now: time.Unix(1000, 0), ideal: ideal, nodes: map[string]*simNode{}, barred: map[string]time.Time{}, changed: time.Unix(1000, 0)}
	for _, n := range names {
		s.join(n)
	}
	s.leader = names[0]
	s.members = []simMember{{Member: Member{ID: "m1", Node: names[0], Started: true, Since: s.now}, starts: s.now.Add(-time.Hour)}}
	s.next = 2
	return s
}

func (s *sim) join(name string) {
	s.nodes[name] = &simNode{name: name, joined: s.now.Add(time.Duration(len(s.nodes))), can: true}
}

func (s *sim) alive(name string) bool {
	n, ok := s.nodes[name]
	return ok && n.dead.IsZero()
}

// up reports whether the member's etcd takes part.
func (s *sim) up(m simMember) bool {
	return s.alive(m.Node) && !m.lost && !m.starts.IsZero() && !s.now.Before(m.starts)
}

func (s *sim) voters() (all, up, settled int) {
	for _, m := range s.members {
		if m.Learner {
			continue
		}
		all++
		if s.up(m) {
			up++
			if m.Node == s.leader || s.now.Sub(m.starts) >= 5*time.Second {
				settled++
			}
		}
	}
	return all, up, settled
}

func (s *sim) view() View {
	v := View{Self: s.leader, Ideal: s.ideal, Changed: s.changed}
	for i := range s.members {
		m := &s.members[i]
		m.Started = m.Started || s.up(*m)
		seen := m.Member
		if m.lost || s.nodes[m.Node] == nil {
			seen.Node = ""
		}
		v.Members = append(v.Members, seen)
	}
	for _, n := range s.nodes {
		silent := time.Duration(0)
		if !n.dead.IsZero() {
			silent = s.now.Sub(n.dead)
		}
		v.Nodes = append(v.Nodes, Node{Name: n.name, Can: n.can, Silent: silent, Joined: n.joined, Barred: s.now.Before(s.barred[n.name])})
	}
	return v
}

// apply makes a change as etcd would, or returns false where etcd says "later".
func (s *sim) apply(c Change) bool {
	all, up, settled := s.voters()
	i := slices.IndexFunc(s.members, func(m simMember) bool { return m.ID == c.Member })
	switch c.Kind {
	case Add:
		if all > 1 && settled < majority(all+1) {
			return false
		}
		m := simMember{Member: Member{ID: fmt.Sprintf("m%d", s.next), Node: c.Node, Learner: true, Since: s.now}}
		if n := s.nodes[c.Node]; n != nil && n.dead.IsZero() && !n.stalls {
			m.starts = s.now.Add(time.Second)
		}
		s.next++
		s.members = append(s.members, m)
	case Promote:
		if !s.up(s.members[i]) {
			return false
		}
		s.members[i].Learner = false
		s.votersChanged(c, up+1, all+1)
	case Remove:
		gone := s.members[i]
		if !gone.Learner {
			if s.up(gone) {
				if settled-1 < majority(all-1) {
					return false
				}
				up--
			}
			s.votersChanged(c, up, all-1)
		}
		if c.Failed {
			s.barred[gone.Node] = s.now.Add(time.Minute)
		}
		s.members = slices.Delete(s.members, i, i+1)
	case Move:
		s.lead(c.Node)
	}
	return true
}

// votersChanged notes what must never be.
func (s *sim) votersChanged(c Change, up, all int) {
	if up < majority(all) {
		s.said = append(s.said, fmt.Sprintf("%s %s leaves %d of %d voters up", c.Kind, c.Node, up, all))
	}
	if since := s.now.Sub(s.changed); since < Pace {
		s.said = append(s.said, fmt.Sprintf("%s %s comes %s after the last change", c.Kind, c.Node, since))
	}
	if c.Kind == Remove && c.Node == s.leader {
		s.said = append(s.said, "the leader is removed")
	}
	s.changed = s.now
}

func (s *sim) lead(name string) { s.leader, s.changed = name, s.now }

// elect finds a new leader when the old one cannot lead; false: there is no majority.
func (s *sim) elect() bool {
	all, up, _ := s.voters()
	if up < majority(all) {
		return false
	}
	var able []string
	for _, m := range s.members {
		if !m.Learner && s.up(m) {
			able = append(able, m.Node)
		}
	}
	if !slices.Contains(able, s.leader) {
		slices.Sort(able)
		s.lead(able[0])
	}
	return true
}

// step lets half a second pass and does what is to be done.
func (s *sim) step() (Change, bool) {
	s.now = s.now.Add(500 * time.Millisecond)
	if !s.elect() {
		return Change{Kind: Nothing, Why: "no majority"}, false
	}
	c := Choose(s.view(), s.now)
	return c, c.Kind != Nothing && s.apply(c)
}

func (s *sim) names(learners bool) string {
	var out []string
	for _, m := range s.members {
		if m.Learner != learners {
			continue
		}
		name := m.Node
		if m.lost || s.nodes[name] == nil {
			name = "(" + name + ")"
		} else if !s.alive(name) {
			name = "†" + name
		}
		if m.Node == s.leader {
			name += "*"
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
