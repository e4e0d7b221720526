package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/trust"
)

func TestANodeRemembersItsGrid(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	l.up(2)
	before, err := l.view()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"h1", "h2"} {
		l.halt(name)
	}
	// The one that has no member waits for the other, and founds nothing.
	l.start("h2")
	l.until("h2 is up", func() bool { return strings.Count(l.logged(), "node h2 is up") == 2 })
	if v, err := l.view("h2"); err == nil && v.ClusterID != before.ClusterID {
		t.Errorf("h2 is part of grid %s, and was of %s", v.ClusterID, before.ClusterID)
	}
	l.start("h1")
	l.until("both are heard", func() bool { return l.alive() == "h1 h2" })
	// That h1 hears h2 does not say that h2 has read the store yet.
	l.until("h2 knows both", func() bool { v, err := l.view("h2"); return err == nil && len(v.Nodes) == 2 })
	if v, err := l.view("h2"); err != nil || v.ClusterID != before.ClusterID {
		t.Errorf("the grid is %s with %s, %v; it was %s", v.ClusterID, show(v), err, before.ClusterID)
	}

	// A member whose data is gone founds nothing either.
	l.halt("h1")
	if err := os.RemoveAll(filepath.Join(l.dir, "h1", "etcd")); err != nil {
		t.Fatal(err)
	}
	l.start("h1")
	refused(t, l.ends("h1"), "h1/etcd", "lost")
	// Nor does one that has lost only what it remembers.
	l.halt("h2")
	other := newLab(t, 1)
	other.up(1)
	other.halt("h1")
	if err := os.Remove(memoryFile(filepath.Join(other.dir, "h1"))); err != nil {
		t.Fatal(err)
	}
	other.start("h1")
	refused(t, other.ends("h1"), "does not remember of which grid")
}

// alive are the nodes that are heard.
func (l *lab) alive() string {
	v, err := l.view()
	if err != nil {
		return ""
	}
	var out []string
	for _, n := range v.Nodes {
		if n.Alive {
			out = append(out, n.Name)
		}
	}
	return strings.Join(out, " ")
}

// TestNodesStartInAnyOrder starts five at once, each with the addresses of all as seeds but the founder, who comes last.
func TestNodesStartInAnyOrder(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	l.insecure = true
	names := []string{"h1", "h2", "h3", "h4", "h5"}
	for _, n := range names[1:] {
		l.start(n, names...)
	}
	l.until("they wait", func() bool { return strings.Count(l.logged(), "waiting for a seed") == 4 })
	began := time.Now()
	l.start("h1")
	l.vote(3)
	took := time.Since(began).Round(10 * time.Millisecond)
	if t.Logf("three voters %v after the founder started", took); took > 30*time.Second {
		t.Error("that is too long")
	}
	l.until("all are there", func() bool { return l.alive() == "h1 h2 h3 h4 h5" })
}

// TestVotersFollowTheIdealSize goes up and down, so that every host is used, stood down, and used again.
func TestVotersFollowTheIdealSize(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	l := newLab(t, 3)
	l.up(5)
	id := l.clusterID()
	for _, size := range []int{5, 1, 5, 3} {
		l.mustOrder("size", GridCall{Size: size})
		t.Logf("%d voters after %v", size, l.vote(size).Round(10*time.Millisecond))
		for name := range l.nodes {
			l.until(name+" holds the authority exactly if it votes", func() bool {
				v, err := l.view()
				n, _ := v.Find(name)
				_, holds := trust.LoadAuthority(filepath.Join(l.dir, name, "authority"))
				return err == nil && (holds == nil) == (n.Role == cluster.Voter)
			})
		}
	}
	if got := l.clusterID(); got != id {
		t.Errorf("the grid was %s and is %s", id, got)
	}
	if l.said("has not started within") {
		t.Error("a learner did not hear of its seat")
	}
}

func (l *lab) clusterID() string {
	v, err := l.view()
	if err != nil {
		l.t.Error(err)
	}
	return v.ClusterID
}

// TestTwoToOne has the leader be the one that leaves: the survivor must lead first, and the leaver stay up until it is gone.
func TestTwoToOne(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	l.up(3)
	l.mustOrder("drain", GridCall{Node: "h1"})
	l.vote(1)
	survivor := l.voters()
	if survivor == "h1" || survivor == "" {
		t.Fatalf("the survivor is %q", survivor)
	}
	l.halt("h1") // the last voter needs nobody
	l.mustOrder("size", GridCall{Size: 3})
	l.start("h1")
	l.until("h1 is back", func() bool { return strings.Contains(l.alive(), "h1") })
	l.mustOrder("undrain", GridCall{Node: "h1"})
	l.vote(3)
}

// TestAJoinerDiesAtEveryStep stops a joiner as it joins, when it is told of its seat, as a learner, and as it begins to vote: the
// grid takes orders in the end, and so it does while the joiner is away, except where two votes are needed and one is missing.
func TestAJoinerDiesAtEveryStep(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	for _, step := range []struct {
		name string
		is   func(l *lab) bool
	}{
		{"it has joined", func(l *lab) bool { return l.said("node h2 joins") }},
		{"it is told of its seat", func(l *lab) bool { return l.said("h2 joins those who keep the store") }},
		{"it learns", func(l *lab) bool { return l.said("this node keeps the store with the others") }},
		{"it votes", func(l *lab) bool { return l.said(`msg="h2 votes"`) }},
	} {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, 3)
			l.start("h1")
			l.vote(1)
			l.start("h2", "h1")
			l.until("h2 is there", func() bool { return l.said("node h2 is up") }) // the older one is chosen first
			l.start("h3", "h1")
			l.until(step.name, func() bool { return step.is(l) })
			l.halt("h2")
			if step.name != "it votes" {
				l.mustOrder("size", GridCall{Size: 3})
			}
			l.start("h2")
			l.vote(3)
			l.mustOrder("size", GridCall{Size: 3})
		})
	}
}

// TestAStopIsQuick stops the leader of three: it hands leadership over, remains a member, and comes back.
func TestAStopIsQuick(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	l.up(3)
	took := l.halt("h1")
	t.Logf("the stop took %v", took)
	if took > 2*time.Second {
		t.Errorf("the stop took %v", took)
	}
	led := l.until("another leads", func() bool { v, err := l.view(); return err == nil && v.Leader.Name != "h1" })
	t.Logf("another led after %v", led)
	l.mustOrder("size", GridCall{Size: 3})
	if v, err := l.view(); err != nil || len(v.Voters()) != 3 {
		t.Errorf("%s, %v", show(v), err)
	}
	l.start("h1")
	l.until("h1 is back", func() bool { return l.voters() == "h1 h2 h3" })
}

// TestAllStopAtOnce stops voters in the same moment, so that each has nobody to give anything to, and starts them again, without seeds.
func TestAllStopAtOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	l.up(3)
	id := l.clusterID()
	for _, names := range [][]string{{"h1", "h2", "h3"}, {"h1", "h2"}, {"h2", "h3"}} {
		l.mustOrder("size", GridCall{Size: 3})
		for _, name := range names {
			l.nodes[name].stop()
		}
		for _, name := range names {
			if took := l.halt(name); took > 3*time.Second {
				t.Errorf("of %v, %s took %v to stop", names, name, took)
			}
		}
		for _, name := range names {
			l.start(name)
		}
		l.until("all vote again", func() bool { return l.voters() == "h1 h2 h3" })
		if now := l.clusterID(); now != id {
			t.Errorf("the grid was %s and is %s", id, now)
		}
	}
}

// TestAGridIsUpdatedNodeByNode replaces the binary of one node after the other: each keeps its vote. A node that joins is of the leader's
// version. That no run has nodes of two versions, package desk sees to.
func TestAGridIsUpdatedNodeByNode(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	l.up(3)
	next := func(o *Options) { o.Version = "next" }
	for _, name := range []string{"h3", "h2", "h1"} {
		l.halt(name)
		l.options(name, next)
		l.start(name)
		l.until(name+" is back", func() bool {
			v, err := l.view()
			n, _ := v.Find(name)
			return err == nil && n.Version == "next" && l.voters() == "h1 h2 h3"
		})
		if name == "h3" {
			l.until("h3 says so", func() bool { return l.said("this node is throng next, and h1, which leads, is test") })
			l.options("h4", next)
			l.start("h4", "h1")
			refused(t, l.ends("h4"), "node h4 is throng next, and this grid is test")
		}
	}
	l.start("h4", "h1")
	l.until("h4 is there", func() bool { return l.alive() == "h1 h2 h3 h4" })
}

// TestFiftyLivesOfANode starts and stops one node fifty times in one process: it stays the same grid on the same addresses.
func TestFiftyLivesOfANode(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	l := newLab(t, 1)
	var id string
	for i := range 50 {
		l.start("h1")
		l.vote(1)
		if now := l.clusterID(); i == 0 {
			id = now
		} else if now != id {
			t.Fatalf("life %d: the grid was %s and is %s", i, id, now)
		}
		if took := l.halt("h1"); took > 3*time.Second {
			t.Errorf("life %d took %v to end", i, took)
		}
	}
}

// TestALostDiskJoinsAsNew loses all that a voter had.
func TestALostDiskJoinsAsNew(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	l.up(3)
	l.halt("h3")
	if err := os.RemoveAll(filepath.Join(l.dir, "h3")); err != nil {
		t.Fatal(err)
	}
	l.start("h3", "h1") // at once: the others have not missed it yet
	l.until("h3 votes again", func() bool {
		return l.voters() == "h1 h2 h3" && l.settled() && strings.Count(l.logged(), "h3 votes") == 2
	})
}

// TestTimeToForm prints how long it takes to form grids of one, three and five voters.
func TestTimeToForm(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	for _, size := range []int{1, 3, 5} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			l := newLab(t, size)
			began := time.Now()
			l.start("h1")
			for !exists(l.dir, "h1", "join.token") {
				l.until("the token is there", func() bool { return exists(l.dir, "h1", "join.token") })
			}
			for i := 2; i <= size; i++ {
				l.start(fmt.Sprintf("h%d", i), "h1")
			}
			l.vote(size)
			t.Logf("%d voters after %v", size, time.Since(began).Round(10*time.Millisecond))
		})
	}
}

// TestANodeComesBackAtOtherAddresses moves a voter of three, and then shows that its vote counts; and it moves the only voter of a
// grid.
func TestANodeComesBackAtOtherAddresses(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	l.up(3)
	move := func(o *Options) { o.ClientURL, o.ServerURL = l.address(), l.address() }
	l.halt("h3")
	l.options("h3", move)
	l.start("h3")
	l.until("the others know where h3 is", func() bool {
		v, err := l.view()
		n, _ := v.Find("h3")
		return err == nil && n.Alive && n.ClientURL == l.nodes["h3"].o.ClientURL && l.said("h3 is reached by members at "+l.nodes["h3"].o.ServerURL)
	})
	l.halt("h2")
	l.mustOrder("size", GridCall{Size: 3}) // the vote of h3 is needed
	l.start("h2")
	l.mustOrder("size", GridCall{Size: 1})
	l.vote(1)
	if last := l.voters(); last != "" {
		l.halt(last)
		l.options(last, move)
		l.start(last)
		l.until("it leads again", func() bool { return l.voters(last) == last })
		l.mustOrder("size", GridCall{Size: 1})
	}
}
