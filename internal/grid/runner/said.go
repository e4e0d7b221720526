package runner

import (
	"bytes"
	"fmt"
	"sync"
)

// What is kept of a process's standard error: its beginning, where Go says why it panics, and its end.
const (
	maxHead = 2 << 10
	maxTail = 2 << 10
)

// said keeps what a process wrote to its standard error.
type said struct {
	mu   sync.Mutex
	head []byte
	tail []byte
	left int // bytes between the two that were not kept
}

// Write keeps what there is room for.
func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(b)
	room := min(maxHead-len(s.head), n)
	s.head = append(s.head, b[:room]...)
	s.tail = append(s.tail, b[room:]...)
	if over := len(s.tail) - maxTail; over > 0 {
		s.left += over
		s.tail = append(s.tail[:0], s.tail[over:]...)
	}
	return n, nil
}

// String is what was kept.
func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := bytes.Clone(s.head)
	if s.left > 0 {
		text = fmt.Appendf(text, "\n... (%d bytes more)\n", s.left)
	}
	return string(bytes.TrimSpace(append(text, s.tail...)))
}
