package nominate

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// The times that Choose goes by.
const (
	// Pace is the least time between two changes of the voters: the fence of load counts on it (grid/fence).
	Pace = 3 * time.Second
	// Lost is how long a node may be silent and still counts as alive.
	Lost = 3 * time.Second
	// Grace is how long a voter must be dead before a volunteer takes its seat.
	Grace = 10 * time.Second
	// Patience is how long a learner may take until it has started. To catch up it may take eight times as long.
	Patience = 15 * time.Second
	// MaxLearners is how many learners there are at a time.
	MaxLearners = 2
)

// View is what the leader sees at one instant.
type View struct {
	Self    string // the leader
	Ideal   int
	Members []Member
	Nodes   []Node
	// Changed is when the voters last changed, or when the leader began to lead: whichever is later.
	Changed time.Time
}

// Member is one of those who keep the store.
type Member struct {
	ID      string
	Node    string // "" of a member that is no node's: its node was forgotten, or begins anew after it lost its disk
	Learner bool
	Started bool
	Since   time.Time // when the leader first saw it
}

// Node is one that may vote.
type Node struct {
	Name   string
	Can    bool // it has a server, and is not drained
	Silent time.Duration
	Joined time.Time
	Barred bool // its last learner came to nothing a short time ago
}

// Kind is what a Change does.
type Kind string

// The kinds of change.
const (
	Nothing Kind = "nothing"
	Add     Kind = "add"     // a learner, on Node
	Promote Kind = "promote" // the learner Member to a voter
	Remove  Kind = "remove"  // Member
	Move    Kind = "move"    // leadership to Member
)

// Change is one step.
type Change struct {
	Kind   Kind
	Node   string
	Member string
	Why    string
	// Failed says, with Remove, that the learner came to nothing: its node is barred for a while.
	Failed bool
}

// Choose returns the one change that should be made now.
func Choose(v View, now time.Time) Change {
	c := survey(v)
	for _, rule := range []func(*count, time.Time) (Change, bool){dropLearner, shrink, replace, promote, addLearner} {
		if change, ok := rule(c, now); ok {
			return change
		}
	}
	return Change{Kind: Nothing, Why: c.idle()}
}

// count is a View, sorted out.
type count struct {
	View
	nodes    map[string]Node
	voters   []Member
	learners []Member
	spare    []Node // volunteers: alive, able, not members
	want     int
	good     int // voters that are to stay
}

func survey(v View) *count {
	c := &count{View: v, nodes: map[string]Node{}}
	member := map[string]bool{}
	for _, m := range v.Members {
		if m.Learner {
			c.learners = append(c.learners, m)
		} else {
			c.voters = append(c.voters, m)
		}
		member[m.Node] = true
	}
	candidates := 0
	for _, n := range v.Nodes {
		if n.Name == v.Self {
			n.Silent = 0
		}
		c.nodes[n.Name] = n
		alive := n.Silent < Lost
		if n.Can && (member[n.Name] || alive && !n.Barred) {
			candidates++
		}
		if n.Can && alive && !n.Barred && !member[n.Name] {
			c.spare = append(c.spare, n)
		}
	}
	slices.SortFunc(c.spare, byAge)
	for _, m := range c.voters {
		if n, ok := c.nodes[m.Node]; ok && n.Can {
			c.good++
		}
	}
	c.want = max(1, min(v.Ideal, candidates))
	if c.want%2 == 0 {
		c.want--
	}
	return c
}

func byAge(a, b Node) int { return cmp.Or(a.Joined.Compare(b.Joined), cmp.Compare(a.Name, b.Name)) }

// alive reports whether the member's node was heard of late. A member that is no node's counts as dead: nobody hears it.
func (c *count) alive(m Member) bool {
	n, ok := c.nodes[m.Node]
	return ok && n.Silent < Lost
}

func (c *count) live() int {
	n := 0
	for _, m := range c.voters {
		if c.alive(m) {
			n++
		}
	}
	return n
}

func majority(n int) int { return n/2 + 1 }

// paced reports whether the voters may change now.
func (c *count) paced(now time.Time) bool { return now.Sub(c.Changed) >= Pace }

func (c *count) wait() (Change, bool) {
	return Change{Kind: Nothing, Why: "the voters changed a moment ago"}, true
}

// dropLearner removes learners that are nobody's, that came to nothing, or that are not needed any more.
func dropLearner(c *count, now time.Time) (Change, bool) {
	for _, m := range c.learners {
		n, known := c.nodes[m.Node]
		drop := Change{Kind: Remove, Node: m.Node, Member: m.ID}
		switch {
		case !known:
			drop.Why = "it is no node's"
		case !n.Can:
			drop.Why = "its node is not to vote"
		case n.Silent >= 2*Lost:
			drop.Why = fmt.Sprintf("its node has been silent for %s", n.Silent.Round(time.Second))
		case now.Sub(m.Since) >= Patience && !m.Started:
			drop.Why, drop.Failed = fmt.Sprintf("it has not started within %s", Patience), true
		case now.Sub(m.Since) >= 8*Patience:
			drop.Why, drop.Failed = "it does not catch up", true
		default:
			continue
		}
		return drop, true
	}
	if extra := len(c.learners) - max(0, c.want-c.good); extra > 0 {
		m := c.learners[len(c.learners)-1]
		return Change{Kind: Remove, Node: m.Node, Member: m.ID, Why: "there are enough voters"}, true
	}
	return Change{}, false
}

// shrink removes a voter when there are more than are wanted, or one that is no node's.
func shrink(c *count, now time.Time) (Change, bool) {
	m := c.leaver()
	_, known := c.nodes[m.Node]
	if known && len(c.voters) <= c.want {
		return Change{}, false
	}
	why := c.wanted()
	if !known {
		why = "it is no node's"
	}
	return c.remove(m, why, now)
}

// leaver is the voter that is missed least: one that is no node's, then the dead, the drained, and the youngest. The leader is
// the last of its kind.
func (c *count) leaver() Member {
	rank := func(m Member) int {
		n, known := c.nodes[m.Node]
		switch {
		case !known:
			return 0
		case !c.alive(m):
			return 1
		case !n.Can:
			return 2
		}
		return 3
	}
	return slices.MinFunc(c.voters, func(a, b Member) int {
		leads := func(m Member) int {
			if m.Node == c.Self {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(leads(a), leads(b)), byAge(c.nodes[b.Node], c.nodes[a.Node]))
	})
}

// remove removes a voter if that is safe; leadership moves first.
func (c *count) remove(m Member, why string, now time.Time) (Change, bool) {
	left := c.live()
	if c.alive(m) {
		left--
	}
	switch {
	case len(c.voters) == 1:
		return Change{}, false
	case left < majority(len(c.voters)-1):
		return Change{Kind: Nothing, Why: fmt.Sprintf("%s is to leave, and the others alone have no majority", m.Node)}, true
	case m.Node == c.Self:
		return c.move(m)
	case !c.paced(now):
		return c.wait()
	}
	return Change{Kind: Remove, Node: m.Node, Member: m.ID, Why: why}, true
}

// move hands leadership to the voter that is to stay longest.
func (c *count) move(from Member) (Change, bool) {
	var to *Member
	for _, m := range c.voters {
		n := c.nodes[m.Node]
		if m.ID == from.ID || !c.alive(m) || to != nil && (!n.Can || byAge(n, c.nodes[to.Node]) > 0 && c.nodes[to.Node].Can) {
			continue
		}
		to = &m
	}
	if to == nil {
		return Change{Kind: Nothing, Why: "there is nobody to lead"}, true
	}
	return Change{Kind: Move, Node: to.Node, Member: to.ID, Why: fmt.Sprintf("%s is to leave", from.Node)}, true
}

// replace removes a voter that has been dead for the grace, when somebody can take its seat. The dead is removed before the new
// one is added: four voters of which one is dead bear no more deaths than three.
func replace(c *count, now time.Time) (Change, bool) {
	if len(c.spare)+len(c.learners) == 0 {
		return Change{}, false
	}
	m := c.leaver()
	if c.alive(m) || c.nodes[m.Node].Silent < Grace {
		return Change{}, false
	}
	return c.remove(m, "it is dead, and another can take its seat", now)
}

// promote lets a learner vote when that leads to an odd number: alone, or with a second one that follows.
func promote(c *count, now time.Time) (Change, bool) {
	var ready []Member
	for _, m := range c.learners {
		if m.Started && c.alive(m) {
			ready = append(ready, m)
		}
	}
	need := c.want - c.good
	switch {
	case need <= 0 || len(ready) == 0:
		return Change{}, false
	case len(c.voters)%2 == 1 && need > 1 && len(ready) < 2:
		return Change{}, false
	case c.live()+1 < majority(len(c.voters)+1):
		return Change{Kind: Nothing, Why: "too many voters are dead to add one"}, true
	case !c.paced(now):
		return Change{}, false // a second learner can be added meanwhile
	}
	return Change{Kind: Promote, Node: ready[0].Node, Member: ready[0].ID, Why: c.wanted()}, true
}

// addLearner adds the oldest volunteer, one at a time: what a joiner is told about the others must be true until it has started.
func addLearner(c *count, _ time.Time) (Change, bool) {
	waits := slices.ContainsFunc(c.learners, func(m Member) bool { return !m.Started })
	if waits || len(c.spare) == 0 || len(c.learners) >= min(MaxLearners, c.want-c.good) || c.live() < majority(len(c.voters)) {
		return Change{}, false
	}
	return Change{Kind: Add, Node: c.spare[0].Name, Why: c.wanted()}, true
}

func (c *count) wanted() string {
	if c.want == 1 {
		return "one voter is wanted"
	}
	return fmt.Sprintf("%d voters are wanted", c.want)
}

// idle says why nothing is to be done.
func (c *count) idle() string {
	switch {
	case len(c.learners) > 0:
		return "a learner is on its way"
	case len(c.voters) < c.want:
		return "nobody can take an empty seat"
	}
	return fmt.Sprintf("voters: %d, as wanted", len(c.voters))
}
