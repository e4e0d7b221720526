package term

import (
	"bytes"
	"io"
	"strconv"
	"sync"
)

// Screen keeps a few lines at the bottom of a terminal and redraws them in place, while other writers print above.
// It is safe for concurrent use.
type Screen struct {
	out  io.Writer
	size func() (width, height int)

	mu     sync.Mutex // guards what follows, and is held while writing: a frame and a log line must not mix
	lines  []string   // as they stand now
	closed bool
	buf    bytes.Buffer
}

// NewScreen returns a Screen on out, a terminal whose size may change at any time.
func NewScreen(out io.Writer, size func() (width, height int)) *Screen {
	return &Screen{out: out, size: size}
}

// Draw replaces the lines by those that make returns for the terminal's present size.
func (s *Screen) Draw(make func(width, height int) []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	width, height := s.size()
	s.buf.Reset()
	s.up(width)
	s.lines = make(width, height)
	s.print()
	_, err := s.out.Write(s.buf.Bytes())
	return err
}

// Clear takes the lines off the screen until the next Draw.
func (s *Screen) Clear() error {
	return s.Draw(func(int, int) []string { return nil })
}

// Close leaves the lines where they are; nothing is drawn any more.
func (s *Screen) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.lines = true, nil
}

// up moves the cursor to where the lines begin and erases from there. A terminal that became narrower has wrapped them:
// they are counted at the width of now.
func (s *Screen) up(width int) {
	rows := 0
	for _, l := range s.lines {
		rows += 1 + max(0, cells(l)-1)/max(width, 1)
	}
	s.buf.WriteByte('\r')
	if rows > 0 {
		s.buf.WriteString("\x1b[" + strconv.Itoa(rows) + "A")
	}
	s.buf.WriteString("\x1b[J")
}

func (s *Screen) print() {
	for _, l := range s.lines {
		s.buf.WriteString(l)
		s.buf.WriteString("\x1b[K\n")
	}
}

// Above returns a writer whose whole lines go to w, which writes to the same terminal, above the Screen's lines.
// A line without its end waits for it.
func (s *Screen) Above(w io.Writer) io.Writer { return &above{screen: s, w: w} }

type above struct {
	screen *Screen
	w      io.Writer
	rest   []byte // guarded by screen.mu
}

// Write prints the whole lines in p. It takes all of p unless the writer below fails.
func (a *above) Write(p []byte) (int, error) {
	s := a.screen
	s.mu.Lock()
	defer s.mu.Unlock()
	text := p
	if len(a.rest) > 0 {
		text = append(a.rest, p...)
	}
	end := bytes.LastIndexByte(text, '\n') + 1
	whole, rest := text[:end], text[end:]
	if len(whole) > 0 {
		if err := a.print(whole); err != nil {
			a.rest = nil
			return 0, err
		}
	}
	a.rest = append([]byte(nil), rest...)
	return len(p), nil
}

func (a *above) print(whole []byte) error {
	s := a.screen
	if len(s.lines) == 0 {
		_, err := a.w.Write(whole)
		return err
	}
	width, _ := s.size()
	s.buf.Reset()
	s.up(width)
	if _, err := s.out.Write(s.buf.Bytes()); err != nil {
		return err
	}
	if _, err := a.w.Write(whole); err != nil {
		return err
	}
	s.buf.Reset()
	s.print()
	_, err := s.out.Write(s.buf.Bytes())
	return err
}
