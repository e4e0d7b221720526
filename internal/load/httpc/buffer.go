package httpc

import "io"

// bufferSize is enough for most heads with a small body behind them.
const bufferSize = 8 << 10

// buffer holds what is about to be sent, then what was received and not yet used: b[r:w].
type buffer struct {
	b    []byte
	r, w int
	head head // of the answer that is being read: here it takes no stack
}

// fill reads more behind what is there; it makes room first, up to limit bytes in all.
func (b *buffer) fill(src io.Reader, limit int) (int, error) {
	if b.r == b.w {
		b.r, b.w = 0, 0
	}
	if b.w == len(b.b) {
		if b.r > 0 {
			b.w = copy(b.b, b.b[b.r:b.w])
			b.r = 0
		} else {
			if len(b.b) >= limit {
				return 0, errFull
			}
			b.b = append(b.b, make([]byte, min(len(b.b), limit-len(b.b)))...)
		}
	}
	for range 100 {
		n, err := src.Read(b.b[b.w:])
		b.w += n
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

const errFull = plain("buffer full")

// take gives a buffer for one exchange; give takes it back. One that grew for a huge head is left to the collector.
func (s *Shared) take() *buffer { return s.buffers.Get().(*buffer) }

func (s *Shared) give(b *buffer) {
	if cap(b.b) > 64<<10 {
		return
	}
	b.r, b.w, b.head.firstLength = 0, 0, nil
	s.buffers.Put(b)
}
