package summary_test

import (
	"strings"
	"testing"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/metric"
	"throng/internal/view/summary"
)

func TestWhatIsMissingAtTheSameTimeAddsUp(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	lost := func(what string, from, until, share float64) cluster.Disturbance {
		d := cluster.Disturbance{What: what, Share: share, At: began.Add(time.Duration(from * float64(time.Second)))}
		if until > 0 {
			d.Until = began.Add(time.Duration(until * float64(time.Second)))
		}
		return d
	}
	part := func(id, of string, d cluster.Disturbance) cluster.Disturbance {
		d.Part, d.Of = id, of
		return d
	}
	for _, tt := range []struct {
		name string
		all  []cluster.Disturbance
		want []string // the lines between title and end, without indent
	}{
		{"one alone", []cluster.Disturbance{lost("a", 4.4, 8.7, 0.25)}, []string{
			"4.4s after the start: a", "from 4.4s to 8.7s the load was 75.0% of what was asked"}},
		{"one whose share nobody took over", []cluster.Disturbance{lost("a", 4.4, 0, 0.25)}, []string{
			"4.4s after the start: a", "from 4.4s on the load was 75.0% of what was asked"}},
		{"two at once", []cluster.Disturbance{lost("a", 4.38, 8.7, 0.2), lost("b", 4.42, 8.7, 0.2)}, []string{
			"4.4s after the start: a", "4.4s after the start: b", "from 4.4s to 8.7s the load was 60.0% of what was asked"}},
		{"one before the other has ended", []cluster.Disturbance{lost("a", 2, 6, 0.2), lost("b", 4, 8, 0.3)}, []string{
			"2s after the start: a", "4s after the start: b", "from 2s to 4s the load was 80.0% of what was asked",
			"from 4s to 6s the load was 50.0% of what was asked", "from 6s to 8s the load was 70.0% of what was asked"}},
		{"one after the other", []cluster.Disturbance{lost("a", 2, 4, 0.2), lost("b", 4, 8, 0.2)}, []string{
			"2s after the start: a", "from 2s to 4s the load was 80.0% of what was asked",
			"4s after the start: b", "from 4s to 8s the load was 80.0% of what was asked"}},
		{"one for good, and another for a while", []cluster.Disturbance{lost("a", 2, 0, 0.25), lost("b", 4, 8, 0.25)}, []string{
			"2s after the start: a", "4s after the start: b", "from 2s to 4s the load was 75.0% of what was asked",
			"from 4s to 8s the load was 50.0% of what was asked", "from 8s on the load was 75.0% of what was asked"}},
		{"all", []cluster.Disturbance{lost("a", 2, 0, 1/3.), lost("b", 2, 0, 1/3.), lost("c", 2, 0, 1/3.)}, []string{
			"2s after the start: a", "2s after the start: b", "2s after the start: c", "from 2s on the load was 0.0% of what was asked"}},
		{"who takes over is lost before it has begun", []cluster.Disturbance{part("0", "", lost("a", 4, 6, 0.2)), part("5", "0", lost("b", 4.5, 7, 0.05))}, []string{
			"4s after the start: a", "from 4s to 6s the load was 80.0% of what was asked",
			"4.5s after the start: b", "from 6s to 7s the load was 95.0% of what was asked"}},
		{"who takes over is lost before it has begun, and another one", []cluster.Disturbance{
			part("0", "", lost("a", 4, 6, 0.2)), part("5", "0", lost("b", 4.5, 7, 0.05)), lost("c", 5, 6, 0.2)}, []string{
			"4s after the start: a", "4.5s after the start: b", "5s after the start: c", "from 4s to 5s the load was 80.0% of what was asked",
			"from 5s to 6s the load was 60.0% of what was asked", "from 6s to 7s the load was 95.0% of what was asked"}},
		{"who takes over is lost later", []cluster.Disturbance{part("0", "", lost("a", 2, 3, 0.2)), part("5", "0", lost("b", 4, 7, 0.05))}, []string{
			"2s after the start: a", "from 2s to 3s the load was 80.0% of what was asked",
			"4s after the start: b", "from 4s to 7s the load was 95.0% of what was asked"}},
		{"what touched no load", []cluster.Disturbance{lost("a", 2, 0, 0)}, []string{"2s after the start: a"}},
	} {
		var got []string
		for line := range strings.Lines(summary.Disturbances(began, metric.Snapshot{}, nil, tt.all, false)) {
			if line = strings.TrimSpace(line); line != "" {
				got = append(got, line)
			}
		}
		if want := append([]string{"█ DISTURBANCES"}, tt.want...); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
