package thronggrid

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/load/k6/scope"
	"throng/internal/load/k6/scopetest"
	"throng/internal/plan"
	"throng/internal/run"
	"throng/internal/run/shared"
)

// users are virtual users of one test.
func users(t *testing.T, n int) []*scopetest.Rig {
	all := make([]*scopetest.Rig, n)
	for i := range all {
		all[i] = scopetest.New(t)
		if i > 0 {
			all[i].Test = all[0].Test
		} else {
			all[0].Test.Shared = shared.New()
		}
		if err := all[i].Runtime.Set("id", i); err != nil {
			t.Fatal(err)
		}
		all[i].Import(New)
	}
	return all
}

// together runs src in all of them at once and returns what came of it, in order.
func together(all []*scopetest.Rig, src string) []string {
	got := make(chan string, len(all))
	for _, u := range all {
		go func() { got <- u.Run(src) }()
	}
	var lines []string
	for range all {
		lines = append(lines, <-got)
	}
	slices.Sort(lines)
	return lines
}

func TestEverybodyGetsWhatOneHasMade(t *testing.T) {
	all := users(t, 8)
	got := together(all, `let ran = 0; const v = once('token', () => { ran++; return { made: [1, null, undefined], nothing: undefined } }); v.mine = id; JSON.stringify([ran, v])`)
	ran := 0
	for _, line := range got {
		if strings.HasPrefix(line, `"[1,`) {
			ran++
		}
		if !strings.Contains(line, `,{\"made\":[1,null,null],\"mine\":`) {
			t.Errorf("somebody got %s", line)
		}
	}
	if ran != 1 {
		t.Errorf("it ran %d times: %q", ran, got)
	}
	if got := all[3].Run(`once('token', () => 'again').made.length + once('other', () => 5)`); got != "8" {
		t.Errorf("later: %s", got)
	}
	if got := all[3].Run(`once('nothing', () => {})`) + all[4].Run(`once('nothing', () => 1)`); got != "nullnull" {
		t.Errorf("nothing: %s", got)
	}
}

func TestWhoFailsLetsTheNextTry(t *testing.T) {
	all := users(t, 2)
	if got := all[0].Run(`once('k', () => { throw new Error('no luck') })`); !strings.Contains(got, "no luck") {
		t.Errorf("it threw %s", got)
	}
	for src, want := range map[string]string{
		`once('k', () => 'x'.repeat(70000))`:                   "a value of 70002 bytes",
		`once('k', () => { const a = {}; a.a = a; return a })`: "circular",
		`once('k', () => Promise.resolve(1))`:                  "cannot share a promise",
		`once('k', () => once('k', () => 1))`:                  "would wait for itself",
		`once('k', async () => 1)`:                             "does not support async functions",
		`once('k')`:                                            "wants a function",
	} {
		if got := all[0].Run(src); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
	if got := all[1].Run(`once('k', () => 7)`); got != "7" {
		t.Errorf("the next gets %s", got)
	}
}

func TestABarrierHoldsUntilAllAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := users(t, 3)
		start := time.Now()
		for i, u := range all {
			u.Scenario = &scope.Scenario{Scenario: &plan.Scenario{Executor: plan.ConstantVUs, VUs: 3}}
			u.Sleep(0)
			if err := u.Runtime.Set("wait", func() { time.Sleep(time.Duration(i) * time.Second) }); err != nil {
				t.Fatal(err)
			}
		}
		together(all, `for (let i = 0; i < 2; i++) { wait(); barrier('b'); }`)
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("it took %v, the slowest needs 4s", took)
		}
		together(all[:2], `wait(); barrier('b', 2)`)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestCountersAndQueues(t *testing.T) {
	all := users(t, 8)
	lines := together(all, `const c = counter('c'), q = queue('q'); const mine = [];
		for (let i = 0; i < 50; i++) { mine.push(c.add()); q.push({ n: id * 50 + i }, 'x'); }
		JSON.stringify(mine)`)
	if strings.Join(lines, "") == "" {
		t.Fatal("nothing came of it")
	}
	seen := map[string]bool{}
	for _, l := range lines {
		for n := range strings.SplitSeq(strings.Trim(l, `"[]`), ",") {
			if seen[n] {
				t.Errorf("two were told that they are number %s", n)
			}
			seen[n] = true
		}
	}
	if got := all[0].Run(`[counter('c').value(), counter('c').add(-400), counter('new').value(), queue('empty').pop(), queue('q').push()]`); got != "[400,0,0,null,800]" {
		t.Errorf("got %s", got)
	}
	got := together(all, `let n = 0, sum = 0; for (let v; (v = queue('q').pop()) !== null; n++) { if (v.n !== undefined) sum += v.n; } JSON.stringify([n, sum])`)
	n, sum := 0, 0
	for _, l := range got {
		var a, b int
		if _, err := fmt.Sscanf(l, `"[%d,%d]"`, &a, &b); err != nil {
			t.Fatal(l, err)
		}
		n, sum = n+a, sum+b
	}
	if n != 800 || sum != 399*400/2 {
		t.Errorf("%d items came out, the numbers sum to %d", n, sum)
	}
}

func TestMistakesAreThrown(t *testing.T) {
	u := users(t, 1)[0]
	u.Scenario = &scope.Scenario{Scenario: &plan.Scenario{Executor: plan.RampingVUs}}
	for src, want := range map[string]string{
		`once()`:                             "once() wants a name",
		`counter(5)`:                         "counter() wants a name",
		`counter('c').add(0.5)`:              "add() wants a whole number, not 0.5",
		`counter('c').add('1')`:              "add() wants a whole number, not 1",
		`counter('c').add(2 ** 60)`:          "add() wants a whole number",
		`counter('').add()`:                  "a name of 0 characters",
		`queue('q'.repeat(201)).pop()`:       "a name of 201 characters",
		`queue('q').push('x'.repeat(70000))`: "a value of 70002 bytes",
		`barrier('b')`:                       "barrier(name, n) wants n",
		`barrier('b', 0)`:                    "a barrier opens for 1 or more, not for 0",
		`barrier('b', 1.5)`:                  "barrier() wants a whole number",
		`[counter('c').add(2 ** 53 - 1), counter('c').add()]`: "from where on numbers are not exact",
	} {
		if got := u.Run(src); !strings.Contains(got, "throng/grid: ") || !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
	u.Phase = scope.Init
	if got := u.Run(`const c = counter('later'); c.add()`); !strings.Contains(got, "nothing is shared in the init context") {
		t.Errorf("init: %s", got)
	}
	u.Phase = scope.Setup
	if got := u.Run(`c.add()`); got != "1" {
		t.Errorf("setup: %s", got)
	}
}

func TestWhoIsCutOffLeavesNothingBehind(t *testing.T) {
	for _, src := range []string{
		`barrier('b', 2)`,
		`once('held', () => 1)`,
		`once('k', () => { barrier('b', 2); return 1 })`,
	} {
		synctest.Test(t, func(t *testing.T) {
			all := users(t, 3)
			holds := run.Ask{Op: run.Claim, Key: "held", Caller: 99, Call: 1}
			if a, err := all[0].Test.Shared.Do(t.Context(), holds); err != nil || !a.Mine {
				t.Fatal(a, err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			all[0].Context = ctx
			ended := make(chan error)
			go func() {
				_, err := all[0].Runtime.RunString(`globalThis.after = 0; try { ` + src + `; after = 1 } catch (e) { after = 2 } finally { after = 3 }`)
				ended <- err
			}()
			time.Sleep(time.Second)
			cancel()
			if err := <-ended; err == nil || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: it ended with %v", src, err)
			}
			all[0].Runtime.ClearInterrupt()
			if got := all[0].Run(`after`); got != "0" {
				t.Errorf("%s: the script went on: %s", src, got)
			}
			// Nobody waits at the barrier, and nobody makes k.
			start := time.Now()
			go func() {
				all[2].Run(`wait(); barrier('b', 2)`)
				ended <- nil
			}()
			if err := all[2].Runtime.Set("wait", func() { time.Sleep(time.Minute) }); err != nil {
				t.Fatal(err)
			}
			if got := all[1].Run(`once('k', () => 2); barrier('b', 2); once('k', () => 3)`); got != "2" || time.Since(start) != time.Minute {
				t.Errorf("%s: the next got %s after %v", src, got, time.Since(start))
			}
			<-ended
		})
	}
}

// away is a Shared that is out of reach at first.
type away struct {
	run.Shared
	later, until time.Time
	asked        []run.Ask
}

func (a *away) Do(ctx context.Context, q run.Ask) (run.Answer, error) {
	a.asked = append(a.asked, q)
	if time.Now().Before(a.later) {
		time.Sleep(5 * time.Second)
		return run.Answer{Later: true}, nil
	}
	if time.Now().Before(a.until) {
		return run.Answer{}, errors.New("no leader")
	}
	if len(a.asked)%2 == 0 {
		return run.Answer{Later: true}, nil
	}
	return a.Shared.Do(ctx, q)
}

func TestAnAnswerThatDoesNotComeIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := users(t, 1)[0]
		a := &away{Shared: u.Test.Shared, until: time.Now().Add(5 * time.Second)}
		u.Test.Shared = a
		if got := u.Run(`counter('c').add(3)`); got != "3" {
			t.Errorf("got %s", got)
		}
		for _, q := range a.asked {
			if q.Call != a.asked[0].Call || q.Caller == 0 {
				t.Fatalf("asked again as %+v", q)
			}
		}
		if len(a.asked) < 10 || len(a.asked) > 30 {
			t.Errorf("asked %d times in 5s", len(a.asked))
		}
		// Who has waited for a minute, because there was nothing, has not been without an answer for that long.
		a.later = time.Now().Add(time.Minute)
		a.until = a.later.Add(10 * time.Second)
		if got := u.Run(`counter('c').add(3)`); got != "6" {
			t.Errorf("got %s", got)
		}
		a.until = time.Now().Add(time.Hour)
		start := time.Now()
		if got := u.Run(`counter('c').add(3)`); !strings.Contains(got, "no answer: no leader") || time.Since(start) > 2*patience {
			t.Errorf("got %s after %v", got, time.Since(start))
		}
	})
}
