package tally_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"throng/internal/grid/tally"
	"throng/internal/metric"
	"throng/internal/metric/metrictest"
	"throng/internal/sketch"
)

func encode(t testing.TB, s metric.Snapshot) []byte {
	b, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFoldAgainstMerge gives two tallies the same snapshots, one of them encoded, second after second, while runners come and
// find new series.
func TestFoldAgainstMerge(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 2))
		decoded, encoded := tally.New(), tally.New()
		runners := []*runner{{id: "b"}}
		for second := range 8 {
			if rng.IntN(3) == 0 {
				runners = append(runners, &runner{id: fmt.Sprint("a", len(runners))})
			}
			for _, r := range runners {
				for range rng.IntN(80) {
					r.counts = append(r.counts, float64(rng.IntN(100))/7)
					r.rates = append(r.rates, rng.IntN(3) == 0)
					r.trends = append(r.trends, rng.ExpFloat64()*100)
				}
				s := r.snap(rng)
				s.Scenarios = []metric.ScenarioCount{{Name: "x" + r.id, Begun: 3, Due: 4}, {Name: "y", Begun: 1, Due: 1, Dropped: 2}}
				s.Checks = []metric.Selector{{Metric: "checks", Tags: []metric.Tag{{Key: "check", Value: "b" + r.id}}}, {Metric: "checks"}}
				if rng.IntN(2) == 0 {
					s.Late = &metric.Lateness{Start: new(sketch.Trend), FromDue: new(sketch.Trend)}
					s.Late.Start.Add(1)
				}
				if rng.IntN(4) == 0 {
					s.Series = s.Series[1:]
				}
				now := start.Add(time.Duration(second) * time.Second)
				b := encode(t, s)
				if news := decoded.Add(r.id, s, now); !news {
					t.Fatal("no news")
				}
				for _, want := range []bool{true, false} { // the second time it is a repetition
					if news, err := encoded.AddEncoded(r.id, b, now); err != nil || news != want {
						t.Fatalf("news %v, %v", news, err)
					}
				}
			}
			a, b := decoded.Total(), encoded.Total()
			if !bytes.Equal(encode(t, a), encode(t, b)) {
				t.Fatalf("seed %d, second %d:\n%+v\n%+v", seed, second, a, b)
			}
		}
		if got := encoded.Encoded(); len(got) != len(runners) {
			t.Errorf("%d of %d are there to be passed on", len(got), len(runners))
		}
	}
}

func TestATotalIsNotChangedByTheNext(t *testing.T) {
	ta := tally.New()
	add := func(id string, seq uint64, v float64) {
		one := new(sketch.Trend)
		one.Add(v)
		s := metric.Snapshot{Seq: seq, Series: []metric.Series{{Selector: metric.Selector{Metric: "t"}, Kind: metric.Trend, Count: 1, Trend: one}}}
		if _, err := ta.AddEncoded(id, encode(t, s), start); err != nil {
			t.Fatal(err)
		}
	}
	add("a", 1, 1)
	add("b", 1, 2)
	first := ta.Total()
	before := encode(t, first)
	add("a", 2, 500)
	if second := ta.Total(); second.Series[0].Trend.Max() != 500 || !bytes.Equal(before, encode(t, first)) {
		t.Errorf("max %v; the first total changed: %v", second.Series[0].Trend.Max(), !bytes.Equal(before, encode(t, first)))
	}
}

func TestWhatIsNoSnapshotChangesNothing(t *testing.T) {
	ta := tally.New()
	b := encode(t, metric.Snapshot{Seq: 4, Groups: []string{"g"}})
	if _, err := ta.AddEncoded("a", b, start); err != nil {
		t.Fatal(err)
	}
	if _, err := ta.AddEncoded("a", b[1:], start); err == nil {
		t.Error("a torn snapshot was taken")
	}
	if got := ta.Total(); got.Seq != 4 {
		t.Errorf("total %+v", got)
	}
}

func FuzzTotal(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 3))
	for i := range 4 { // small: large seeds are slow to change
		r := &runner{id: "a", counts: []float64{1}, trends: make([]float64, 100*i)}
		s := r.snap(rng)
		s.Late, s.Scenarios = &metric.Lateness{Start: s.Series[0].Trend}, []metric.ScenarioCount{{Name: "s", Begun: 4}}
		f.Add(encode(f, s), encode(f, r.snap(rng)))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		ta, decoded := tally.New(), tally.New()
		for id, data := range map[string][]byte{"a": a, "b": b, "c": a} {
			if _, err := ta.AddEncoded(id, data, start); err != nil {
				return
			}
			var s metric.Snapshot
			if err := s.UnmarshalBinary(data); err != nil {
				t.Fatal(err)
			}
			decoded.Add(id, s, start)
		}
		if x, y := encode(t, ta.Total()), encode(t, decoded.Total()); !bytes.Equal(x, y) {
			t.Fatal("the encoded sum is another")
		}
	})
}

// typical is the snapshot of a runner some minutes into a test of a web shop: 50 series, 20 of them trends.
func typical(seed uint64) metric.Snapshot { return metrictest.New(seed).Snapshot(60 + seed) }

func BenchmarkEncodeSnapshot(b *testing.B) {
	s := typical(1)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = s.AppendBinary(buf[:0])
	}
	b.ReportMetric(float64(len(buf)), "bytes/snapshot")
}

func BenchmarkDecodeSnapshot(b *testing.B) {
	data := encode(b, typical(1))
	b.ReportAllocs()
	for b.Loop() {
		var s metric.Snapshot
		if s.UnmarshalBinary(data) != nil {
			b.Fatal("malformed")
		}
	}
}

// BenchmarkReadSnapshot is what a snapshot costs when it arrives: it is checked, and kept as it is.
func BenchmarkReadSnapshot(b *testing.B) {
	data := encode(b, typical(1))
	last, err := metric.Read(data, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if last, err = metric.Read(data, last); err != nil {
			b.Fatal(err)
		}
	}
}

const many = 1000

// BenchmarkTotal is a second of a conductor of a thousand runners: each sends a snapshot, then all are added up.
func BenchmarkTotal(b *testing.B) {
	data := make([][]byte, many)
	for id := range data {
		if data[id] = data[max(0, id-10)]; id < 10 {
			data[id] = encode(b, typical(uint64(id)))
		}
	}
	ids := make([]string, many)
	for i := range ids {
		ids[i] = fmt.Sprintf("runner-%d", i)
	}
	ta := tally.New()
	b.ReportAllocs()
	for b.Loop() {
		for i, id := range ids {
			if _, err := ta.AddEncoded(id, data[i], start); err != nil {
				b.Fatal(err)
			}
		}
		ta.Total()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/many, "ns/snapshot")
}

// BenchmarkMerge is what adding decoded snapshots up costs.
func BenchmarkMerge(b *testing.B) {
	parts := make([]metric.Snapshot, many)
	for i := range parts {
		if parts[i] = typical(uint64(i % 10)); i >= 10 {
			parts[i] = parts[i-10]
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		tally.Merge(parts)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/many, "ns/snapshot")
}
