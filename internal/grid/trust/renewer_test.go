package trust

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// voter signs renewals, and can be away. It belongs to one bubble.
type voter struct {
	a *Authority

	mu    sync.Mutex
	away  error
	slow  bool          // answers no call before its end
	late  time.Duration // how late its clock is
	calls []time.Time
}

func (v *voter) renew(ctx context.Context, r Renewal) ([]byte, error) {
	v.mu.Lock()
	v.calls = append(v.calls, time.Now())
	away, slow, late := v.away, v.slow, v.late
	v.mu.Unlock() // a bubble's time stands still while somebody waits for a mutex
	if slow {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if away != nil {
		return nil, away
	}
	now := time.Now().Add(-late)
	s, err := v.a.VerifyRenewal(r, now)
	if err != nil {
		return nil, err
	}
	return v.a.Sign(r.CSR, s, now)
}

// asked is when it was asked so far.
func (v *voter) asked() []time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.calls)
}

// set changes it.
func (v *voter) set(change func(v *voter)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(v)
}

// logbook is a log that is read while it is written.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// count is how many lines of a level hold a text.
func (l *logbook) count(level slog.Level, text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if strings.Contains(line, "level="+level.String()) && strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// play runs a Renewer in a bubble, on a node of a grid that was founded as the bubble began.
func play(t *testing.T, story func(v *voter, id *Identity, log *logbook), hosts ...string) {
	synctest.Test(t, func(t *testing.T) {
		a, err := NewAuthority("grid-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		id, err := OpenIdentity(t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		install(t, a, id, "n1", time.Now())
		v, log := &voter{a: a}, &logbook{}
		r := &Renewer{Identity: id, Renew: v.renew, Hosts: hosts, Log: slog.New(slog.NewTextHandler(log, nil))}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		synctest.Wait()
		story(v, id, log)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

const day = 24 * time.Hour

// pass lets time go by, and what is due then be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestACertificateIsRenewedAfterAThirdOfItsLife(t *testing.T) {
	play(t, func(v *voter, id *Identity, log *logbook) {
		begin := time.Now()
		third := id.RenewAt().Sub(begin)
		if want := (NodeLife+Backdate)/3 - Backdate; third != want {
			t.Errorf("it is due after %v, want %v", third, want)
		}
		pass(third - time.Second)
		if len(v.asked()) != 0 {
			t.Errorf("asked for after %v", v.asked()[0].Sub(begin))
		}
		pass(2 * time.Second)
		if len(v.asked()) != 1 {
			t.Fatalf("asked %d times", len(v.asked()))
		}
		pass(20 * day)
		if n := len(v.asked()); n != 9 { // 20 days and a third of one life, by thirds of 7 days and an hour less that hour
			t.Errorf("asked %d times in 20 days", n)
		}
		if _, to := id.Span(); time.Until(to) < 4*day {
			t.Errorf("%v are left", time.Until(to))
		}
		if n := log.count(slog.LevelInfo, "was renewed"); n != len(v.asked()) {
			t.Errorf("%d lines tell of %d renewals", n, len(v.asked()))
		}
	})
}

func TestAVoterThatIsAwayIsAskedAgain(t *testing.T) {
	play(t, func(v *voter, id *Identity, log *logbook) {
		v.set(func(v *voter) { v.away = errors.New("nobody votes") })
		begin := id.RenewAt()
		pass(time.Until(begin) + 2*time.Hour)
		var gaps []string
		for i, at := range v.asked()[1:] {
			gaps = append(gaps, at.Sub(v.asked()[i]).String())
		}
		want := "15s 30s 1m0s 2m0s 4m0s 8m0s 15m0s 15m0s 15m0s 15m0s 15m0s 15m0s"
		if got := strings.Join(gaps, " "); got != want {
			t.Errorf("asked again after %s, want %s", got, want)
		}
		if log.count(slog.LevelWarn, "") != 0 {
			t.Error("a warning, with four days left")
		}
		v.set(func(v *voter) { v.away = nil })
		pass(16 * time.Minute)
		if _, to := id.Span(); time.Until(to) < 6*day {
			t.Errorf("%v are left", time.Until(to))
		}
		v.set(func(v *voter) { v.away, v.calls = errors.New("away once more"), nil })
		pass(time.Until(id.RenewAt()) + 20*time.Second)
		if n := len(v.asked()); n != 2 {
			t.Errorf("%d calls in the first 20 s: patience should begin anew", n)
		}
	})
}

func TestTheEndIsWarnedOf(t *testing.T) {
	play(t, func(v *voter, id *Identity, log *logbook) {
		v.set(func(v *voter) { v.away = errors.New("nobody votes") })
		_, to := id.Span()
		pass(time.Until(to) - (NodeLife+Backdate)/3 - time.Minute)
		if n := log.count(slog.LevelWarn, ""); n != 0 {
			t.Errorf("%d warnings too early", n)
		}
		pass(16 * time.Minute)
		if n := log.count(slog.LevelWarn, "ends soon and could not be renewed"); n != 1 || log.count(slog.LevelWarn, "nobody votes") != 1 {
			t.Errorf("%d warnings with a third left", n)
		}
		pass(time.Until(to) + 16*time.Minute)
		if n := log.count(slog.LevelError, "has expired and could not be renewed"); n < 1 {
			t.Error("nobody was told of the end")
		}
		v.set(func(v *voter) { v.away = nil }) // the expired one is renewed all the same
		pass(16 * time.Minute)
		if _, to := id.Span(); time.Until(to) < 6*day {
			t.Errorf("%v are left", time.Until(to))
		}
	})
}

func TestAVoterThatNeverAnswersHoldsNothingUp(t *testing.T) {
	play(t, func(v *voter, id *Identity, _ *logbook) {
		v.set(func(v *voter) { v.slow = true })
		pass(time.Until(id.RenewAt()) + 20*time.Minute)
		if n := len(v.asked()); n < 5 {
			t.Errorf("asked %d times in 20 minutes", n)
		}
	})
}

func TestANodeThatMovedIsRenewedAtOnce(t *testing.T) {
	play(t, func(v *voter, id *Identity, _ *logbook) {
		if len(v.asked()) != 1 || !id.Covers("10.0.0.9") || id.Covers("127.0.0.1") {
			s, _ := id.Subject()
			t.Errorf("after %d calls it is for %v", len(v.asked()), s.Hosts)
		}
		pass(day)
		if len(v.asked()) != 1 {
			t.Errorf("asked %d times", len(v.asked()))
		}
	}, "10.0.0.9")
}

func TestALateClockAtTheVoterMakesNoStorm(t *testing.T) {
	play(t, func(v *voter, id *Identity, _ *logbook) {
		pass(time.Until(id.RenewAt()) - time.Second)
		v.set(func(v *voter) { v.late = Backdate - time.Minute }) // as late as a renewal allows
		pass(time.Hour)
		if n := len(v.asked()); n != 1 {
			t.Errorf("asked %d times in an hour", n)
		}
	})
	synctest.Test(t, func(t *testing.T) { // and a signer who gives what is due at once
		a, err := NewAuthority("grid-1", time.Now().Add(-10*day))
		if err != nil {
			t.Fatal(err)
		}
		id, err := OpenIdentity(t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		install(t, a, id, "n1", time.Now().Add(-5*day))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		n := 0
		r := &Renewer{Identity: id, Log: slog.New(slog.DiscardHandler), Renew: func(_ context.Context, r Renewal) ([]byte, error) {
			n++
			return a.Sign(r.CSR, Subject{Name: "n1", Role: Node, Hosts: []string{"n1"}}, time.Now().Add(-5*day))
		}}
		if err := r.Run(ctx); err != nil || n > 5 {
			t.Errorf("asked %d times in an hour, %v", n, err)
		}
	})
}

func TestANodeThatStopsIsNotWarned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, err := NewAuthority("grid-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		id, err := OpenIdentity(t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		install(t, a, id, "n1", time.Now())
		pass(6 * day)
		log := &logbook{}
		v := &voter{a: a, slow: true}
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { stop(errors.New("drained")) })
		r := &Renewer{Identity: id, Renew: v.renew, Log: slog.New(slog.NewTextHandler(log, nil))}
		if err := r.Run(ctx); err != nil || log.b.Len() != 0 {
			t.Errorf("%v, and %q", err, log.b.String())
		}
	})
}
