package desk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
	"throng/internal/plural"
	"throng/internal/segment"
)

// NewID returns a run's id: ids of later seconds sort later.
func NewID(now time.Time) string {
	return now.UTC().Format("20060102-150405") + "-" + strings.ToLower(rand.Text()[:5])
}

var idForm = regexp.MustCompile(`^[0-9]{8}-[0-9]{6}-[a-z2-7]{5}$`)

// choose returns the nodes that may take a run's load: alive, not drained, of the version that the run is of, with the labels asked for,
// without those left out; the strongest first when fewer are asked for than there are.
func choose(v cluster.View, version string, asked cluster.Asked, without []string) ([]cluster.NodeState, error) {
	var out []cluster.NodeState
	for _, n := range v.Nodes {
		if n.Version == version && n.Alive && !n.Drained && n.Capacity > 0 && has(n.Labels, asked.Where) && !slices.Contains(without, n.Name) {
			out = append(out, n)
		}
	}
	if len(out) == 0 || len(out) < asked.Nodes {
		text := "the grid has no node that could take the load: " + census(v, asked.Where)
		if len(out) > 0 {
			text = fmt.Sprintf("the grid has %s that could take the load, %s asked for", plural.Of(len(out), "node", "nodes"), plural.Of(asked.Nodes, "was", "were"))
		}
		if others := strange(v, version); len(others) > 0 {
			text += fmt.Sprintf("; not of throng %s: %s", version, strings.Join(others, ", "))
		}
		if len(asked.Where) > 0 {
			text += fmt.Sprintf(" (--where %s)", labels(asked.Where))
		}
		return nil, fault.WithHint(fault.InvalidConfig, errors.New(text), "throng grid status shows which nodes are alive, drained and how they are labelled")
	}
	if asked.Nodes > 0 {
		slices.SortStableFunc(out, func(a, b cluster.NodeState) int {
			return int(math.Copysign(1, b.Capacity-a.Capacity)) * bit(a.Capacity != b.Capacity)
		})
		out = out[:asked.Nodes]
		slices.SortFunc(out, func(a, b cluster.NodeState) int { return strings.Compare(a.Name, b.Name) })
	}
	return out, nil
}

// census says how the nodes are that have the labels asked for.
func census(v cluster.View, where map[string]string) string {
	all, dead, drained := 0, 0, 0
	for _, n := range v.Nodes {
		if !has(n.Labels, where) {
			continue
		}
		all++
		dead += bit(!n.Alive)
		drained += bit(n.Alive && n.Drained)
	}
	switch {
	case all == 0:
		return "none has the labels that were asked for"
	case all == 1 && drained == 1:
		return "the one that there is is drained"
	}
	return fmt.Sprintf("of %s %s dead and %s drained", plural.Of(all, "node", "nodes"), plural.Of(dead, "is", "are"), plural.Of(drained, "is", "are"))
}

// strange are the nodes that live and are of another version, each with its own. They are being updated, one after the other, and what a
// test does may not be the same on both sides of that.
func strange(v cluster.View, version string) (out []string) {
	for _, n := range v.Nodes {
		if n.Alive && n.Version != version {
			out = append(out, n.Name+" ("+n.Version+")")
		}
	}
	return out
}

func bit(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func has(labels, want map[string]string) bool {
	for k, v := range want {
		if labels[k] != v {
			return false
		}
	}
	return true
}

func labels(m map[string]string) string {
	var out []string
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

// divide cuts a share among nodes by their capacities.
func divide(share string, nodes []cluster.NodeState) ([]string, error) {
	if len(nodes) == 1 {
		return []string{share}, nil
	}
	weights := make([]int64, len(nodes))
	for i, n := range nodes {
		weights[i] = max(1, int64(math.Round(n.Capacity*100)))
	}
	return segment.Divide(share, weights)
}
