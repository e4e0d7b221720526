package desk

import (
	"fmt"
	"testing"

	"throng/internal/grid/cluster"
)

func TestALostShareIsCutAmongAFew(t *testing.T) {
	var nodes []cluster.NodeState
	parts := map[string]int{}
	for i := range 30 {
		n := cluster.NodeState{Node: cluster.Node{Name: fmt.Sprintf("n%02d", i), Capacity: 1}}
		parts[n.Name] = 1
		nodes = append(nodes, n)
	}
	nodes[7].Capacity = 4
	for _, n := range few(nodes[:3], parts) {
		parts[n.Name]++
	}
	if parts["n00"] != 2 || parts["n02"] != 2 {
		t.Errorf("where there are few, not all took over: %v", parts)
	}
	for range 100 { // one loss after the other
		some := few(nodes, parts)
		if len(some) != maxTakers {
			t.Fatalf("%d take over", len(some))
		}
		for _, n := range some {
			parts[n.Name]++
		}
	}
	// 100 * 8 parts more, on 29 nodes of capacity 1 and one of capacity 4.
	for _, n := range nodes {
		if got := float64(parts[n.Name]) / n.Capacity; got < 24 || got > 27 {
			t.Errorf("%s with capacity %v has %d parts", n.Name, n.Capacity, parts[n.Name])
		}
	}
}
