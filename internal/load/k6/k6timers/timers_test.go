package k6timers

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/load/k6/scopetest"
)

func TestTimersRunInOrderOfDueTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := scopetest.New(t)
		r.Import(New)
		r.Run(`globalThis.log = []; const p = (s) => () => log.push(s);
			setTimeout(p("60"), 60); setTimeout(p("20"), 20);
			setTimeout(() => { log.push("a"); Promise.resolve().then(p("micro")); setTimeout(p("nested"), 0) }, 0);
			setTimeout(p("b")); setTimeout(p("negative"), -5); setTimeout(p("text"), "30");
			let n = 0; const i = setInterval((step) => { n += step; log.push("i" + n); if (n === 4) clearInterval(i) }, 25, 2);
			clearTimeout(setTimeout(p("never"), 1)); clearTimeout(99); log.push("sync")`)
		if got, want := r.Run(`log.join()`), `"sync,a,micro,b,negative,nested,20,i2,text,i4,60"`; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
	})
}

func TestTheLoopEndsWhenTheLastTimerIsCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := scopetest.New(t)
		r.Import(New)
		start := time.Now()
		r.Run(`const id = setTimeout(() => 1, 100000); setTimeout(() => clearTimeout(id), 10)`)
		if d := time.Since(start); d != 10*time.Millisecond {
			t.Errorf("the loop ended after %v", d)
		}
	})
}

func TestNothingIsLeftOfAnInterruptedIteration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := scopetest.New(t)
		r.Import(New)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		r.Context = ctx
		r.Run(`globalThis.ran = 0; setTimeout(() => { ran = 1 }, 5000); setInterval(() => 1, 300)`)
		if r.Loop.Pending() != 0 {
			t.Error("the loop still waits")
		}
		r.Context = context.Background()
		for _, f := range r.OnIterationStart {
			f()
		}
		time.Sleep(time.Minute) // in the bubble: no time passes outside
		if got := r.Run(`setTimeout(() => { ran += 10 }, 1); ran`); got != "0" {
			t.Errorf("ran = %s", got)
		}
		if got := r.Run(`ran`); got != "10" {
			t.Errorf("afterwards ran = %s", got)
		}
		if !strings.Contains(r.Log.String(), "setTimeout 1 was stopped because the VU iteration was interrupted") {
			t.Errorf("log: %s", r.Log)
		}
	})
}

func TestACallbackIsRequired(t *testing.T) {
	r := scopetest.New(t)
	r.Import(New)
	for _, src := range []string{`setTimeout()`, `setTimeout("code", 1)`, `setInterval(undefined, 1)`} {
		if got := r.Run(src); !strings.Contains(got, "callback isn't a callable function") {
			t.Errorf("%s: %s", src, got)
		}
	}
}
