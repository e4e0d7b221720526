package run

import (
	"fmt"

	"throng/internal/plan"
	"throng/internal/segment"
)

// Inherited returns what falls to a part of a share of the iteration numbers that were used of the share: what Begin.Used says to
// the runner that takes the part over. scenarios and parent are the former runner's Ready.Scenarios and Ready.Segment, and c is the
// cut that leads from its share to the part. Arrivals and iterations that have an end go by VUs, others by the cut alone.
func Inherited(scenarios []plan.Scenario, parent *segment.Tuple, c segment.Cut, used map[string]int64) (map[string]int64, error) {
	out := make(map[string]int64, len(used))
	for i := range scenarios {
		s := &scenarios[i]
		n, ok := used[s.Name]
		if !ok {
			continue
		}
		var by int64
		switch s.Executor {
		case plan.SharedIterations, plan.PerVUIterations:
			by = parent.Scale(s.VUs)
		case plan.ConstantArrivalRate, plan.RampingArrivalRate:
			by = parent.Scale(s.MaxVUs)
		}
		part, err := c.Scale(n, by)
		if err != nil {
			return nil, fmt.Errorf("share the used iterations of scenario %s: %w", s.Name, err)
		}
		out[s.Name] = part
	}
	return out, nil
}
