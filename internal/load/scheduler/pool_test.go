package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/fault"
	"throng/internal/plan"
	"throng/internal/run"
)

// kinds are scenarios of each kind in which iterations of 0.3 s meet every limit: fewer finish than begin, or are due.
func kinds() [][2]string {
	return [][2]string{
		{plan.SharedIterations, `vus: 3, iterations: 20, maxDuration: '1s'`},
		{plan.PerVUIterations, `vus: 3, iterations: 9, maxDuration: '1s'`},
		{plan.ConstantVUs, `vus: 3, duration: '1s'`},
		{plan.RampingVUs, `startVUs: 1, stages: [{duration: '500ms', target: 4}, {duration: '500ms', target: 0}]`},
		{plan.ConstantArrivalRate, `rate: 20, duration: '1s', preAllocatedVUs: 2, maxVUs: 5`},
		{plan.RampingArrivalRate, `startRate: 1, timeUnit: '1s', stages: [{duration: '1s', target: 30}], preAllocatedVUs: 2, maxVUs: 5`},
		{plan.ExternallyControlled, `vus: 2, maxVUs: 5, duration: '1s'`},
	}
}

func TestEveryVUIsReturned(t *testing.T) {
	script := func(scenarios string) string {
		return fmt.Sprintf(`import { sleep } from 'k6'; import exec from 'k6/execution';
			export const options = { scenarios: { %s } };
			export default function () { sleep(0.3); if (exec.scenario.iterationInTest === 4) throw new Error('four'); }
			export function aborts() { sleep(0.3); if (exec.scenario.iterationInTest === 3) exec.test.abort('enough'); }
			export async function hangs() { await new Promise((f) => setTimeout(f, 3600e3)); }`, scenarios)
	}
	stopped := fault.New(fault.Interrupted, errors.New("stopped"))
	for _, kind := range kinds() {
		for _, tt := range []struct {
			name, graceful, exec string
			cut                  time.Duration // when the run is cut short; 0 for never
			want                 error
		}{
			{name: "in time"},
			{name: "cut by gracefulStop", graceful: "100ms"},
			{name: "without gracefulStop", graceful: "0s"},
			{name: "interrupted", cut: 450 * time.Millisecond, want: stopped},
			{name: "interrupted at once", cut: time.Nanosecond, want: stopped},
			{name: "aborted", exec: "aborts", want: fault.New(fault.ScriptAborted, errors.New("test aborted: enough"))},
			{name: "with promises that settle too late", exec: "hangs", graceful: "100ms"},
		} {
			t.Run(kind[0]+"/"+tt.name, func(t *testing.T) {
				more := ""
				if tt.graceful != "" && kind[0] != plan.ExternallyControlled { // which has none
					more = ", gracefulStop: '" + tt.graceful + "'"
				}
				if tt.exec != "" {
					more += ", exec: '" + tt.exec + "'"
				}
				synctest.Test(t, func(t *testing.T) {
					checkReturned(t, script(fmt.Sprintf(`a: {executor: '%s', %s%s}`, kind[0], kind[1], more)), tt.cut, tt.want)
				})
			})
		}
	}
	t.Run("beside and after one another", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var all []string
			for i, kind := range kinds() {
				all = append(all, fmt.Sprintf(`s%d: {executor: '%s', %s, startTime: '%dms'}`, i, kind[0], kind[1], i/2*700))
			}
			checkReturned(t, script(strings.Join(all[:len(all)-1], ",")), 0, nil)
		})
	})
}

func checkReturned(t *testing.T, src string, cut time.Duration, want error) {
	st := newStage(t, src, nil)
	st.init()
	ctx := t.Context()
	if cut > 0 {
		ctx = st.cutAfter(cut, want)
	}
	err := st.Run(ctx, run.Begin{})
	if !strings.HasPrefix(fmt.Sprint(err), fmt.Sprint(want)) || fault.KindOf(err) != fault.KindOf(want) {
		t.Errorf("Run: %v, want %v", err, want)
	}
	st.checkPool()
	if n := st.total("iterations").Sum; int64(n) != st.Load().Iterations {
		t.Errorf("metric iterations is %v, %d were counted", n, st.Load().Iterations)
	}
	if n := st.total("dropped_iterations").Sum; int64(n) != st.Load().Dropped {
		t.Errorf("metric dropped_iterations is %v, %d were counted", n, st.Load().Dropped)
	}
	for _, p := range st.Progress() {
		if want == nil && !p.Ended {
			t.Errorf("%s has not ended: %+v", p.Scenario, p)
		}
	}
}

func TestVUsGoOutInTheOrderOfTheirNumbers(t *testing.T) {
	p := newPool()
	for _, id := range []int64{3, 1, 2} {
		p.put(&member{id: id})
	}
	p.sort()
	var got []int64
	for range 3 {
		m, err := p.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.id)
	}
	if !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("they go out as %v", got)
	}
	p.put(&member{id: 2})
	p.put(&member{id: 1})
	if m, _ := p.get(t.Context()); m.id != 2 {
		t.Errorf("%d goes out first; 2 has waited longer", m.id)
	}
}

func TestVUsThatAreMadeTogetherStandInOrder(t *testing.T) {
	st := newStage(t, `export const options = { vus: 300, duration: '1s' };
		if (__VU % 7 === 1) { let n = 0; for (let i = 0; i < 2000; i++) n += i; }
		export default function () {}`, nil)
	st.init()
	if !slices.IsSortedFunc(st.pool.free, func(a, b *member) int { return int(a.id - b.id) }) {
		t.Error("who was ready first stands first")
	}
	st.checkPool()
}

func TestWhoWaitsForAVUGetsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool()
		got := make(chan int64, 3)
		for range 3 {
			go func() {
				if m, err := p.get(t.Context()); err == nil {
					got <- m.id
				}
			}()
		}
		synctest.Wait()
		if len(got) != 0 {
			t.Fatal("somebody got a virtual user from an empty pool")
		}
		for id := range int64(3) { // all at once: one nudge must not be lost for the others
			p.mu.Lock()
			p.free = append(p.free, &member{id: id})
			p.mu.Unlock()
		}
		p.nudge()
		synctest.Wait()
		if len(got) != 3 {
			t.Errorf("%d of 3 that waited got one", len(got))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the wait ended with %v", err)
		}
	})
}

func TestVUsAreNumberedWithinTheWholeTest(t *testing.T) {
	for _, tt := range []struct{ segment, sequence, want string }{
		{"0:1", "0,1", "1:1 2:2 3:3 4:4 5:5 6:6"},
		{"0:1/3", "0,1/3,2/3,1", "1:1 2:4"},
		{"1/3:2/3", "0,1/3,2/3,1", "1:2 2:5"},
		{"2/3:1", "0,1/3,2/3,1", "1:3 2:6"},
	} {
		t.Run(tt.segment, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newStage(t, fmt.Sprintf(`import exec from 'k6/execution'; import { sleep } from 'k6';
					export const options = { executionSegment: '%s', executionSegmentSequence: '%s',
						scenarios: { a: { executor: 'per-vu-iterations', vus: 6, iterations: 1 } } };
					export default function () { console.log(exec.vu.idInInstance + ':' + exec.vu.idInTest); sleep(1); }`, tt.segment, tt.sequence), nil)
				if err := st.play(""); err != nil {
					t.Fatal(err)
				}
				lines := st.console.lines()
				slices.Sort(lines)
				if got := strings.ReplaceAll(strings.Join(lines, " "), "msg=", ""); got != tt.want {
					t.Errorf("the numbers are %s, want %s", got, tt.want)
				}
				st.checkPool()
			})
		})
	}
}

func TestUnplannedVUsCarryOnTheNumbering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6';
			export const options = { scenarios: { a: { executor: 'constant-arrival-rate', rate: 10, duration: '1s', preAllocatedVUs: 1, maxVUs: 3 } } };
			export default function () { console.log(__VU); sleep(5); }`, nil)
		ready := st.init()
		if ready.MaxVUs != 3 || st.Load().VUsMax != 1 {
			t.Errorf("%d virtual users of at most %d are made before the start, want 1 of 3", st.Load().VUsMax, ready.MaxVUs)
		}
		if err := st.Run(t.Context(), run.Begin{}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(st.console.lines(), " "); got != "msg=1 msg=2 msg=3" {
			t.Errorf("the virtual users are %s", got)
		}
		if l := st.Load(); l.Iterations != 3 || l.Dropped != 7 || l.VUsMax != 3 {
			t.Errorf("the load is %+v", l)
		}
		st.checkPool()
	})
}
