package runner

import "time"

// stillness finds out whether a process is frozen: it has been stopped, or waits for a disk that is not there. One that is only busy
// may not find the time to speak, but it works.
type stillness struct {
	since time.Time // of the first look at which it had been silent, and had worked for so long as:
	work  int64
}

// What a process that is not frozen does not exceed: it speaks once a second.
const (
	maxSilent = 3 * time.Second
	maxStill  = 2 * time.Second
)

// look is to be called once a second with the time, for how long the process has been silent, and how long it has worked in all (0:
// nobody knows). It returns for how long the process has been frozen; 0 if it is not.
func (s *stillness) look(now time.Time, silent time.Duration, worked func() int64) time.Duration {
	if silent < maxSilent {
		s.since = time.Time{}
		return 0
	}
	work := worked()
	if s.since.IsZero() || work != s.work || work == 0 {
		s.since, s.work = now, work
		return 0
	}
	if now.Sub(s.since) < maxStill {
		return 0
	}
	return silent
}
