package pipe

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
)

// Up is how a runner tells its node things that it is not asked for. Its methods may be called from any goroutine.
type Up struct{ s *server }

// Log returns a handler whose records go to the node, from level on. A record that finds no room is counted and left out, so that a
// script that logs without end slows nothing down.
func (u *Up) Log(level slog.Leveler) slog.Handler { return &handler{out: u.s.out, level: level} }

// Console is Log for what the script prints.
func (u *Up) Console(level slog.Leveler) slog.Handler {
	return &handler{out: u.s.out, level: level, console: true}
}

// Lines returns a writer for the lines of output number n of the job. Writing waits while the node takes none, and fails once the
// node is gone. Only whole lines are sent; a line longer than a MiB is left out.
func (u *Up) Lines(n int) io.Writer { return &lines{out: u.s.out, output: n} }

// lines cuts what is written into chunks of whole lines.
type lines struct {
	out    *outbox
	output int

	mu   sync.Mutex
	rest []byte // of a line that has not ended
	skip bool   // up to the end of a line that was too long
}

// chunkSize is the size that chunks are cut to where lines are shorter: a larger one would hold up what is urgent.
const chunkSize = 32 << 10

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(b)
	for len(b) > 0 {
		room := max(chunkSize-len(l.rest), 1)
		at := bytes.LastIndexByte(b[:min(room, len(b))], '\n')
		if at < 0 {
			at = bytes.IndexByte(b, '\n')
		}
		if at < 0 {
			l.keep(b)
			break
		}
		l.keep(b[:at+1])
		b = b[at+1:]
		if err := l.send(); err != nil {
			return n - len(b), err
		}
	}
	return n, nil
}

func (l *lines) keep(b []byte) {
	if l.skip = l.skip || len(l.rest)+len(b) > maxLines-16; l.skip {
		l.rest = l.rest[:0]
		return
	}
	l.rest = append(l.rest, b...)
}

// send sends what has ended with a line break.
func (l *lines) send() error {
	if l.skip {
		l.skip = false
		return nil
	}
	err := l.out.addLines(l.output, l.rest)
	l.rest = l.rest[:0]
	return err
}
