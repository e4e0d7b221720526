package run

import (
	"testing"
)

func TestAColumnIsItsLayoutWithItsNumbers(t *testing.T) {
	for _, tt := range []struct {
		c    Column
		want string
	}{
		{Text("1.8s/3s"), "1.8s/3s"},
		{Text("100%"), "100%"},
		{Column{"%d VUs", []float64{3}}, "3 VUs"},
		{Column{"%w/%w VUs", []float64{5, 10, 250}}, "005/010 VUs"},
		{Column{"%w/%d shared iters", []float64{3, 20, 20}}, "03/20 shared iters"},
		{Column{"%r iters/s", []float64{0.5}}, "0.50 iters/s"},
		{Column{"%d of %d", []float64{1}}, "1 of %d"},
	} {
		if got := tt.c.String(); got != tt.want {
			t.Errorf("%+v reads %q, want %q", tt.c, got, tt.want)
		}
	}
}

func TestProgressOfSeveralRunnersAddsUp(t *testing.T) {
	a := []Progress{
		{Scenario: "b", Done: 1, Started: true, Ended: true, State: "✓", Right: []Column{{"%w/%w VUs", []float64{1, 3, 3}}, Text("2s")}},
		{Scenario: "a", Done: 0.5, Started: true},
	}
	b := []Progress{{Scenario: "b", Done: 0.5, Started: true, State: " ", Right: []Column{{"%w/%w VUs", []float64{9, 9, 9}}, Text("1s/2s")}}}
	before := a[0].Right[0].String()
	got := MergeProgress(a, b, nil)
	if len(got) != 2 || got[0].Scenario != "a" || got[1].Done != 0.75 || got[1].Ended || got[1].State != " " {
		t.Errorf("merged: %+v", got)
	}
	if s := got[1].Right[0].String() + ", " + got[1].Right[1].String(); s != "10/12 VUs, 2s" {
		t.Errorf("columns: %s", s)
	}
	if a[0].Right[0].String() != before {
		t.Error("what was merged has changed")
	}
	three := MergeProgress([]Progress{{Done: 0.3}}, []Progress{{Done: 0.6}}, []Progress{{Done: 0.9}})
	if d := three[0].Done; d < 0.599 || d > 0.601 {
		t.Errorf("on average %v", d)
	}
}
