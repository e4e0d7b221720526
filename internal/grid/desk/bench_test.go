//go:build unix

package desk

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/memstore"
	"throng/internal/grid/courier"
	"throng/internal/grid/order"
	"throng/internal/grid/tally"
	"throng/internal/metric"
	"throng/internal/metric/metrictest"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/threshold"
)

// BenchmarkLeader is a second of a leader's life without its network: every worker's beat is read and taken in, the parts are looked
// after as often as watch does, and what was measured is added up, judged and told. It counts CPU time, not the clock's: 0.1 cores
// is a tenth of a second a second.
func BenchmarkLeader(b *testing.B) {
	for _, workers := range []int{100, 1000} {
		b.Run(fmt.Sprint(workers), func(b *testing.B) {
			l := newLeader(b, workers)
			l.second(b) // layouts are made once
			l.cpu = 0
			for b.Loop() {
				l.second(b)
			}
			b.ReportMetric(l.cpu.Seconds()/float64(b.N), "cores")
			b.ReportMetric(float64(l.bytes)/float64(l.beats), "B/beat")
		})
	}
}

func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// leader is a chair whose parts are only heard of.
type leader struct {
	c     *chair
	tally *tally.Tally
	rules threshold.Set
	shops []*metrictest.Shop
	nodes []cluster.NodeState
	seq   uint64
	cpu   time.Duration
	bytes int
	beats int
}

func newLeader(tb testing.TB, workers int) *leader {
	l := &leader{tally: tally.New()}
	for i := range 8 {
		l.shops = append(l.shops, metrictest.New(uint64(i)))
	}
	voters := []string{"v1", "v2", "v3"}
	for _, v := range voters {
		l.nodes = append(l.nodes, cluster.NodeState{Node: cluster.Node{Name: v}, Role: cluster.Voter, Alive: true})
	}
	names := slices.Clone(voters)
	rec := &cluster.Run{ID: "20260101-000000-bench", State: cluster.Running}
	for i := range workers {
		name := fmt.Sprintf("worker%04d", i)
		names = append(names, name)
		l.nodes = append(l.nodes, cluster.NodeState{Node: cluster.Node{Name: name, ClientURL: "https://" + name + ":2379", Capacity: 1}, Role: cluster.Client, Alive: true})
		rec.Parts = append(rec.Parts, cluster.Part{ID: fmt.Sprint(i), Node: name, Life: "life", Share: fmt.Sprintf("%d@1x%d", i, workers), Given: time.Now().UTC()})
	}
	var d *Desk
	receiver := beat.NewReceiver(beat.ReceiverConfig{
		Self: "v1", Grid: func() (string, uint64, []string) { return "v1", 1, voters }, Caller: func(*http.Request) string { return "" },
		Lines: func(node, run, part string, lines []beat.Line, left int64) bool {
			return d.Lines(node, run, part, lines, left)
		},
	})
	d = New(Config{
		Self: "v1", Store: memstore.New().Link(), Receiver: receiver, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Client: &courier.Client{},
		View:    func() cluster.View { return cluster.View{Self: "v1", Nodes: slices.Clone(l.nodes)} },
		Census:  func() ([]string, []string) { return voters, names },
		Address: func(node string) string { return "http://" + node },
	})
	l.c = &chair{Desk: d, reign: context.Background(), id: rec.ID, rec: rec, feed: d.open(rec.ID), remotes: map[string]*order.Remote{}}
	l.c.parts()
	opts, _, err := plan.ParseJSON([]byte(`{"thresholds":{"http_req_duration":["p(95)<100000","avg<100000"],"checks":["rate>0.1"]}}`), "script")
	if err != nil {
		tb.Fatal(err)
	}
	if l.rules, err = threshold.ParseSet(opts.Thresholds); err == nil {
		l.rules, err = l.rules.Resolve(func(name string) *metric.Metric {
			return &metric.Metric{Name: name, Kind: map[string]metric.Kind{"http_req_duration": metric.Trend, "checks": metric.Rate}[name]}
		})
	}
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// beat is what a worker sends, encoded.
func (l *leader) beat(tb testing.TB, i int, snapshot []byte) []byte {
	p := l.c.rec.Parts[i]
	b := beat.Beat{Node: p.Node, Life: p.Life, Seq: l.seq, Sent: time.Now(), Reports: []beat.Report{{
		Run: l.c.id, Part: p.ID, Phase: beat.Running, Elapsed: time.Minute, Seq: l.seq, Snapshot: snapshot, Reserved: map[string]int64{metrictest.Scenario: 30_000},
		Progress: []run.Progress{{
			Scenario: metrictest.Scenario, Executor: "ramping-vus", State: "running", Done: 0.1, Started: true,
			Right: []run.Column{{Layout: "%w/%d VUs", Numbers: []float64{50, 50}}, {Layout: "0m10s/1h0m0s"}},
		}},
	}}}
	data, err := b.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// second is one second; making the workers' beats does not count.
func (l *leader) second(b *testing.B) {
	b.StopTimer()
	l.seq++
	var snapshots [][]byte
	for _, s := range l.shops {
		data, err := s.Snapshot(l.seq).MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		snapshots = append(snapshots, data)
	}
	beats := make([][]byte, len(l.c.rec.Parts))
	for i := range beats {
		beats[i] = l.beat(b, i, snapshots[i%len(snapshots)])
		l.bytes, l.beats = l.bytes+len(beats[i]), l.beats+1
	}
	b.StartTimer()
	before := cpu(b)
	defer func() { l.cpu += cpu(b) - before }()
	for i, data := range beats {
		in, err := beat.Decode(data)
		if err != nil {
			b.Fatal(err)
		}
		l.c.cfg.Receiver.Hear(in, time.Now())
		if i%(len(beats)/20) == 0 { // as often as watch looks
			heard := l.c.cfg.Receiver.Parts(l.c.id)
			l.c.lost(heard)
			l.c.whole(b.Context(), heard)
		}
	}
	for id, snap := range l.c.snapshots() {
		if _, err := l.tally.AddEncoded(id, snap, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	total := l.tally.Total()
	if v := l.rules.Judge(total, time.Minute, false); len(v.Crossed()) > 0 {
		b.Fatal("a threshold was crossed")
	}
	l.c.tick(time.Minute, total)
}

// BenchmarkTakeOver is what a leader does for each node that it loses of a thousand, up to the write: when many are lost at once, the last
// of them waits for all.
func BenchmarkTakeOver(b *testing.B) {
	l := newLeader(b, 1000)
	l.second(b)
	i := 0
	for b.Loop() {
		rec := *l.c.record()
		rec.Parts = slices.Clone(rec.Parts)
		rec.Asked.NodeLoss, rec.Version = cluster.Reassign, l.c.cfg.Version
		p := &rec.Parts[i%1000]
		i++
		p.Lost = time.Now()
		if _, err := l.c.takeOver(&rec, *p, false); err != nil || len(rec.Parts) != 1000+maxTakers {
			b.Fatalf("%d parts, %v", len(rec.Parts), err)
		}
		if _, err := rec.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}
