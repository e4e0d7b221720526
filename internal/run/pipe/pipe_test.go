package pipe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/fault"
	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/run/pipe"
)

func TestErrorsKeepTheirWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gave error
		s := play(t, &actor{setup: func(context.Context) ([]byte, error) { return nil, gave }}, pipe.Config{})
		for _, gave = range []error{
			errors.New("plain"),
			fault.New(fault.SetupTimeout, errors.New("setup() execution timed out after 60 seconds")),
			fault.WithHint(fault.ScriptException, errors.New("TypeError: x\n\tat y"), "do not"),
			fmt.Errorf("outer: %w", fault.WithHint(fault.Interrupted, errors.Join(errors.New("a"), context.Canceled), "hint")),
			fmt.Errorf("late: %w", context.DeadlineExceeded),
			fmt.Errorf("%w: too long", run.ErrAsk),
		} {
			_, err := s.Setup(t.Context())
			if err == nil || err.Error() != gave.Error() || fault.KindOf(err) != fault.KindOf(gave) || fault.HintOf(err) != fault.HintOf(gave) {
				t.Errorf("%#v became %#v", gave, err)
			}
			for _, is := range []error{context.Canceled, context.DeadlineExceeded, run.ErrAsk} {
				if errors.Is(err, is) != errors.Is(gave, is) {
					t.Errorf("%v is %v no more, or now", err, is)
				}
			}
		}
	})
}

func TestACancellationBringsItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, &actor{run: func(ctx context.Context, _ run.Begin) error {
			<-ctx.Done()
			time.Sleep(second(30)) // it ends gracefully
			return context.Cause(ctx)
		}}, pipe.Config{})
		why := fault.WithHint(fault.ThresholdsFailed, errors.New("thresholds were crossed"), "be faster")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(second(5), func() { cancel(why) })
		began := time.Now()
		err := s.Run(ctx, run.Begin{})
		if err == nil || err.Error() != why.Error() || fault.KindOf(err) != fault.ThresholdsFailed || fault.HintOf(err) != "be faster" {
			t.Errorf("the run ended with %#v", err)
		}
		if took := time.Since(began); took < second(35) || took > second(36) {
			t.Errorf("it was waited for %v", took)
		}
	})
}

func TestEveryCallArrivesWithAllThatItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ready := run.Ready{
			Options: plan.Options{VUs: plan.Some[int64](3)}, MaxVUs: 3, Functions: []string{"default"}, HasSetup: true,
			Metrics: []metric.Metric{{Name: "m", Kind: metric.Rate}},
		}
		var got run.Begin
		var data [][]byte
		a := &actor{
			init:     func(context.Context) (run.Ready, error) { return ready, nil },
			setup:    func(context.Context) ([]byte, error) { return []byte(` {"a": 1} `), nil },
			run:      func(_ context.Context, b run.Begin) error { got = b; return nil },
			teardown: func(_ context.Context, d []byte) error { data = append(data, d); return nil },
			summary: func(_ context.Context, d []byte) (map[string][]byte, error) {
				return map[string][]byte{"stdout": d, "empty": {}, "b": []byte("\x00\xff")}, nil
			},
		}
		s := play(t, a, pipe.Config{})
		if r, err := s.Init(t.Context()); err != nil || !reflect.DeepEqual(r.Options, ready.Options) || r.MaxVUs != 3 || !r.HasSetup || r.Metrics[0] != ready.Metrics[0] {
			t.Errorf("init: %+v, %v", r, err)
		}
		if d, err := s.Setup(t.Context()); err != nil || string(d) != ` {"a": 1} ` {
			t.Errorf("setup: %q, %v", d, err)
		}
		want := run.Begin{Setup: []byte("[]"), At: time.Now().Add(second(7)), Used: map[string]int64{"s": 5}, Exact: true, Reserve: true}
		if err := s.Run(t.Context(), want); err != nil || !got.At.Equal(want.At) {
			t.Errorf("%v; zero is at %v, not %v", err, got.At, want.At)
		}
		if got.At = want.At; !reflect.DeepEqual(got, want) {
			t.Errorf("begin: %+v", got)
		}
		if err := s.Run(t.Context(), run.Begin{}); err != nil || !got.At.IsZero() || got.Setup != nil {
			t.Errorf("begin without anything: %+v, %v", got, err)
		}
		large := bytes.Repeat([]byte("0123456789"), 1<<20)
		for _, d := range [][]byte{nil, {}, []byte("null"), large} {
			if err := s.Teardown(t.Context(), d); err != nil || !bytes.Equal(data[len(data)-1], d) || (data[len(data)-1] == nil) != (d == nil) {
				t.Errorf("teardown with %.10q got %.10q, %v", d, data[len(data)-1], err)
			}
		}
		files, err := s.Summary(t.Context(), large)
		if err != nil || len(files) != 3 || !bytes.Equal(files["stdout"], large) || len(files["empty"]) != 0 || string(files["b"]) != "\x00\xff" {
			t.Errorf("summary: %d files, %v", len(files), err)
		}
		if err := s.Teardown(t.Context(), make([]byte, 65<<20)); err == nil || !strings.Contains(err.Error(), "at most 64 MiB") {
			t.Errorf("65 MiB of setup data: %v", err)
		}
		if err := s.Teardown(t.Context(), nil); err != nil {
			t.Errorf("after one that was too large: %v", err)
		}
	})
}

func TestAJobThatCannotStartSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, nil, pipe.Config{Job: []byte(`"broken"`)})
		if _, err := s.Init(t.Context()); err == nil || err.Error() != "there is no such bundle" {
			t.Error(err)
		}
		time.Sleep(second(100)) // it stays, and can be asked again
		if _, err := s.Init(t.Context()); err == nil || err.Error() != "there is no such bundle" {
			t.Error(err)
		}
	})
}

func TestWhoKnowsThatItEndedKnowsWhatItCameTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &actor{}
		a.run = func(context.Context, run.Begin) error {
			time.Sleep(second(2.5))
			a.measured(41)
			a.mu.Lock()
			a.failed = true
			a.mu.Unlock()
			return nil
		}
		s := play(t, a, pipe.Config{})
		if snap := s.Snapshot(); snap.Seq != 0 || s.Encoded() != nil {
			t.Errorf("before anything: %+v", snap)
		}
		if err := s.Run(t.Context(), run.Begin{}); err != nil {
			t.Fatal(err)
		}
		if got := s.Snapshot(); got.Load.Iterations != 41 || !s.MarkedAsFailed() || s.Progress()[0].Right[0].String() != "half" {
			t.Errorf("%+v, failed %v, %+v", got, s.MarkedAsFailed(), s.Progress())
		}
		snap, err := s.Yield(t.Context())
		if err != nil || snap.Load.Iterations != 42 || s.Snapshot().Load.Iterations != 42 {
			t.Errorf("yielded %+v, %v", snap, err)
		}
	})
}

func TestSnapshotsComeEverySecondAndWhenTheyAreUrgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &actor{urgent: make(chan struct{}, 1)}
		s := play(t, a, pipe.Config{})
		time.Sleep(second(10.5))
		<-s.Updated()
		select {
		case <-s.Urgent():
			t.Error("it was not urgent")
		default:
		}
		if n := s.Encoded().Seq; n < 9 || n > 11 {
			t.Errorf("%d snapshots in 10 seconds", n)
		}
		before := time.Now()
		a.measured(5)
		a.urgent <- struct{}{}
		<-s.Urgent()
		if took := time.Since(before); took > 0 || s.Snapshot().Load.Iterations != 5 {
			t.Errorf("an urgent one took %v and says %+v", took, s.Snapshot().Load)
		}
		s.Acknowledge(3)
		s.Acknowledge(7)
		s.Acknowledge(5)
		synctest.Wait()
		a.mu.Lock()
		defer a.mu.Unlock()
		if slices.Max(a.acked) != 7 {
			t.Errorf("acknowledged %v", a.acked)
		}
	})
}

// frozen is a stream of which nothing more is taken while gate holds a token.
type frozen struct {
	net.Conn
	gate chan struct{}
}

func (f *frozen) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	f.gate <- struct{}{}
	<-f.gate
	return n, err
}

func TestOfSnapshotsOnlyTheNewestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &actor{}
		s, near := serve(t, a)
		f := &frozen{near, make(chan struct{}, 1)}
		f.gate <- struct{}{} // nothing of what the runner says is read; its lease goes on
		c := pipe.Dial(f, pipe.Config{Patience: time.Hour})
		time.Sleep(second(60))
		a.measured(1)
		<-f.gate
		synctest.Wait()
		if got := c.Snapshot(); got.Load.Iterations != 1 || got.Seq > 6 {
			t.Errorf("after a minute of silence it says %+v", got)
		}
		c.Close()
		<-s.served
	})
}

func TestASilentNodeEndsTheRunner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		a := &actor{run: func(ctx context.Context, _ run.Begin) error {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			time.Sleep(second(30)) // ends gracefully, which nobody waits for
			return nil
		}}
		s, near := serve(t, a)
		f := &silenced{Conn: near}
		c := pipe.Dial(f, pipe.Config{Lease: second(6), Patience: time.Hour})
		go func() { _ = c.Run(t.Context(), run.Begin{}) }()
		time.Sleep(second(20)) // it speaks: nothing ends
		select {
		case err := <-s.lost:
			t.Fatal(err)
		default:
		}
		f.silence() // frozen; the last beat was sent at most 2 seconds ago
		began := time.Now()
		if err := <-s.lost; !errors.Is(err, pipe.ErrSilent) {
			t.Errorf("lost with %v", err)
		}
		if took := time.Since(began); took < second(4) || took > second(6.1) {
			t.Errorf("it was lost after %v", took)
		}
		if err := <-ended; !errors.Is(err, pipe.ErrSilent) {
			t.Errorf("the run was cut off by %v", err)
		}
		if err := <-s.served; !errors.Is(err, pipe.ErrSilent) {
			t.Error(err)
		}
		c.Close()
	})
}

// silenced is a stream on which nothing more is sent once it is silent; it takes what it is given.
type silenced struct {
	net.Conn
	mu     sync.Mutex
	silent bool
}

func (s *silenced) silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = true
}

func (s *silenced) Write(b []byte) (int, error) {
	s.mu.Lock()
	silent := s.silent
	s.mu.Unlock()
	if silent {
		return len(b), nil
	}
	return s.Conn.Write(b)
}

func TestTheLeaseIsTheNodesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The node can no longer reach the others: it goes on speaking, but its lease ends at this instant.
		until := time.Now().Add(second(2.2))
		s := play(t, &actor{}, pipe.Config{Until: func() time.Time { return until }})
		if err := <-s.lost; !errors.Is(err, pipe.ErrSilent) {
			t.Error(err)
		}
		if late := time.Since(until); late < 0 || late > second(0.1) {
			t.Errorf("it stopped %v after the lease", late)
		}
	})
}

func TestAGoneNodeEndsTheRunnerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &actor{run: func(ctx context.Context, _ run.Begin) error { <-ctx.Done(); return nil }}
		s, near := serve(t, a)
		c := pipe.Dial(near, pipe.Config{})
		go func() { _ = c.Run(t.Context(), run.Begin{}) }()
		time.Sleep(second(5))
		began := time.Now()
		_ = near.Close()
		if err := <-s.lost; !errors.Is(err, pipe.ErrGone) || time.Since(began) > 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		c.Close()
	})
}

func TestCallsOfARunnerThatIsGoneSayWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &actor{run: func(ctx context.Context, _ run.Begin) error { <-ctx.Done(); return nil }}
		_, near := serve(t, a)
		c := pipe.Dial(near, pipe.Config{Ended: func() error { return errors.New("killed by the kernel") }})
		go func() {
			time.Sleep(second(3))
			_ = near.Close()
		}()
		err := c.Run(t.Context(), run.Begin{})
		if !errors.Is(err, run.ErrLost) || !strings.Contains(err.Error(), "killed by the kernel") {
			t.Error(err)
		}
		if _, err = c.Setup(t.Context()); !errors.Is(err, run.ErrLost) {
			t.Errorf("afterwards: %v", err)
		}
		c.Close()
		if c.Err() == nil {
			t.Error("it does not know")
		}
	})
}

func TestARunnerThatNeverSpeaksIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		c := pipe.Dial(near, pipe.Config{Patience: second(20)})
		began := time.Now()
		_, err := c.Init(t.Context())
		if took := time.Since(began); !errors.Is(err, run.ErrLost) || took < second(20) || took > second(22) {
			t.Errorf("%v after %v", err, took)
		}
		c.Close()
	})
}

func TestRecordsArriveOrAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []pipe.Record
		a := &actor{setup: func(context.Context) ([]byte, error) { return nil, nil }}
		s, near := serve(t, a)
		f := &frozen{near, make(chan struct{}, 1)}
		c := pipe.Dial(f, pipe.Config{Log: func(r pipe.Record) { got = append(got, r) }, Patience: time.Hour})
		defer func() { c.Close(); <-s.served }()
		if _, err := c.Setup(t.Context()); err != nil {
			t.Fatal(err)
		}
		log := slog.New(s.up.Log(slog.LevelInfo)).With("a", 1).WithGroup("g")
		log.Warn("careful", "b", slog.GroupValue(slog.Duration("c", second(1))))
		log.Debug("not this")
		slog.New(s.up.Console(slog.LevelInfo)).Info(strings.Repeat("x", 20_000))
		if _, err := c.Setup(t.Context()); err != nil { // what was logged before an answer comes before it
			t.Fatal(err)
		}
		if len(got) != 2 || got[0].Message != "careful" || got[0].Level != slog.LevelWarn || got[0].Console ||
			!reflect.DeepEqual(got[0].Attrs, [][2]string{{"a", "1"}, {"g.b.c", "1s"}}) || !got[0].Time.Equal(time.Now()) {
			t.Fatalf("%+v", got)
		}
		if m := got[1].Message; !got[1].Console || !strings.HasSuffix(m, "... (3616 bytes more)") || len(m) > 17_000 {
			t.Errorf("console: %d bytes ending in %q", len(m), m[len(m)-30:])
		}
		if r := got[0].Slog(); r.Message != "careful" || r.NumAttrs() != 2 {
			t.Errorf("as slog: %+v", r)
		}
		got = nil
		f.gate <- struct{}{} // nobody reads: what the script prints must wait for nothing
		for range 10_000 {
			slog.New(s.up.Console(slog.LevelInfo)).Info("again and again")
		}
		log.Error("and this")
		<-f.gate
		if _, err := c.Setup(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left int64
		for _, r := range got {
			left += r.LeftOut
		}
		if int64(len(got))+left != 10_001 || left == 0 || len(got) < 100 {
			t.Errorf("%d came, %d were left out of 10001", len(got), left)
		}
		if !slices.ContainsFunc(got, func(r pipe.Record) bool { return r.Message == "and this" }) {
			t.Error("the error was left out")
		}
	})
}

func TestLinesWaitForTheNodeAndNothingElseDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out [2]bytes.Buffer
		gate := make(chan struct{})
		const lines = 40_000
		a := &actor{run: func(context.Context, run.Begin) error { return nil }}
		wrote := make(chan error, 1)
		a.flush = func(context.Context) error { return <-wrote }
		s := play(t, a, pipe.Config{Lines: func(n int, b []byte) {
			<-gate
			if !bytes.HasSuffix(b, []byte("\n")) {
				t.Errorf("%d bytes that end in %q", len(b), b[len(b)-1:])
			}
			out[n].Write(b)
		}})
		synctest.Wait()
		var want bytes.Buffer
		go func() {
			w0, w1 := s.up.Lines(0), s.up.Lines(1)
			var err error
			for i := range lines {
				line := fmt.Appendf(nil, "line %d of %s\n", i, strings.Repeat("-", i%200))
				want.Write(line)
				_, werr := w0.Write(line)
				err = errors.Join(err, werr)
			}
			for _, line := range []string{strings.Repeat("y", 2<<20) + "\n", "short\n", ""} { // the first is too long
				_, werr := io.WriteString(w1, line)
				err = errors.Join(err, werr)
			}
			wrote <- err
		}()
		if err := s.Run(t.Context(), run.Begin{}); err != nil { // although no lines are taken
			t.Fatal(err)
		}
		if s.Snapshot().Seq == 0 {
			t.Error("lines that wait hold up snapshots")
		}
		go func() {
			time.Sleep(second(9))
			close(gate)
		}()
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out[0].Bytes(), want.Bytes()) || out[1].String() != "short\n" {
			t.Errorf("%d bytes of %d came, and of the other %q", out[0].Len(), want.Len(), out[1].String())
		}
	})
}

func TestTheEndOfPatienceReachesTheServersOfARunner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drained := 0
		s := play(t, &actor{drain: func(ctx context.Context) {
			if drained++; drained > 1 {
				<-ctx.Done()
			}
		}}, pipe.Config{})
		if err := s.Drain(t.Context()); err != nil || drained != 1 {
			t.Errorf("drained %d times, %v", drained, err)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := s.Drain(ctx); err != nil || time.Since(began) > 3*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// commons answers what scripts share.
type commons func(context.Context, run.Ask) (run.Answer, error)

func (c commons) Do(ctx context.Context, a run.Ask) (run.Answer, error) { return c(ctx, a) }

func TestScriptsAskTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &actor{setup: func(context.Context) ([]byte, error) { return nil, nil }}
		s := play(t, a, pipe.Config{Shared: commons(func(ctx context.Context, ask run.Ask) (run.Answer, error) {
			switch ask.Op {
			case run.Add:
				return run.Answer{N: ask.N + 1, Value: []byte(`"x"`)}, nil
			case run.Arrive:
				<-ctx.Done()
				return run.Answer{}, context.Cause(ctx)
			}
			return run.Answer{}, fmt.Errorf("%w: what is %s", run.ErrAsk, ask.Op)
		})})
		synctest.Wait()
		var all sync.WaitGroup
		for i := range int64(1000) { // each virtual user may wait for an answer
			all.Go(func() {
				if got, err := s.up.Do(t.Context(), run.Ask{Op: run.Add, Key: "k", N: i}); err != nil || got.N != i+1 || string(got.Value) != `"x"` {
					t.Errorf("%+v, %v", got, err)
				}
			})
		}
		all.Wait()
		if _, err := s.up.Do(t.Context(), run.Ask{Op: "fly"}); !errors.Is(err, run.ErrAsk) || !strings.Contains(err.Error(), "what is fly") {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), second(2), errors.New("the iteration was cut off"))
		defer cancel()
		if _, err := s.up.Do(ctx, run.Ask{Op: run.Arrive}); err == nil || err.Error() != "the iteration was cut off" {
			t.Error(err)
		}
	})
}

func FuzzStream(f *testing.F) {
	for _, seed := range [][]byte{
		{6, 0, 0, 0, 1, '{', '}', '{', '}', '{'}, {1, 0, 0, 0, 5}, {0xff, 0xff, 0xff, 0x03, 2}, {2, 0, 0, 0, 6, 0}, bytes.Repeat([]byte{9, 0, 0, 0, 9, 1, 1, 1, 1, 1, 1, 1, 1}, 3),
		append([]byte{15, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0}, "{}"...),
		append([]byte{30, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0}, `{"call":"summary"}`...),
		append([]byte{7, 0, 0, 0, 7}, `[{}]  `...), append([]byte{10, 0, 0, 0, 8, 0, 0, 0, 0}, "line\n"...),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		quiet := func(context.Context) error { return nil }
		a := &actor{
			init: func(context.Context) (run.Ready, error) { return run.Ready{}, nil }, setup: func(context.Context) ([]byte, error) { return nil, nil },
			run: func(context.Context, run.Begin) error { return nil }, teardown: func(context.Context, []byte) error { return nil }, flush: quiet,
			summary: func(context.Context, []byte) (map[string][]byte, error) { return nil, nil },
		}
		near, far := net.Pipe()
		c := pipe.Dial(far, pipe.Config{Lines: func(int, []byte) {}, Log: func(pipe.Record) {}})
		send(near, data)
		c.Close()
		near, far = net.Pipe()
		served := make(chan error)
		go func() {
			served <- pipe.Serve(t.Context(), far, func(context.Context, []byte, *pipe.Up) (run.Runner, error) { return a, nil }, nil)
		}()
		send(near, append([]byte("\x0b\x00\x00\x00\x01{\"job\":1} "), data...))
		<-served
	})
}

// send writes data, takes whatever comes back, and hangs up.
func send(c net.Conn, data []byte) {
	go func() { _, _ = io.Copy(io.Discard, c) }()
	_, _ = c.Write(data) // the other side may have had enough
	_ = c.Close()
}
