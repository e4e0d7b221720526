package pipe

import (
	"io"
	"log/slog"
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

// Lines returns a writer for the lines of output number n of the job. Each Write must be of whole lines: they stay together.
// Writing waits while the node takes none, and fails once the node is gone. More than a MiB at once is left out.
func (u *Up) Lines(n int) io.Writer { return lines{u.s.out, n} }

type lines struct {
	out    *outbox
	output int
}

func (l lines) Write(b []byte) (int, error) {
	if len(b) == 0 || len(b) > maxLines-16 {
		return len(b), nil
	}
	return len(b), l.out.addLines(l.output, b)
}
