package scheduler

import (
	"context"
	"errors"
	"testing"
	"time"

	"throng/internal/run"
)

// TestTheEndOfARunReachesBusyScripts runs in real time. What it holds is that not every virtual user needs its turn, among 200 goroutines
// of which each has 10 ms at a time, before it hears of the end. Who tells them may be in want of one himself, though seldom: hence the
// attempts.
func TestTheEndOfARunReachesBusyScripts(t *testing.T) {
	fenced := errors.New("nobody hears us")
	for _, tt := range []struct {
		name string
		end  func(st *stage, cancel context.CancelCauseFunc)
		want error
	}{
		{"the end of the context", func(_ *stage, cancel context.CancelCauseFunc) { cancel(fenced) }, fenced},
		{"a yield without patience", func(st *stage, _ context.CancelCauseFunc) {
			none, cancel := context.WithCancel(context.Background())
			cancel()
			if _, err := st.Yield(none); err != nil {
				t.Error(err)
			}
		}, nil},
	} {
		best := time.Hour
		for attempt := 0; attempt < 5 && best > 200*time.Millisecond; attempt++ {
			best = min(best, timeToEnd(t, tt.end, tt.want))
		}
		if best > 200*time.Millisecond {
			t.Errorf("%s: it took %v at best", tt.name, best)
		}
	}
}

// timeToEnd returns how long a run of 200 busy scripts goes on after end, which makes Run return want.
func timeToEnd(t *testing.T, end func(*stage, context.CancelCauseFunc), want error) time.Duration {
	t.Helper()
	st := newStage(t, `import { sleep } from 'k6';
		export const options = { vus: 200, duration: '1h' };
		export default function () { sleep(0.5); console.log('busy'); for (;;) {} }`, nil)
	st.init()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	over := make(chan error, 1)
	go func() { over <- st.Run(ctx, run.Begin{}) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(st.console.lines()) < 200 { // until the last one is
		<-tick.C
	}
	begin := time.Now()
	end(st, cancel)
	if err := <-over; !errors.Is(err, want) {
		t.Errorf("Run: %v, want %v", err, want)
	}
	took := time.Since(begin)
	if l := st.Load(); l.VUs != 0 || l.Interrupted != 200 {
		t.Errorf("%+v", l)
	}
	st.checkPool()
	return took
}
