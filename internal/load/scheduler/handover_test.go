package scheduler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/fault"
	"throng/internal/metric"
	"throng/internal/run"
	"throng/internal/segment"
)

func mustShare(t *testing.T, text string) segment.Share {
	t.Helper()
	s, err := segment.ParseShare(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// started runs the scenarios beside the test; the channel gives what Run returned.
func (st *stage) started(ctx context.Context, b run.Begin) <-chan error {
	over := make(chan error, 1)
	go func() { over <- st.Run(ctx, b) }()
	synctest.Wait()
	return over
}

// words are what the console said, sorted.
func (st *stage) words() []string {
	lines := st.console.lines()
	for i := range lines {
		lines[i] = strings.Trim(strings.TrimPrefix(lines[i], "msg="), `"`)
	}
	slices.Sort(lines)
	return lines
}

func TestAShareLiesWithinTheSegmentOfTheOptions(t *testing.T) {
	for _, tt := range []struct{ share, segment, want string }{
		{"", "0:1", "it 0|it 1|it 2|it 3|it 4|it 5|vu 1|vu 2|vu 3|vu 4|vu 5|vu 6"},
		{"0@1,2", "0:1", "it 1|it 4|vu 2|vu 5"},
		{"1@1,2/0@1x2", "0:1", "it 0|it 3|vu 1|vu 4"},
		{"0@1x3", "1/2:1", "it 1|vu 2"},
		{"1@1x3", "1/2:1", "it 3|vu 4"},
	} {
		synctest.Test(t, func(t *testing.T) {
			st := newStage(t, fmt.Sprintf(`import exec from 'k6/execution'; import { sleep } from 'k6';
				export const options = { executionSegment: '%s', scenarios: { a: { executor: 'per-vu-iterations', vus: 6, iterations: 1 } } };
				export default function () { console.log('vu ' + exec.vu.idInTest); console.log('it ' + exec.scenario.iterationInTest); sleep(1); }`, tt.segment),
				func(c *Config) { c.Share = mustShare(t, tt.share) })
			if err := st.play(""); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(st.words(), "|"); got != tt.want {
				t.Errorf("%q of %s: %s, want %s", tt.share, tt.segment, got, tt.want)
			}
			if tuple := st.ready.Segment; tuple.Scale(6) != st.Load().VUsMax {
				t.Errorf("%q of %s: %d VUs, the tuple that is told gives %d", tt.share, tt.segment, st.Load().VUsMax, tuple.Scale(6))
			}
			st.checkPool()
		})
	}
}

func TestAShareThatIsNoneIsRefused(t *testing.T) {
	st := newStage(t, `export default function () {}`, func(c *Config) {
		q, err := segment.ParseSequence("0,1/2,1")
		if err != nil {
			t.Fatal(err)
		}
		c.Share = segment.Share{{Segment: segment.Segment{}, Sequence: q}}
	})
	if _, err := st.Init(t.Context()); fault.KindOf(err) != fault.InvalidConfig {
		t.Errorf("kind %d, %v", fault.KindOf(err), err)
	}
}

func TestLimitsForTheWholeTestAreSharedOut(t *testing.T) {
	for _, tt := range []struct {
		share, segment string
		vus            int
		want           float64
	}{
		{"", "0:1", 12, 1}, {"", "0:1/4", 12, 1}, {"0@1,2", "0:1", 12, 1. / 3}, {"1@1,2/0@1x2", "0:1", 12, 1. / 3}, {"0@1x2", "0:1/2", 12, 0.5},
		// Of two VUs the first two of four have one each, the others nothing: the limit is where the VUs are.
		{"0@1x4", "0:1", 2, 0.5}, {"3@1x4", "0:1", 2, 0},
	} {
		st := newStage(t, fmt.Sprintf(`export const options = { vus: %d, duration: '1s', executionSegment: '%s' }; export default function () {}`, tt.vus, tt.segment),
			func(c *Config) { c.Share = mustShare(t, tt.share) })
		st.init()
		if got := st.test.Share; got < tt.want-1e-9 || got > tt.want+1e-9 {
			t.Errorf("%q of %s: %v, want %v", tt.share, tt.segment, got, tt.want)
		}
	}
}

const twoScenarios = `import exec from 'k6/execution'; import { sleep } from 'k6';
	export const options = { scenarios: {
		early: { executor: 'constant-vus', vus: 2, duration: '3s', gracefulStop: '0s' },
		late: { executor: 'constant-arrival-rate', rate: 2, duration: '4s', startTime: '5s', preAllocatedVUs: 2 } } };
	export default function () {
		const s = exec.scenario;
		console.log([s.name, s.iterationInTest, s.iterationInInstance, Date.now() - s.startTime, Math.round(s.progress * 100), Math.round(exec.instance.currentTestRunDuration)].join(' '));
		sleep(0.45);
	}`

func TestAStartToComeIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, twoScenarios, nil)
		st.init()
		at := time.Now().Add(7 * time.Second)
		over := st.started(t.Context(), run.Begin{At: at.Round(0)}) // as it comes from another process: without a monotonic clock
		time.Sleep(6999 * time.Millisecond)
		if n := st.Load().VUs; n != 0 || st.Elapsed() != 0 {
			t.Errorf("%d VUs are active before the start, after %v", n, st.Elapsed())
		}
		if snap := st.Snapshot(); len(snap.Scenarios) != 2 || snap.Scenarios[0].Begun != 0 || snap.Reserved["early"] == 0 {
			t.Errorf("before the start: %+v, %v", snap.Scenarios, snap.Reserved)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if n := st.Load().VUs; n != 2 {
			t.Errorf("%d VUs are active at the start", n)
		}
		if err := <-over; err != nil || time.Since(at) != 9*time.Second || st.Elapsed() != 9*time.Second {
			t.Errorf("%v after %v, %v by the scheduler's clock", err, time.Since(at), st.Elapsed())
		}
		if !st.console.said("late 0 0 0 0 5000") {
			t.Errorf("said %q", st.words())
		}
		st.checkPool()
	})
}

func TestATakeOverBeginsInTheMiddle(t *testing.T) {
	for _, tt := range []struct {
		name  string
		since time.Duration
		begin run.Begin
		want  []string
		due   []metric.ScenarioCount
	}{
		{"within the first scenario", 1900 * time.Millisecond, run.Begin{Used: map[string]int64{"early": 10}},
			[]string{"early 10 0 1900 63 1900", "early 11 1 1900 63 1900", "late 0 0 0 0 5000"},
			[]metric.ScenarioCount{{Name: "early", Begun: 6, Due: 6}, {Name: "late", Begun: 8, Due: 8}}},
		{"between them", 4 * time.Second, run.Begin{Used: map[string]int64{"early": 10}}, []string{"late 0 0 0 0 5000"},
			[]metric.ScenarioCount{{Name: "early"}, {Name: "late", Begun: 8, Due: 8}}},
		{"within the second", 6700 * time.Millisecond, run.Begin{}, []string{"late 4 0 2000 50 7000"},
			[]metric.ScenarioCount{{Name: "early"}, {Name: "late", Begun: 4, Due: 4}}},
		{"within the second, after a yield", 6700 * time.Millisecond, run.Begin{Used: map[string]int64{"early": 10, "late": 3}, Exact: true},
			[]string{"late 3 0 2000 50 7000", "late 4 1 2250 56 7250"}, []metric.ScenarioCount{{Name: "early"}, {Name: "late", Begun: 5, Due: 5}}},
		{"after all", time.Minute, run.Begin{}, []string{""}, []metric.ScenarioCount{{Name: "early"}, {Name: "late"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newStage(t, twoScenarios, nil)
				st.init()
				tt.begin.At = time.Now().Add(-tt.since)
				if err := st.Run(t.Context(), tt.begin); err != nil {
					t.Fatal(err)
				}
				for _, w := range tt.want {
					if !slices.Contains(st.words(), w) {
						t.Errorf("said %q, want %q", st.words(), w)
					}
				}
				snap := st.Snapshot()
				if !slices.Equal(snap.Scenarios, tt.due) || snap.Load.Dropped != 0 {
					t.Errorf("%+v, want %+v, %d dropped", snap.Scenarios, tt.due, snap.Load.Dropped)
				}
				if end := max(9*time.Second, tt.since); st.Elapsed() != end {
					t.Errorf("it took until %v, want %v", st.Elapsed(), end)
				}
				for _, p := range st.Progress() {
					if !p.Ended {
						t.Errorf("%+v", p)
					}
				}
				st.checkPool()
			})
		})
	}
}

const pooled = `import { sleep } from 'k6'; import exec from 'k6/execution';
	export const options = { scenarios: { a: { executor: 'shared-iterations', vus: 4, iterations: 1000 }, b: { executor: 'constant-vus', vus: 1, duration: '30s' } } };
	export default function () { console.log(exec.scenario.name + exec.scenario.iterationInTest); sleep(1); }`

func TestNothingBeginsBeforeItIsSafe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, pooled, nil)
		st.init()
		st.Acknowledge(5) // of nothing
		ctx, cancel := context.WithCancel(t.Context())
		over := st.started(ctx, run.Begin{Reserve: true, At: time.Now().Add(time.Second)})
		select {
		case <-st.Urgent():
		default:
			t.Error("no snapshot is wanted at first")
		}
		begun := func(want int64) {
			t.Helper()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if n := st.Snapshot().Scenarios[0].Begun; n != want {
				t.Errorf("%d began, want %d", n, want)
			}
		}
		first := st.Snapshot()
		if first.Reserved["a"] != 4 {
			t.Errorf("%v are reserved at first", first.Reserved)
		}
		begun(0)
		st.Acknowledge(first.Seq - 1)
		begun(0)
		st.Acknowledge(first.Seq)
		st.Acknowledge(first.Seq)
		begun(4)
		select {
		case <-st.Urgent():
		default:
			t.Error("no snapshot is wanted when half is used")
		}
		second, third := st.Snapshot(), st.Snapshot()
		if second.Reserved["a"] <= 4 || third.Reserved["a"] < second.Reserved["a"] {
			t.Errorf("%v are reserved, then %v", second.Reserved, third.Reserved)
		}
		begun(4)
		st.Acknowledge(third.Seq) // the second was lost, or is late
		st.Acknowledge(second.Seq)
		time.Sleep(20 * time.Second)
		if n := st.Snapshot().Scenarios[0].Begun; n != third.Reserved["a"] {
			t.Errorf("%d began, want the %d that are safe", n, third.Reserved["a"])
		}
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
		last := st.Snapshot()
		if last.Reserved["a"] != third.Reserved["a"] || last.Reserved["b"] != last.Scenarios[1].Begun {
			t.Errorf("in the end %v are used, %+v began", last.Reserved, last.Scenarios)
		}
		st.checkPool()
	})
}

func TestAcknowledgementsThatNeverComeAreNotWaitedForWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, pooled, nil)
		st.init()
		ctx, cancel := context.WithCancel(t.Context())
		over := st.started(ctx, run.Begin{Reserve: true})
		var last metric.Snapshot
		for range 3 * maxAsked {
			last = st.Snapshot()
		}
		if n := len(st.safe.asked); n != maxAsked {
			t.Errorf("%d are remembered", n)
		}
		st.Acknowledge(1) // forgotten
		time.Sleep(time.Second)
		if n := st.Snapshot().Scenarios[0].Begun; n != 0 {
			t.Errorf("%d began", n)
		}
		st.Acknowledge(last.Seq)
		time.Sleep(time.Second)
		if n := st.Snapshot().Scenarios[0].Begun; n != 4 {
			t.Errorf("%d began", n)
		}
		cancel()
		<-over
	})
}

func TestALocalRunNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, pooled, nil)
		st.init()
		ctx, cancel := context.WithCancel(t.Context())
		over := st.started(ctx, run.Begin{})
		time.Sleep(10*time.Second + time.Millisecond)
		if c := st.Snapshot().Scenarios; c[0].Begun != 44 || c[1].Begun != 11 {
			t.Errorf("%+v", c)
		}
		if len(st.Urgent()) > 0 || len(st.safe.asked) > 0 {
			t.Error("a snapshot is wanted, or remembered")
		}
		cancel()
		<-over
	})
}

// TestNoIterationIsBegunTwice plays a share's lives one after another: each yields, and the next begins where it stopped.
func TestNoIterationIsBegunTwice(t *testing.T) {
	for _, kind := range kinds() {
		synctest.Test(t, func(t *testing.T) {
			zero := time.Now()
			src := fmt.Sprintf(`import { sleep } from 'k6'; import exec from 'k6/execution';
				export const options = { scenarios: { a: { executor: '%s', %s } } };
				export default function () { console.log(exec.scenario.iterationInTest); sleep(0.09); }`, kind[0], strings.ReplaceAll(kind[1], "duration: '1s'", "duration: '2s'"))
			var said []string
			var begun int64
			var used map[string]int64
			for life := range 4 {
				st := newStage(t, src, nil)
				st.init()
				over := st.started(t.Context(), run.Begin{At: zero, Used: used, Exact: life > 0})
				time.Sleep(270 * time.Millisecond)
				var snap metric.Snapshot
				if life < 3 {
					var err error
					if snap, err = st.Yield(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if err := <-over; err != nil {
					t.Errorf("%s, life %d: %v", kind[0], life, err)
				}
				if life == 3 {
					snap = st.Snapshot()
				}
				if snap.Load.Interrupted > 0 && life < 3 {
					t.Errorf("%s, life %d: %d were cut off", kind[0], life, snap.Load.Interrupted)
				}
				begun += snap.Scenarios[0].Begun
				used = maps.Clone(snap.Reserved)
				if st.console.lines()[0] != "" {
					said = append(said, st.words()...)
				}
				st.checkPool()
			}
			slices.Sort(said)
			if once := slices.Compact(slices.Clone(said)); len(once) != len(said) || int64(len(said)) != begun || begun == 0 {
				t.Errorf("%s: %d iterations began, %d are counted, %d numbers are used", kind[0], len(said), begun, len(once))
			}
		})
	}
}

func TestWhoHasYieldedCutsOffWhatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6';
			export const options = { scenarios: { a: { executor: 'constant-vus', vus: 2, duration: '1h' }, b: { executor: 'constant-vus', vus: 2, startTime: '30m', duration: '1h' } } };
			export default function () { sleep(__VU === 1 ? 1 : 3600); }`, nil)
		st.init()
		over := st.started(t.Context(), run.Begin{})
		time.Sleep(10500 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		snap, err := st.Yield(ctx)
		if err != nil || time.Since(start) != 2*time.Second || <-over != nil {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if snap.Load.Iterations != 11 || snap.Load.Interrupted != 1 || snap.Reserved["a"] != 12 || snap.Reserved["b"] != 0 || snap.Load.VUs != 0 {
			t.Errorf("%+v, %v", snap.Load, snap.Reserved)
		}
		if again, err := st.Yield(t.Context()); err != nil || again.Reserved["a"] != 12 {
			t.Errorf("once more: %v, %v", again.Reserved, err)
		}
		st.checkPool()
	})
}

func TestWhoYieldsBeforeItsRunBeginsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, pooled, nil)
		st.init()
		if snap, err := st.Yield(t.Context()); err != nil || snap.Reserved != nil {
			t.Errorf("%v, %v", snap.Reserved, err)
		}
		if err := st.Run(t.Context(), run.Begin{}); err != nil || len(st.console.lines()) > 1 || time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) != 0 {
			t.Errorf("%v, said %q", err, st.console.lines())
		}
	})
}

func TestWhoYieldsBeforeItsTimeBeginsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, pooled, nil)
		st.init()
		start := time.Now()
		over := st.started(t.Context(), run.Begin{At: start.Add(time.Hour), Used: map[string]int64{"a": 7, "b": 9}})
		snap, err := st.Yield(t.Context())
		if want := map[string]int64{"a": 7, "b": 9}; err != nil || !maps.Equal(snap.Reserved, want) || <-over != nil || time.Since(start) != 0 {
			t.Errorf("%v, %v after %v", snap.Reserved, err, time.Since(start))
		}
	})
}

func TestWhatEndsARunBesideAYieldIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6'; import exec from 'k6/execution';
			export const options = { vus: 1, duration: '1h' };
			export default function () { sleep(1); exec.test.abort('enough'); }`, nil)
		st.init()
		over := st.started(t.Context(), run.Begin{})
		time.Sleep(500 * time.Millisecond)
		if _, err := st.Yield(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-over; fault.KindOf(err) != fault.ScriptAborted {
			t.Errorf("Run: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		fenced := errors.New("nobody hears us")
		st := newStage(t, pooled, nil)
		st.init()
		over := st.started(st.cutAfter(1500*time.Millisecond, fenced), run.Begin{})
		if err := <-over; !errors.Is(err, fenced) {
			t.Errorf("Run: %v", err)
		}
	})
}
