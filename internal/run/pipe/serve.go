package pipe

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"throng/internal/run"
)

// Starter makes the runner that a job asks for. Up is how it tells the node things.
type Starter func(ctx context.Context, job []byte, up *Up) (run.Runner, error)

// Flusher is a runner that holds output lines back: Flush hands all of them to Up.Lines.
type Flusher interface {
	Flush(ctx context.Context) error
}

// Drainer is a runner that writes to servers elsewhere: Drain has them take what they have not had yet, and returns soon
// after ctx is done, or earlier.
type Drainer interface {
	Drain(ctx context.Context)
}

// What ends a runner.
var (
	// ErrGone reports that the other process has closed the stream, or died.
	ErrGone = errors.New("the other end of the stream is gone")
	// ErrSilent reports that the lease that the node gave has ended.
	ErrSilent = errors.New("the node has been silent for too long")
)

// Leased is a stream beside which beats come on their own way. Until returns the newest, 0 if none has come since it was asked last,
// and whether the way is closed; it never waits.
//
// A beat in the stream itself is read by a goroutine that must get its turn: where a thousand scripts compute that takes
// seconds, and a beat that has not been read is no beat. Who asks a Leased stream when the lease ends misses none.
type Leased interface {
	Until() (wall int64, closed bool)
}

// Serve runs what the node at the other end of conn asks for, until the node is gone, its lease has ended, or ctx has; it returns
// which. Lost, unless it is nil, is called with that at once, before anything is told to stop: a process that holds nothing but
// the runner ends itself there.
func Serve(ctx context.Context, conn io.ReadWriteCloser, start Starter, lost func(error)) error {
	s := &server{link: newLink(ctx, conn), start: start, started: make(chan struct{}), lease: DefaultLease}
	s.beats, _ = conn.(Leased)
	s.lost = lost
	s.out.credit = window
	s.answer, s.take = s.carryOut, s.frame
	s.extend(time.Now().Add(DefaultLease))
	defer s.disarm()
	var beside sync.WaitGroup
	beside.Go(s.tick)
	err := s.run()
	beside.Wait()
	return reason(err)
}

// reason is what ended a stream, in our words where its own are no help.
func reason(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		return ErrGone
	}
	return err
}

// server is the runner's end.
type server struct {
	*link
	start   Starter
	started chan struct{} // closed when what follows is set
	runner  run.Runner
	err     error

	beats   Leased     // nil: they come in the stream
	leasing sync.Mutex // guards what follows
	opened  bool
	lease   time.Duration
	until   time.Time
	checks  []*time.Timer
}

// frame takes what is no call.
func (s *server) frame(k kind, payload []byte) error {
	switch k {
	case jobFrame:
		return s.open(payload)
	case beatFrame:
		n, err := readNumber(payload)
		if err == nil {
			s.extend(unwall(int64(n)))
		}
		return err
	case creditFrame:
		n, err := readNumber(payload)
		s.out.put(func() { s.out.credit = min(s.out.credit+int(min(n, window)), window) })
		return err
	case ackFrame:
		n, err := readNumber(payload)
		select {
		case <-s.started:
			if s.err == nil {
				s.runner.Acknowledge(n)
			}
		default: // nothing was reserved yet
		}
		return err
	}
	return fmt.Errorf("an unexpected frame of kind %d", k)
}

func (s *server) open(payload []byte) error {
	var o opening
	if err := json.Unmarshal(payload, &o); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	s.leasing.Lock()
	again := s.opened
	s.opened = true
	if o.Lease > 0 {
		s.lease = o.Lease
	}
	lease := s.lease
	s.leasing.Unlock()
	if again {
		return errors.New("a second job")
	}
	s.extend(time.Now().Add(lease))
	s.busy.Go(func() {
		defer close(s.started)
		s.runner, s.err = s.start(s.ctx, o.Job, &Up{s})
	})
	return nil
}

// extend lets the runner go on until t, though never for longer than a lease.
func (s *server) extend(t time.Time) {
	s.leasing.Lock()
	defer s.leasing.Unlock()
	s.move(t)
}

// What stands behind the end of the lease: grace is what the reader of a busy process gets to read a beat that has arrived. Then the
// lease is checked several times: each is a goroutine of its own, which the runtime starts when its time comes, before all that
// wait for their turn, unless another time comes in the same instant.
const (
	grace   = 50 * time.Millisecond
	checks  = 8
	between = 15 * time.Millisecond
)

// move sets until, and when to look at it; s.leasing is held.
func (s *server) move(t time.Time) {
	if most := time.Now().Add(s.lease); t.After(most) {
		t = most
	}
	s.until = t
	left := time.Until(t)
	if s.beats == nil {
		left += grace
	}
	for i := range checks {
		wait := max(left, 0) + time.Duration(i)*between
		if len(s.checks) <= i {
			s.checks = append(s.checks, time.AfterFunc(wait, s.check))
		} else {
			s.checks[i].Reset(wait)
		}
	}
}

// disarm ends the checks.
func (s *server) disarm() {
	s.leasing.Lock()
	defer s.leasing.Unlock()
	for _, t := range s.checks {
		t.Stop()
	}
}

// check ends everything when the lease has ended.
func (s *server) check() {
	if !s.leasing.TryLock() {
		return // another check, or a beat
	}
	defer s.leasing.Unlock()
	late := grace
	if s.beats != nil {
		late = 0
		wall, closed := s.beats.Until()
		if wall != 0 {
			s.move(unwall(wall))
		}
		if closed {
			s.end(ErrGone)
			return
		}
	}
	if time.Until(s.until)+late <= 0 {
		s.end(ErrSilent)
	}
}

// tick tells the node once a second what was measured, and when that is urgent; or that the runner is there.
func (s *server) tick() {
	beat := func() []byte { return end(frame(nil, beatFrame), 0) }
	every := time.NewTicker(time.Second)
	defer every.Stop()
	var urgent <-chan struct{}
	started := s.started
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-started:
			started = nil
			if s.err == nil {
				urgent = s.runner.Urgent()
			}
		case <-urgent:
			s.push(true)
		case <-every.C:
			if started == nil && s.err == nil {
				s.push(false)
			} else {
				s.out.put(func() { s.out.beat = beat })
			}
		}
	}
}

// push sends a snapshot as soon as the stream takes it.
func (s *server) push(urgent bool) {
	s.out.put(func() {
		if s.out.urgent = s.out.urgent || urgent; s.out.snapshot != nil {
			return
		}
		s.out.snapshot = s.state
	})
}

// state is a snapshot frame: flags, how far the scenarios are, what was measured.
func (s *server) state() []byte {
	s.out.mu.Lock()
	urgent := s.out.urgent
	s.out.urgent = false
	s.out.mu.Unlock()
	return stateFrame(s.runner, urgent)
}

const (
	urgentFlag = 1 << iota
	failedFlag
)

func stateFrame(r run.Runner, urgent bool) []byte {
	progress, err := json.Marshal(r.Progress())
	if err != nil {
		progress = []byte("null")
	}
	var flags byte
	if urgent {
		flags |= urgentFlag
	}
	if r.MarkedAsFailed() {
		flags |= failedFlag
	}
	b := append(frame(nil, snapshotFrame), flags)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(progress)))
	b, _ = r.Snapshot().AppendBinary(append(b, progress...)) // it never fails
	return end(b, 0)
}
