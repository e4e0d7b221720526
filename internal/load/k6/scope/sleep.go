package scope

import "time"

// Sleep waits for d, or until Context ends; it reports whether it has waited for all of d. While the virtual user is
// watched, an interruption rings the timer: waiting for one thing takes half of what waiting for two takes, and virtual
// users sleep by the thousand.
func (vu *VU) Sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	if vu.timer == nil {
		vu.timer = time.NewTimer(d)
		vu.OnInterrupt.AddFirst(vu.ring)
	} else {
		vu.timer.Reset(d)
	}
	if vu.Watched && vu.Context.Err() == nil {
		<-vu.timer.C
	} else {
		vu.doze()
	}
	return vu.Context == nil || vu.Context.Err() == nil
}

// ring ends a Sleep. One that begins later finds that Context has ended.
func (vu *VU) ring() { vu.timer.Reset(0) }

// doze is the wait of a virtual user that nobody interrupts, as in init code.
func (vu *VU) doze() {
	var done <-chan struct{}
	if vu.Context != nil {
		done = vu.Context.Done()
	}
	select {
	case <-vu.timer.C:
	case <-done:
		vu.timer.Stop()
	}
}
