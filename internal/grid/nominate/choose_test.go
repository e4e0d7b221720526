package nominate

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite testdata")

// TestPlays runs testdata/*.txt: lines of commands, "----", and what happened. The leader is marked *, the dead †; a member in
// parentheses is no node's.
func TestPlays(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("it went otherwise:\n%s", got)
			}
		})
	}
}

func play(t *testing.T, text string) string {
	var s *sim
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		commands, _, scene := strings.Cut(block, "\n----")
		out.WriteString(commands + "\n")
		if scene {
			var said strings.Builder
			for line := range strings.SplitSeq(commands, "\n") {
				if line != "" && line[0] != '#' {
					s = perform(t, s, strings.Fields(line), &said)
				}
			}
			out.WriteString("----\n" + said.String())
			if len(s.said) > 0 {
				t.Errorf("%s:\n%s", commands, strings.Join(s.said, "\n"))
			}
		}
		out.WriteString("\n")
	}
	return strings.TrimSpace(out.String()) + "\n"
}

func perform(t *testing.T, s *sim, f []string, out *strings.Builder) *sim {
	switch f[0] {
	case "grid":
		ideal, err := strconv.Atoi(f[1])
		if err != nil {
			t.Fatal(err)
		}
		return newSim(ideal, f[2:]...)
	case "ideal":
		s.ideal, _ = strconv.Atoi(f[1])
	case "join":
		s.join(f[1])
	case "no-server", "drain":
		s.nodes[f[1]].can = false
	case "undrain":
		s.nodes[f[1]].can = true
	case "die":
		s.nodes[f[1]].dead = s.now
	case "revive":
		s.nodes[f[1]].dead = time.Time{}
		s.settle(f[1])
	case "forget":
		delete(s.nodes, f[1])
	case "wipe": // the disk is lost, and the node begins anew
		for i := range s.members {
			s.members[i].lost = s.members[i].lost || s.members[i].Node == f[1]
		}
		s.nodes[f[1]].dead = time.Time{}
	case "stall":
		s.nodes[f[1]].stalls = true
	case "wait":
		s.run(f[1], out)
	default:
		t.Fatalf("no command %q", f[0])
	}
	return s
}

// settle makes a node's member connect anew.
func (s *sim) settle(name string) {
	for i := range s.members {
		if m := &s.members[i]; m.Node == name && !m.starts.IsZero() {
			m.starts = s.now.Add(500 * time.Millisecond)
		}
	}
}

// run lets time pass and tells of every change.
func (s *sim) run(d string, out *strings.Builder) {
	length, err := time.ParseDuration(d)
	if err != nil {
		panic(err)
	}
	began := s.now
	var last Change
	for s.now.Sub(began) < length {
		c, done := s.step()
		last = c
		if done {
			fmt.Fprintf(out, "%5.1fs  %-7s %-3s (%s)\n", s.now.Sub(began).Seconds(), c.Kind, c.Node, c.Why)
		}
	}
	fmt.Fprintf(out, "voters %s", s.names(false))
	if l := s.names(true); l != "" {
		fmt.Fprintf(out, ", learners %s", l)
	}
	fmt.Fprintf(out, ": %s\n", last.Why)
}

// TestChooseNeverBreaksTheMajority lets anything happen to grids of up to seven nodes, never to more voters at once than a grid
// must bear, and holds Choose to its promises; once all is well again, the voters are as many as are wanted.
func TestChooseNeverBreaksTheMajority(t *testing.T) {
	t.Parallel()
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		s := newSim(1+r.IntN(5), "h1", "h2", "h3", "h4", "h5", "h6", "h7")
		var story []string
		for range 30 {
			story = append(story, s.disturb(r))
			for range r.IntN(40) {
				if c, done := s.step(); done {
					story = append(story, fmt.Sprintf("  %s %s %s: voters %s, learners %s", c.Kind, c.Node, c.Why, s.names(false), s.names(true)))
				}
			}
		}
		for name, n := range s.nodes {
			if !n.dead.IsZero() {
				n.dead = time.Time{}
				s.settle(name)
			}
			n.can, n.stalls = true, false
		}
		for range 600 {
			if c, done := s.step(); done {
				story = append(story, fmt.Sprintf("  at last %s %s: voters %s, learners %s", c.Kind, c.Node, s.names(false), s.names(true)))
			}
		}
		want := min(s.ideal, len(s.nodes))
		if want%2 == 0 {
			want--
		}
		all, up, _ := s.voters()
		if len(s.said) > 0 || all != want || up != want || s.names(true) != "" {
			t.Fatalf("seed %d: %d of %d voters up, %d wanted, learners %q; %s\n%s", seed, up, all, want, s.names(true), strings.Join(s.said, "; "), strings.Join(story, "\n"))
		}
	}
}

// disturb does one thing to a grid that it must bear: no voter dies unless a majority stays up without it.
func (s *sim) disturb(r *rand.Rand) string {
	var names []string
	for name := range s.nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	n := s.nodes[names[r.IntN(len(names))]]
	all, up, _ := s.voters()
	votes := slices.ContainsFunc(s.members, func(m simMember) bool { return m.Node == n.name && !m.Learner && s.up(m) })
	bearable := !votes || up-1 >= majority(all)
	switch r.IntN(7) {
	case 0:
		if n.dead.IsZero() && bearable {
			n.dead = s.now
			return "die " + n.name
		}
	case 1, 2:
		if !n.dead.IsZero() {
			n.dead = time.Time{}
			s.settle(n.name)
			return "revive " + n.name
		}
	case 3:
		n.can = !n.can
		return fmt.Sprintf("%s can vote: %v", n.name, n.can)
	case 4:
		s.ideal = 1 + r.IntN(6)
		return fmt.Sprintf("ideal %d", s.ideal)
	case 5:
		n.stalls = !n.stalls
		return fmt.Sprintf("%s stalls: %v", n.name, n.stalls)
	case 6:
		if bearable {
			for i := range s.members {
				s.members[i].lost = s.members[i].lost || s.members[i].Node == n.name
			}
			return "wipe " + n.name
		}
	}
	return "nothing"
}
