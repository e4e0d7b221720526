package worker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/grid/fence"
	"throng/internal/grid/order"
	"throng/internal/metric"
	"throng/internal/run"
)

// runner is a runner whose scenarios last for a minute, unless they are cut off.
type runner struct {
	mu     sync.Mutex
	calls  []string
	seq    uint64
	deaf   bool // does not stop when it is told to
	gone   chan struct{}
	once   sync.Once
	why    error
	killed time.Time
	ended  time.Time
	acked  uint64
	yield  chan struct{}
	begin  run.Begin
}

func newRunner() *runner { return &runner{gone: make(chan struct{}), yield: make(chan struct{})} }

func (r *runner) called(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, what)
}

func (r *runner) Init(context.Context) (run.Ready, error) { r.called("init"); return run.Ready{}, nil }
func (r *runner) Setup(context.Context) ([]byte, error) {
	r.called("setup")
	time.Sleep(time.Second)
	return []byte("1"), nil
}

func (r *runner) Run(ctx context.Context, b run.Begin) error {
	r.called("run")
	r.mu.Lock()
	r.begin = b
	r.mu.Unlock()
	defer func() { r.mu.Lock(); defer r.mu.Unlock(); r.ended = time.Now() }()
	if r.deaf {
		ctx = context.WithoutCancel(ctx)
	}
	select {
	case <-time.After(time.Minute):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-r.yield:
		return nil
	case <-r.gone:
		return io.EOF
	}
}

func (r *runner) Yield(context.Context) (metric.Snapshot, error) {
	close(r.yield)
	return r.Snapshot(), nil
}
func (r *runner) Teardown(context.Context, []byte) error { r.called("teardown"); return nil }
func (r *runner) Summary(context.Context, []byte) (map[string][]byte, error) {
	r.called("summary")
	return nil, nil
}
func (r *runner) Snapshot() metric.Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	return metric.Snapshot{Seq: r.seq}
}
func (r *runner) Acknowledge(seq uint64)   { r.mu.Lock(); defer r.mu.Unlock(); r.acked = seq }
func (r *runner) Urgent() <-chan struct{}  { return nil }
func (r *runner) Progress() []run.Progress { return nil }
func (r *runner) MarkedAsFailed() bool     { return false }
func (r *runner) Kill() {
	r.once.Do(func() { r.mu.Lock(); defer r.mu.Unlock(); r.killed = time.Now(); close(r.gone) })
}
func (r *runner) Done() <-chan struct{} { return r.gone }
func (r *runner) Err() error            { return r.why }

// stand is a worker with a lease that the test sets.
type stand struct {
	*Worker
	t  *testing.T
	r  *runner
	mu sync.Mutex

	until   time.Time
	renewed chan struct{}
	started int
}

func newStand(t *testing.T) *stand {
	s := &stand{t: t, r: newRunner(), renewed: make(chan struct{}), until: time.Now().Add(time.Hour)}
	depot, err := courier.NewDepot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	digest, err := depot.Put(strings.NewReader("bundle"))
	if err != nil || digest != bundle {
		t.Fatal(digest, err)
	}
	s.Worker = New(Config{
		Life: "7", Depot: depot, Client: &courier.Client{HTTP: http.DefaultClient}, Nudge: func() { s.safe() },
		Start:   func(context.Context, Start) (Runner, error) { s.started++; return s.r, nil },
		Until:   func() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.until },
		Renewed: func() <-chan struct{} { s.mu.Lock(); defer s.mu.Unlock(); return s.renewed },
		Offset:  func(leader string) (time.Duration, time.Duration, bool) { return 0, 0, leader == "" },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

const bundle = "1e6ed65d77d6364eeaed5a745ba5c4985ae2b700dd85d7cf7f027bdf294a33fc"

// safe is what the beats do: soon after a nudge, everything is with the leader and with another host.
func (s *stand) safe() {
	time.AfterFunc(10*time.Millisecond, func() {
		reports, held := s.Reports(true), map[string]uint64{}
		for _, r := range reports {
			held[beat.Key(r.Run, r.Part)] = r.Seq
		}
		s.Heard(reports, beat.Witness{Name: "v", Leader: true, Held: held})
	})
}

func (s *stand) lease(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = time.Now().Add(d)
	close(s.renewed)
	s.renewed = make(chan struct{})
}

func (s *stand) give(name string, req order.Request) (order.Reply, error) {
	req.Term = max(req.Term, 1)
	if req.Job == nil {
		req.Job = &order.Job{Bundle: s.bundle(), Life: "7"}
	}
	if req.Begin == nil {
		req.Begin = &order.Begin{}
	}
	if err := s.obey(req.Term); err != nil {
		return order.Reply{}, err
	}
	return s.order(s.t.Context(), "r", "0", name, req)
}

func (s *stand) bundle() string { return bundle }

func (s *stand) prepared() {
	s.t.Helper()
	if _, err := s.give(order.Prepare, order.Request{}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) phase() beat.Phase { return s.Reports(false)[0].Phase }

func TestAnOrderGivenTwiceIsCarriedOutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { s.prepared() })
		}
		wg.Wait()
		for range 3 {
			wg.Go(func() {
				if reply, err := s.give(order.Setup, order.Request{}); string(reply.Data) != "1" || err != nil {
					t.Errorf("%s, %v", reply.Data, err)
				}
			})
		}
		wg.Wait()
		if reply, _ := s.give(order.Setup, order.Request{}); string(reply.Data) != "1" {
			t.Error("who asks later gets another answer")
		}
		if got := strings.Join(s.r.calls, " "); got != "init setup" || s.started != 1 {
			t.Errorf("%s; %d runners", got, s.started)
		}
	})
}

func TestTheFenceStopsEverything(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newStand(t)
			s.r.deaf = deaf
			s.prepared()
			got := make(chan error)
			go func() {
				_, err := s.give(order.Run, order.Request{})
				got <- err
			}()
			time.Sleep(5 * time.Second)
			s.lease(2 * time.Second)
			time.Sleep(time.Second)
			s.lease(2 * time.Second) // renewed in time
			end := s.until
			if err := <-got; !errors.Is(err, run.ErrLost) {
				t.Errorf("ended with %v", err)
			}
			time.Sleep(time.Second)
			s.r.mu.Lock()
			ended, killed := s.r.ended, s.r.killed
			s.r.mu.Unlock()
			if late := ended.Sub(end); late < 0 || late > fence.Margin || killed.IsZero() {
				t.Errorf("deaf %v: the scenarios ended %v after the lease; killed at %v", deaf, late, killed)
			}
			if rep := s.Reports(true)[0]; rep.Phase != beat.Fenced || len(rep.Snapshot) == 0 {
				t.Errorf("it is reported as %+v", rep)
			}
		})
	}
}

func TestAnOldLeadersOrdersAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		if _, err := s.give(order.Prepare, order.Request{Term: 5}); err != nil {
			t.Error(err)
		}
		if _, err := s.give(order.Setup, order.Request{Term: 4}); !errors.Is(err, cluster.ErrDeposed) {
			t.Errorf("an order of term 4: %v", err)
		}
	})
}

func TestANodeThatStartedAgainKnowsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		for name, req := range map[string]order.Request{
			order.Prepare: {Job: &order.Job{Bundle: bundle, Life: "6"}}, order.Run: {}, order.Teardown: {},
		} {
			if _, err := s.give(name, req); !errors.Is(err, run.ErrLost) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := s.give(order.Release, order.Request{}); err != nil {
			t.Errorf("release: %v", err)
		}
	})
}

func TestADeadRunnerIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		s.prepared()
		got := make(chan error)
		go func() {
			_, err := s.give(order.Run, order.Request{})
			got <- err
		}()
		time.Sleep(time.Second)
		s.r.why = errors.New("killed by the kernel, probably for its memory")
		s.r.Kill()
		if err := <-got; !errors.Is(err, run.ErrLost) || !strings.Contains(err.Error(), "for its memory") {
			t.Errorf("ended with %v", err)
		}
		synctest.Wait()
		if rep := s.Reports(true)[0]; rep.Phase != beat.Failed || !strings.Contains(rep.Fault.Err().Error(), "for its memory") {
			t.Errorf("it is reported as %+v", rep)
		}
	})
}

func TestLeavingGivesPartsUpInGoodOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		s.prepared()
		got := make(chan error)
		go func() {
			_, err := s.give(order.Run, order.Request{})
			got <- err
		}()
		time.Sleep(time.Second)
		if err := s.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-got; !errors.Is(err, run.ErrLost) || s.phase() != beat.Yielded {
			t.Errorf("%v, %s", err, s.phase())
		}
		if _, err := s.order(t.Context(), "r", "1", order.Prepare, order.Request{Job: &order.Job{Life: "7"}}); !errors.Is(err, run.ErrLost) {
			t.Errorf("a new part is taken on: %v", err)
		}
	})
}

func TestLinesAreBounded(t *testing.T) {
	var l lines
	for range maxLines + 5 {
		l.add(beat.Line{Text: strings.Repeat("x", maxText+1)})
	}
	first, some, left := l.pending(true)
	if first != 0 || len(some) != perBeat || left != 5 || len(some[0].Text) > maxText+4 {
		t.Errorf("first %d, %d lines, %d left out", first, len(some), left)
	}
	if !l.read(10) || l.read(5) != true {
		t.Error("none left")
	}
	if first, _, _ := l.pending(false); first != 10 {
		t.Errorf("the next is %d", first)
	}
}

func TestBadOrdersAreRefused(t *testing.T) {
	w := New(Config{Nudge: func() {}})
	for path, want := range map[string]int{"r/0/dance": 404, "r/0": 404, "r/0/prepare": 400} {
		req := httptest.NewRequest(http.MethodPost, order.Path+path, strings.NewReader("{}"))
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, req)
		if rec.Code != want {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
}

// TestTheFirstOrderOfALeaderTellsItsTime has one begin to lead whose clock is minutes ahead, and order before it has acknowledged a beat.
func TestTheFirstOrderOfALeaderTellsItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		s.prepared()
		begun := time.Now()
		const ahead = 3 * time.Minute
		go func() {
			_, _ = s.give(order.Run, order.Request{Leader: "new", Begin: &order.Begin{At: begun.Add(ahead + time.Second), Now: begun.Add(ahead)}})
		}()
		time.Sleep(11 * time.Second)
		s.r.mu.Lock()
		at := s.r.begin.At
		s.r.mu.Unlock()
		if rep := s.Reports(false)[0]; !at.Equal(begun.Add(time.Second)) || rep.Since != 10*time.Second || rep.Start.Offset != ahead {
			t.Errorf("it begins %v after the order; reported: %+v %v", at.Sub(begun), rep, rep.Start)
		}
	})
}

// TestAFullDiskIsToldOnce has two nodes offer a test that this one cannot keep.
func TestAFullDiskIsToldOnce(t *testing.T) {
	dir := t.TempDir()
	depot, err := courier.NewDepot(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil { // nothing can be written there any more
		t.Fatal(err)
	}
	from := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "bundle") }))
	t.Cleanup(from.Close)
	w := New(Config{Depot: depot, Client: &courier.Client{HTTP: from.Client()}})
	p := &part{w: w, job: order.Job{Bundle: bundle, From: []string{from.URL, from.URL + "/"}}}
	begun := time.Now()
	_, err = p.bundle(t.Context())
	if err == nil || strings.Count(err.Error(), dir) != 1 || strings.Contains(err.Error(), "\n") || time.Since(begun) > fetching/2 {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}
