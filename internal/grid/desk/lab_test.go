package desk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"throng/internal/grid/beat"
	"throng/internal/grid/client"
	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/memstore"
	"throng/internal/grid/conductor"
	"throng/internal/grid/courier"
	"throng/internal/grid/desk"
	"throng/internal/grid/fence"
	"throng/internal/grid/order"
	"throng/internal/grid/worker"
	"throng/internal/metric"
)

// lab is a grid of hosts in one bubble: a network that can be cut, a store, and real desks, workers, senders and receivers. Its
// runners only count: what each did, and when, is the witness's to tell.
type lab struct {
	t     *testing.T
	store *memstore.Store
	test  scene

	mu     sync.Mutex
	hosts  map[string]*host
	leader cluster.Leader
	fence  int64
	done   map[int64]int // iterations by number: how often each was done
	when   []time.Time
	who    map[string]int
	calls  []string // setup and teardown, by host
	begun  time.Time

	following sync.WaitGroup
}

// scene is the one scenario that is played: so many iterations a second for so long.
type scene struct {
	rate   float64
	length time.Duration
	// loops: by VUs that iterate, with numbers as they come, instead of by a rate that is asked for. total is how many
	// iterations there are then; 0: no end.
	loops bool
	total int64
	setup func(host string) // called in setup
	fails string            // the host on which the script fails
}

type host struct {
	l     *lab
	name  string
	voter bool
	link  *memstore.Link
	life  int
	dead  bool
	cut   bool
	// slow: it does not answer who asks what it has heard.
	slow   bool
	labels map[string]string
	drain  bool
	disk   string
	// version is its throng's.
	version string

	receiver *beat.Receiver
	sender   *beat.Sender
	worker   *worker.Worker
	desk     *desk.Desk
	mux      http.Handler
	stop     context.CancelCauseFunc
	depose   context.CancelCauseFunc
	wg       *sync.WaitGroup
	runners  map[*counter]bool
}

func newLab(t *testing.T, test scene, voters int, names ...string) *lab {
	l := &lab{t: t, store: memstore.New(), test: test, hosts: map[string]*host{}, done: map[int64]int{}, who: map[string]int{}}
	for i, name := range names {
		l.hosts[name] = &host{l: l, name: name, voter: i < voters}
	}
	for _, name := range names {
		l.start(name)
	}
	l.elect(names[0])
	time.Sleep(2 * time.Second) // everybody has been heard
	return l
}

// close ends all hosts, so that the bubble can end.
func (l *lab) close() {
	for name := range l.hosts {
		l.kill(name)
	}
}

func (l *lab) start(name string) {
	h := l.hosts[name]
	l.mu.Lock()
	h.dead, h.life, h.runners = false, h.life+1, map[*counter]bool{}
	h.wg = &sync.WaitGroup{}
	h.link = l.store.Link()
	l.mu.Unlock()
	ctx, stop := context.WithCancelCause(context.Background())
	h.stop = stop
	client := &courier.Client{HTTP: &http.Client{Transport: &wire{h}}}
	if h.disk == "" {
		h.disk = l.t.TempDir()
	}
	depot, err := courier.NewDepot(h.disk)
	if err != nil {
		l.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(l.t.Output(), nil)).With("host", name)
	}
	h.receiver = beat.NewReceiver(beat.ReceiverConfig{
		Self: name, Caller: func(*http.Request) string { return "" },
		Lines: func(node, run, part string, lines []beat.Line, left int64) bool {
			return h.desk.Lines(node, run, part, lines, left)
		},
		Over: func(run string) bool { return h.desk.Over(run) },
		Grid: func() (string, uint64, []string) {
			v := l.view(name)
			var voters []string
			for _, n := range v.Voters() {
				voters = append(voters, n.Name)
			}
			return v.Leader.Name, v.Leader.Term, voters
		},
	})
	h.worker = worker.New(worker.Config{
		Life: fmt.Sprint(h.life), Depot: depot, Client: client, Start: h.runner,
		Until: func() time.Time { return h.sender.Until() }, Renewed: func() <-chan struct{} { return h.sender.Renewed() },
		Offset: func(leader string) (time.Duration, time.Duration, bool) { return h.sender.Offset(leader) }, Nudge: func() { h.sender.Nudge() },
	})
	h.sender = beat.NewSender(beat.SenderConfig{
		Self: name, Life: fmt.Sprint(h.life), Client: client, Reports: h.worker.Reports, Heard: h.worker.Heard, Read: h.worker.Read, Over: h.worker.Over,
		Local: h.receiver,
		Voters: func() ([]beat.Voter, string) {
			v := l.view(name)
			var out []beat.Voter
			for _, n := range v.Voters() {
				out = append(out, beat.Voter{Name: n.Name, URL: n.ClientURL})
			}
			return out, v.Leader.Name
		},
		Silences: func() map[string]time.Duration {
			l.mu.Lock()
			votes := h.voter
			l.mu.Unlock()
			if !votes {
				return nil
			}
			return h.receiver.Silent(l.names(), fence.Silence)
		},
	})
	h.desk = desk.New(desk.Config{
		Self: name, Version: h.version, Store: h.link, View: func() cluster.View { return l.view(name) }, Census: func() (voters, nodes []string) { return l.census(name) }, Address: func(node string) string { return "http://" + node }, Depot: depot, Client: client, Receiver: h.receiver, Log: log,
		SummaryData: func(conductor.Outcome, json.RawMessage) ([]byte, error) { return []byte("{}"), nil },
	})
	mux := http.NewServeMux()
	mux.Handle(beat.Path, h.receiver)
	mux.Handle(beat.HeardPath, h.receiver.HeardHandler())
	mux.Handle(order.Path, h.worker)
	mux.Handle(courier.BlobPath, depot)
	mux.Handle(courier.FetchPath, courier.FetchHandler(client, depot, func(node string) string { return "http://" + node }))
	runs := h.desk.Handler(func(*http.Request) string { return "tester" })
	mux.Handle(desk.RunsPath, runs)
	mux.Handle(desk.RunsPath+"/", runs)
	l.mu.Lock()
	h.mux = mux
	l.mu.Unlock()
	h.wg.Go(func() { _ = h.sender.Run(ctx) })
	h.wg.Go(func() { _ = h.worker.Run(ctx) })
}

func decode(b []byte) (metric.Snapshot, error) {
	var s metric.Snapshot
	err := s.UnmarshalBinary(b)
	return s, err
}

func (l *lab) names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.hosts))
}

// view is what a host knows of the grid; a host that is cut off, or dead, knows what it knew: here, all but who lives.
func (l *lab) view(self string) cluster.View {
	names := l.names()
	silences := map[string]time.Duration{}
	if r := l.hosts[self].receiver; r != nil {
		silences = r.Silent(names, fence.Silence)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v := cluster.View{Self: self, Leader: l.leader, Fence: l.fence}
	for _, n := range names {
		h := l.hosts[n]
		role := cluster.Client
		if h.voter {
			role = cluster.Voter
		}
		v.Nodes = append(v.Nodes, cluster.NodeState{
			Node: cluster.Node{Name: n, ClientURL: "http://" + n, Capacity: 1, Labels: h.labels, Drained: h.drain, Version: h.version}, Role: role,
			Alive: silences[n] == 0,
		})
	}
	return v
}

func (l *lab) census(self string) (voters, nodes []string) {
	for _, n := range l.view(self).Nodes {
		nodes = append(nodes, n.Name)
		if n.Role == cluster.Voter {
			voters = append(voters, n.Name)
		}
	}
	return voters, nodes
}

// vote gives a host a seat, or takes it.
func (l *lab) vote(name string, yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts[name].voter = yes
}

// elect makes a host the leader, in the next term.
func (l *lab) elect(name string) {
	l.mu.Lock()
	old := l.hosts[l.leader.Name]
	term := l.leader.Term + 1
	l.mu.Unlock()
	if old != nil && old.depose != nil {
		old.depose(cluster.ErrDeposed)
	}
	lead := cluster.Leader{Name: name, Term: term}
	b, err := json.Marshal(lead)
	if err != nil {
		l.t.Fatal(err)
	}
	revision, err := l.store.Commit(context.Background(), cluster.Txn{Put: map[string][]byte{cluster.LeaderKey: b}})
	if err != nil {
		l.t.Fatal(err)
	}
	l.mu.Lock()
	l.leader, l.fence = lead, revision
	h := l.hosts[name]
	l.mu.Unlock()
	ctx, depose := context.WithCancelCause(context.Background())
	h.depose = depose
	h.wg.Go(func() { _ = h.desk.Lead(ctx, term, revision) })
}

// kill ends a host as SIGKILL would: its runners with it, its calls answered by nobody, its port closed.
func (l *lab) kill(name string) {
	h := l.hosts[name]
	l.mu.Lock()
	if h.dead {
		l.mu.Unlock()
		return
	}
	h.dead = true
	runners := slices.Collect(maps.Keys(h.runners))
	l.mu.Unlock()
	for _, r := range runners {
		r.Kill()
	}
	h.link.Cut()
	if h.depose != nil {
		h.depose(cluster.ErrDeposed)
	}
	h.stop(errors.New("killed"))
	h.wg.Wait()
}

// cut takes a host's network away, silently and both ways; the target of the load stays in reach.
func (l *lab) cut(name string, off bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts[name].cut = off
	if off {
		l.hosts[name].link.Cut()
	} else {
		l.hosts[name].link.Mend()
	}
}

// submit has a run taken in and returns its id.
func (l *lab) submit(change func(*cluster.Asked)) string {
	l.t.Helper()
	client := &courier.Client{HTTP: &http.Client{Transport: &wire{&host{l: l, name: "submitter"}}}}
	l.mu.Lock()
	base := "http://" + l.leader.Name
	l.mu.Unlock()
	digest, err := client.Send(l.t.Context(), base, strings.NewReader("bundle"))
	if err != nil {
		l.t.Fatal(err)
	}
	asked := cluster.Asked{Name: "s.js", Bundle: digest, NodeLoss: cluster.Reassign}
	if change != nil {
		change(&asked)
	}
	var rec cluster.Run
	if err := client.JSON(l.t.Context(), http.MethodPost, base, desk.RunsPath, asked, &rec); err != nil {
		l.t.Fatal(err)
	}
	return rec.ID
}

// follow follows a run to its end, as a submitter does, and calls f then.
func (l *lab) follow(id string, f func()) { l.hear(id, func(desk.Event) {}, f) }

// hear follows a run with what is told of it.
func (l *lab) hear(id string, tell func(desk.Event), f func()) {
	var bases []string
	for _, name := range l.names() {
		bases = append(bases, "http://"+name)
	}
	g := client.New(courier.Client{HTTP: &http.Client{Transport: &wire{&host{l: l, name: "submitter"}}}}, bases)
	l.following.Go(func() {
		if err := g.Follow(context.Background(), id, false, tell); err != nil {
			l.t.Errorf("follow %s: %v", id, err)
		}
		f()
	})
}

// followed waits for all that follow.
func (l *lab) followed() { l.following.Wait() }

// record returns the record of a run.
func (l *lab) record(id string) *cluster.Run {
	l.t.Helper()
	kv, err := l.store.Get(context.Background(), cluster.Runs+id)
	if err != nil {
		l.t.Fatal(err)
	}
	r, err := cluster.DecodeRun(kv.Value)
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// until waits for the end of a run and returns its record and result.
func (l *lab) until(id string, most time.Duration) (*cluster.Run, *desk.Result) {
	l.t.Helper()
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if r := l.record(id); r.State.Over() {
			l.mu.Lock()
			h := l.hosts[l.leader.Name]
			l.mu.Unlock()
			res, err := h.desk.Result(context.Background(), r)
			if err != nil {
				l.t.Fatal(err)
			}
			return r, res
		}
	}
	r := l.record(id)
	l.t.Fatalf("the run has not ended after %v; its parts: %+v; disturbances: %+v", most, r.Parts, r.Disturbances)
	return nil, nil
}

// since is for how long the load has been flowing.
func (l *lab) since() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.begun)
}

// seen tells what the witness saw.
func (l *lab) seen() (total, twice int, highest int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	highest = -1
	for n, times := range l.done {
		total += times
		highest = max(highest, n)
		if times > 1 {
			twice++
		}
	}
	return total, twice, highest
}

// rate is how many iterations a second there were in a stretch of the run.
func (l *lab) rate(from, to time.Duration) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, t := range l.when {
		if d := t.Sub(l.begun); d >= from && d < to {
			n++
		}
	}
	return float64(n) / (to - from).Seconds()
}

func reported(t *testing.T, res *desk.Result) int64 {
	t.Helper()
	s, err := decode(res.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	return s.Load.Iterations
}
