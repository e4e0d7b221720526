package scheduler

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"throng/internal/run"
	"time"
)

const steered = `import { sleep } from 'k6';
	export const options = { scenarios: { a: { executor: 'externally-controlled', vus: 1, maxVUs: 4, duration: '10s' } } };
	export default function () { sleep(0.3); }`

func TestVUsFollowTheHandThatScalesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, steered, nil)
		three, five, six := int64(3), int64(5), int64(6)
		if err := st.Scale(&three, nil); !errors.Is(err, ErrFixed) {
			t.Errorf("Scale before Init: %v", err)
		}
		st.init()
		over := make(chan error)
		go func() { over <- st.Run(t.Context(), run.Begin{}) }()
		synctest.Wait()
		for _, step := range []struct {
			vus, most *int64
			refused   bool
			active    int64
			made      int64
		}{{nil, nil, false, 1, 4}, {&three, nil, false, 3, 4}, {&five, nil, true, 3, 4}, {&five, &six, false, 5, 6}} {
			if err := st.Scale(step.vus, step.most); (err != nil) != step.refused {
				t.Errorf("Scale: %v", err)
			}
			time.Sleep(time.Second)
			if l := st.Load(); l.VUs != step.active || l.VUsMax != step.made {
				t.Errorf("%d of %d are active, want %d of %d", l.VUs, l.VUsMax, step.active, step.made)
			}
		}
		if err := <-over; err != nil {
			t.Fatal(err)
		}
		st.checkPool()
	})
}

func TestAPauseStopsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, steered, nil)
		st.init()
		if err := st.Pause(true); err == nil {
			t.Error("a run that has not begun was paused")
		}
		over := make(chan error)
		go func() { over <- st.Run(t.Context(), run.Begin{}) }()
		time.Sleep(time.Second)
		if err := st.Pause(true); err != nil || !st.Paused() {
			t.Errorf("Pause: %v, paused %v", err, st.Paused())
		}
		if err := st.Pause(true); err == nil || err.Error() != "test execution was already paused" {
			t.Errorf("a second Pause: %v", err)
		}
		time.Sleep(5 * time.Second)
		done := st.Load().Iterations
		time.Sleep(5 * time.Second)
		if l := st.Load(); l.Iterations != done {
			t.Errorf("%d iterations were complete, and %d after 5 s of pause", done, l.Iterations)
		}
		if err := st.Pause(false); err != nil || st.Paused() {
			t.Errorf("Pause(false): %v, paused %v", err, st.Paused())
		}
		if err := st.Pause(false); err == nil || err.Error() != "test execution wasn't paused" {
			t.Errorf("a second Pause(false): %v", err)
		}
		if err := <-over; err != nil {
			t.Fatal(err)
		}
		if d := st.Elapsed(); d < 20*time.Second || d > 20*time.Second+300*time.Millisecond {
			t.Errorf("it took %v, want 10s of work and 10s of pause", d)
		}
		st.checkPool()
	})
}

func TestOtherScenariosCannotBeHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, `import { sleep } from 'k6';
			export const options = { scenarios: {
				a: { executor: 'externally-controlled', vus: 1, maxVUs: 2, duration: '1s' },
				b: { executor: 'constant-vus', startTime: '2s', duration: '1s' }, z: { executor: 'constant-vus', startTime: '1s', duration: '1s' } } };
			export default function () { sleep(0.3); }`, nil)
		st.init()
		if err := st.Pause(true); err == nil || !strings.Contains(err.Error(), "constant-vus executor 'z'") {
			t.Errorf("Pause: %v; z is the first that cannot", err)
		}
		if err := st.Run(t.Context(), run.Begin{}); err != nil {
			t.Fatal(err)
		}
	})
}
