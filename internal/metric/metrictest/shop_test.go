package metrictest

import (
	"reflect"
	"testing"

	"throng/internal/metric"
)

func TestShopsAreReproducible(t *testing.T) {
	a, b := New(3), New(3)
	before := a.Snapshot(1)
	a.More(10)
	b.More(10)
	x, y := a.Snapshot(2), b.Snapshot(2)
	for _, s := range []metric.Snapshot{x, y} {
		for i := range s.Series {
			s.Series[i].LastAt = 0
		}
	}
	if !reflect.DeepEqual(x, y) {
		t.Errorf("two shops of one seed differ:\n%+v\n%+v", x, y)
	}
	if n := before.Series[0].Trend.Count(); n != 20_000 || len(before.Series) != 50 {
		t.Errorf("a snapshot that was taken has %d samples now, in %d series", n, len(before.Series))
	}
}
