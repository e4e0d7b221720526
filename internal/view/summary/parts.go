package summary

import (
	"maps"
	"slices"
	"strings"

	"throng/internal/metric"
)

// node is a group below a scenario.
type node struct {
	path, name string
	children   []*node
}

// parts adds what a full report has beyond the totals: the groups of the scenario "default" and of what runs outside of
// scenarios, then every other scenario with its groups.
func (p printer) parts(add func(title string, paragraphs []string)) {
	for _, n := range p.tree("") {
		add("GROUP: "+n.name, append(p.group("", n, 0), p.children("", n, 1)...))
	}
	for _, name := range p.scenarios() {
		in := func(s metric.Selector) bool { v, _ := s.Tag("scenario"); return v == name }
		paragraphs := p.checks(p.Report.checks(metric.ScenarioCheck, in), 0)
		paragraphs = append(paragraphs, p.metrics(p.partEntries(metric.ScenarioPart, in), 0)...)
		for _, n := range p.tree(name) {
			paragraphs = append(paragraphs, p.heading(n, 1))
			paragraphs = append(paragraphs, p.group(name, n, 1)...)
			paragraphs = append(paragraphs, p.children(name, n, 2)...)
		}
		add("SCENARIO: "+name, paragraphs)
	}
}

func (p printer) heading(n *node, depth int) string {
	return strings.Repeat("  ", depth) + "  ↳ " + p.paint(bold, "GROUP: "+n.name) + " "
}

func (p printer) children(scenario string, n *node, depth int) []string {
	var out []string
	for _, c := range n.children {
		out = append(out, p.heading(c, depth))
		out = append(out, p.group(scenario, c, depth)...)
		out = append(out, p.children(scenario, c, depth+1)...)
	}
	return out
}

// group is what was measured right in one group: not in those below it.
func (p printer) group(scenario string, n *node, depth int) []string {
	if n.path == "::setup" || n.path == "::teardown" {
		return nil // what setup and teardown do on their own belongs to no group
	}
	in := func(s metric.Selector) bool {
		g, _ := s.Tag("group")
		return g == n.path && p.home(s) == scenario
	}
	checks := p.Report.checks(metric.ScenarioCheck, in)
	if len(checks) == 0 && scenario == "" { // outside of scenarios there are no scenarios' checks
		checks = p.Report.checks(metric.CheckPart, func(s metric.Selector) bool {
			g, _ := s.Tag("group")
			return g == n.path && (strings.HasPrefix(g, "::setup::") || strings.HasPrefix(g, "::teardown::"))
		})
	}
	return append(p.checks(checks, depth), p.metrics(p.partEntries(metric.GroupPart, in), depth)...)
}

func (p printer) partEntries(role metric.Role, in func(metric.Selector) bool) []entry {
	var out []entry
	for _, s := range p.Snapshot.Series {
		if s.Role == role && s.Count > 0 && in(s.Selector) {
			out = append(out, entry{Series: s, name: s.Metric})
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return compareNames(a.name, b.name) })
	return out
}

// sectionScenario is the scenario whose section a part stands in: none for the scenario that a test without scenarios has.
func sectionScenario(s metric.Selector) string {
	if v, _ := s.Tag("scenario"); v != "default" {
		return v
	}
	return ""
}

// home is the scenario in whose section a group's part stands. A part that does not name its scenario belongs to the one
// that has a check in the group or below it, or to the only one there is.
func (p printer) home(part metric.Selector) string {
	group, _ := part.Tag("group")
	if _, named := part.Tag("scenario"); named || strings.HasPrefix(group, "::setup::") || strings.HasPrefix(group, "::teardown::") {
		return sectionScenario(part)
	}
	ran := map[string]bool{}
	for _, s := range p.Snapshot.Series {
		switch g, _ := s.Tag("group"); {
		case s.Role == metric.ScenarioCheck && (g == group || strings.HasPrefix(g, group+"::")):
			return sectionScenario(s.Selector)
		case s.Role == metric.ScenarioPart:
			ran[sectionScenario(s.Selector)] = true
		}
	}
	for name := range ran {
		if len(ran) == 1 {
			return name
		}
	}
	return ""
}

func (p printer) scenarios() []string {
	var out []string
	for _, s := range p.Snapshot.Series {
		if s.Role == metric.ScenarioPart {
			if name := sectionScenario(s.Selector); name != "" && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// tree holds the groups in which something of that scenario was measured, and the groups above them, in order of first
// entry.
func (p printer) tree(scenario string) []*node {
	used := map[string]bool{}
	for _, s := range p.Snapshot.Series {
		if s.Role == metric.GroupPart && p.home(s.Selector) == scenario {
			g, _ := s.Tag("group")
			used[g] = true
		}
	}
	var root node
	for _, path := range append(slices.Clone(p.Snapshot.Groups), slices.Sorted(maps.Keys(used))...) {
		if used[path] && path != "::setup" && path != "::teardown" {
			root.at(path)
		}
	}
	return root.children
}

// at finds or makes the node of that path below n, the root.
func (n *node) at(path string) *node {
	for _, name := range strings.Split(strings.TrimPrefix(path, "::"), "::") {
		i := slices.IndexFunc(n.children, func(c *node) bool { return c.name == name })
		if i < 0 {
			i = len(n.children)
			n.children = append(n.children, &node{path: n.path + "::" + name, name: name})
		}
		n = n.children[i]
	}
	return n
}
