package desk

import (
	"fmt"
	"strings"
	"testing"

	"throng/internal/grid/cluster"
)

// TestWhyNobodyTakesTheLoad names the nodes of another version, which would otherwise seem to be able to.
func TestWhyNobodyTakesTheLoad(t *testing.T) {
	v := cluster.View{}
	for _, name := range []string{"h1", "h2", "h3"} {
		v.Nodes = append(v.Nodes, cluster.NodeState{Node: cluster.Node{Name: name, Capacity: 1, Version: "2"}, Alive: true})
	}
	v.Nodes[2].Version = "1"
	if nodes, err := choose(v, "2", cluster.Asked{}, nil); err != nil || len(nodes) != 2 {
		t.Errorf("chosen: %v, %v", nodes, err)
	}
	const want = "the grid has 2 nodes that could take the load, 3 were asked for; not of throng 2: h3 (1)"
	if _, err := choose(v, "2", cluster.Asked{Nodes: 3}, nil); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	v.Nodes[0].Labels = map[string]string{"zone": "a"}
	v.Nodes[0].Drained, v.Nodes[1].Drained, v.Nodes[2].Alive = true, true, false
	for want, where := range map[string]map[string]string{
		"the one that there is is drained (--where zone=a)":        {"zone": "a"},
		"none has the labels that were asked for (--where zone=b)": {"zone": "b"},
		"of 3 nodes 1 is dead and 2 are drained":                   nil,
	} {
		_, err := choose(v, "2", cluster.Asked{Where: where}, nil)
		if err == nil || strings.ReplaceAll(err.Error(), "; not of throng 2: h3 (1)", "") != "the grid has no node that could take the load: "+want {
			t.Errorf("%v: %v", where, err)
		}
	}
}

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
