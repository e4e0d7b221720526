package pipe

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// DefaultLease is how long a runner goes on without a word from its node, unless Dial is told otherwise.
const DefaultLease = 3 * time.Second

// link is what both ends have in common: calls either way over one stream.
type link struct {
	conn io.ReadWriteCloser
	out  *outbox
	// answer carries out a call from the other side. It is called in a goroutine of its own; ctx ends with the call's cancellation,
	// whose cause is the other side's, and with the stream.
	answer func(ctx context.Context, m message) ([]byte, message, error)
	// take gets frames that are no calls.
	take func(k kind, payload []byte) error

	// lost is told what ended the stream, before anything else is; nil: nobody is.
	lost func(error)

	ctx   context.Context // ended by end, with what ended the stream as its cause
	stop  context.CancelCauseFunc
	first sync.Once
	busy  sync.WaitGroup

	mu      sync.Mutex // guards what follows
	last    uint64
	waiting map[uint64]chan message            // our calls
	running map[uint64]context.CancelCauseFunc // theirs
	heard   time.Time
}

// maxCalls bounds the calls that one side has under way at the other: each virtual user may have one.
const maxCalls = 1 << 16

func newLink(ctx context.Context, conn io.ReadWriteCloser) *link {
	l := &link{conn: conn, out: newOutbox(), waiting: map[uint64]chan message{}, running: map[uint64]context.CancelCauseFunc{}, heard: time.Now()}
	l.ctx, l.stop = context.WithCancelCause(ctx)
	return l
}

// end ends the stream because of err. Only the first counts.
func (l *link) end(err error) {
	l.first.Do(func() {
		if l.lost != nil {
			l.lost(reason(err))
		}
	})
	l.stop(err)
}

// run carries frames until the stream ends, or end or the end of ctx ends it; then it closes the stream and waits for everything. It
// returns what ended it.
func (l *link) run() error {
	var streams sync.WaitGroup
	streams.Go(func() { l.end(l.read()) })
	streams.Go(func() {
		if err := l.out.write(l.conn, l.ctx.Done()); err != nil {
			l.end(err)
		}
	})
	<-l.ctx.Done()
	l.end(context.Cause(l.ctx)) // if it was the caller's context
	l.out.close()
	_ = l.conn.Close() // it has ended already, or ends with this
	streams.Wait()
	l.busy.Wait()
	return context.Cause(l.ctx)
}

// poll is how long a read waits at most while this process is busy: the runtime wakes who waits for a time before who waits
// for a file, behind which a thousand virtual users that compute may stand.
const poll = 500 * time.Millisecond

// patient reads from a stream and, where the stream can be told to, looks again after a while.
type patient struct {
	io.Reader
	deadline func(time.Time) error // nil: it cannot
	until    func() time.Time      // when to look again; the zero time: when something comes
	heard    func()
}

func (p *patient) Read(b []byte) (int, error) {
	for {
		if p.deadline != nil && p.deadline(p.until()) != nil {
			p.deadline = nil
		}
		n, err := p.Reader.Read(b)
		if n > 0 {
			p.heard()
		}
		if n == 0 && p.deadline != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		return n, err
	}
}

// look is when to read again while calls are under way.
func (l *link) look() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.running) == 0 {
		return time.Time{}
	}
	return time.Now().Add(poll)
}

func (l *link) hear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = time.Now()
}

func (l *link) read() error {
	p := &patient{Reader: l.conn, until: l.look, heard: l.hear}
	if c, ok := l.conn.(interface{ SetReadDeadline(time.Time) error }); ok {
		p.deadline = c.SetReadDeadline
	}
	r := bufio.NewReader(p)
	for {
		k, payload, err := readFrame(r)
		if err == nil {
			err = l.dispatch(k, payload)
		}
		if err != nil {
			return err
		}
	}
}

func (l *link) dispatch(k kind, payload []byte) error {
	switch k {
	case requestFrame, responseFrame:
		id, m, err := readMessage(payload)
		switch {
		case err != nil:
			return err
		case k == requestFrame:
			return l.begin(id, m)
		}
		l.mu.Lock()
		to := l.waiting[id]
		delete(l.waiting, id)
		l.mu.Unlock()
		if to != nil {
			to <- m // it has room for one
		}
		return nil
	case cancelFrame:
		return l.cancelled(payload)
	}
	return l.take(k, payload)
}

// cancelled ends a call of the other side's, for the cause that it gives.
func (l *link) cancelled(payload []byte) error {
	var why failure
	if len(payload) < 8 || json.Unmarshal(payload[8:], &why) != nil {
		return errors.New("a torn cancellation")
	}
	l.mu.Lock()
	cancel := l.running[binary.LittleEndian.Uint64(payload)]
	l.mu.Unlock()
	if cancel != nil {
		cancel(why.err())
	}
	return nil
}

// begin starts a call of the other side's.
func (l *link) begin(id uint64, m message) error {
	ctx, cancel := context.WithCancelCause(l.ctx)
	l.mu.Lock()
	n := len(l.running)
	if n < maxCalls {
		l.running[id] = cancel
	}
	l.mu.Unlock()
	if n >= maxCalls {
		cancel(nil)
		return fmt.Errorf("%d calls are under way", n)
	}
	l.busy.Go(func() {
		defer cancel(nil)
		before, out, err := l.answer(ctx, m)
		l.mu.Lock()
		delete(l.running, id)
		l.mu.Unlock()
		l.respond(id, before, out, err)
	})
	return nil
}

// respond sends the answer behind the frame before.
func (l *link) respond(id uint64, before []byte, out message, err error) {
	out.Err = failureOf(err)
	b, err := out.frame(before, responseFrame, id)
	if err != nil {
		b, _ = message{head: head{Err: failureOf(err)}}.frame(before, responseFrame, id) // a text always fits
	}
	if out.Call == callFlush {
		l.out.put(func() { l.out.lines = append(l.out.lines, chunk{frame: b}) })
		return
	}
	l.out.put(func() { l.out.calls = append(l.out.calls, b) })
}

// errEnded is what call returns when the stream ended before the answer came.
var errEnded = errors.New("the stream has ended")

// call asks the other side, and waits for its answer. The end of ctx cancels the call there, with its cause; the answer is
// waited for all the same, since it tells what became of it. Only the end of the stream ends that.
func (l *link) call(ctx context.Context, m message) (message, error) {
	got := make(chan message, 1)
	l.mu.Lock()
	l.last++
	id := l.last
	l.waiting[id] = got
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.waiting, id)
	}()
	b, err := m.frame(nil, requestFrame, id)
	if err != nil {
		return message{}, err
	}
	l.out.put(func() { l.out.calls = append(l.out.calls, b) })
	select {
	case m := <-got:
		return m, m.Err.err()
	case <-l.ctx.Done():
		return message{}, errEnded
	case <-ctx.Done():
	}
	l.cancel(id, context.Cause(ctx))
	select {
	case m := <-got:
		return m, m.Err.err()
	case <-l.ctx.Done():
		return message{}, errEnded
	}
}

func (l *link) cancel(id uint64, cause error) {
	why, err := json.Marshal(failureOf(cause))
	if err != nil || len(why) > maxLog/2 {
		why = []byte(`{"text":"cancelled"}`)
	}
	b := binary.LittleEndian.AppendUint64(frame(nil, cancelFrame), id)
	l.out.put(func() { l.out.calls = append(l.out.calls, end(append(b, why...), 0)) })
}

// silence is for how long nothing has been heard of the other side.
func (l *link) silence() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.heard)
}
