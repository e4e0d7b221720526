package tally_test

import (
	"testing"

	"throng/internal/grid/tally"
	"throng/internal/metric"
)

func TestAShareHasItsVirtualUsersOnce(t *testing.T) {
	gauge := func(name string, last, low, high float64) metric.Series {
		return metric.Series{Selector: metric.Selector{Metric: name}, Kind: metric.Gauge, Last: last, Min: low, Max: high, Count: 3}
	}
	of := func(vus int64, most float64) metric.Snapshot {
		return metric.Snapshot{Seq: 1, Load: metric.Load{VUs: vus, VUsMax: int64(most), Iterations: 10}, Series: []metric.Series{gauge("vus_max", most, most, most), gauge("vus", float64(vus), 1, most)}}
	}
	three := map[string]metric.Snapshot{"0": of(5, 5), "1": of(4, 5), "2": of(3, 5)}
	with := func(more map[string]metric.Snapshot) map[string]metric.Snapshot {
		out := map[string]metric.Snapshot{}
		for _, m := range []map[string]metric.Snapshot{three, more} {
			for id, s := range m {
				out[id] = s
			}
		}
		return out
	}
	for _, tt := range []struct {
		name           string
		parts          map[string]metric.Snapshot
		lives          map[string]tally.Life
		last, low, top float64 // of vus_max
		vus            int64
	}{
		{"nobody is lost", three, map[string]tally.Life{"0": {}, "1": {}}, 15, 15, 15, 12},
		{"one is lost", three, map[string]tally.Life{"2": {Lost: true}}, 10, 10, 15, 9},
		{"it is taken over", with(map[string]metric.Snapshot{"3": of(1, 3), "4": of(2, 2)}),
			map[string]tally.Life{"2": {Lost: true}, "3": {Of: "2"}, "4": {Of: "2"}}, 15, 10, 15, 12},
		{"it has left in good order", with(map[string]metric.Snapshot{"3": of(1, 3), "4": of(2, 2)}),
			map[string]tally.Life{"2": {Lost: true, Exact: true}, "3": {Of: "2"}, "4": {Of: "2"}}, 15, 15, 15, 12},
		{"so has a taker", with(map[string]metric.Snapshot{"3": of(2, 5), "4": of(1, 5)}),
			map[string]tally.Life{"2": {Lost: true, Exact: true}, "3": {Of: "2", Lost: true, Exact: true}, "4": {Of: "3"}}, 15, 15, 15, 10},
		{"who is lost had told nothing", map[string]metric.Snapshot{"0": of(5, 5), "1": of(5, 5), "3": of(5, 5)},
			map[string]tally.Life{"2": {Lost: true}, "3": {Of: "2"}}, 15, 10, 15, 15},
	} {
		for _, encoded := range []bool{false, true} {
			ta := tally.New()
			iterations := int64(0)
			for id, s := range tt.parts {
				iterations += s.Load.Iterations
				if !encoded {
					ta.Add(id, s, start)
					continue
				}
				b, err := s.MarshalBinary()
				if err == nil {
					_, err = ta.AddEncoded(id, b, start)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			ta.Know(tt.lives)
			total := ta.Total()
			most := find(total, "vus_max")
			if most.Last != tt.last || most.Min != tt.low || most.Max != tt.top {
				t.Errorf("%s: vus_max is %v, from %v to %v; want %v, from %v to %v", tt.name, most.Last, most.Min, most.Max, tt.last, tt.low, tt.top)
			}
			if total.Load.VUs != tt.vus || total.Load.VUsMax != int64(tt.last) || total.Load.Iterations != iterations {
				t.Errorf("%s: the load is %+v", tt.name, total.Load)
			}
			if len(tt.lives) > 0 && three["2"].Series[0].Last != 5 {
				t.Errorf("%s: the snapshots were changed", tt.name)
			}
		}
	}
}
