package pipe

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"sync"
)

// outbox holds what is to be sent, most urgent first. Of what comes by itself, beats, snapshots, acknowledgements and credit, only
// the newest waits; records and lines have bounds of their own. Calls and answers are as many as there are callers.
type outbox struct {
	wake chan struct{} // holds a token while the writer should look again

	mu       sync.Mutex // guards what follows
	closed   bool
	calls    [][]byte
	beat     func() []byte // makes a beat when it is written; nil: none is wanted
	ack      uint64        // 0: none
	owed     int           // credit to give
	snapshot func() []byte // makes one when it is written; nil: none is wanted
	urgent   bool          // the snapshot is
	records  []Record
	size     int   // of records, bytes
	left     int64 // records that found no room
	told     bool  // records were sent since the last of calls
	lines    []chunk
	queued   int // bytes of lines
	credit   int // bytes of lines that the other side will take; one chunk may go below 0
	room     *sync.Cond
}

// chunk is output lines, or what is to be sent once those before it have been.
type chunk struct {
	frame []byte
	cost  int
}

func newOutbox() *outbox {
	o := &outbox{wake: make(chan struct{}, 1)}
	o.room = sync.NewCond(&o.mu)
	return o
}

// put changes what is to be sent, and reports whether anything still can be.
func (o *outbox) put(change func()) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	change()
	select {
	case o.wake <- struct{}{}:
	default: // the writer will look anyway
	}
	return true
}

// close lets everybody know that nothing is sent any more.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.room.Broadcast()
}

// write sends until done is closed or writing fails.
func (o *outbox) write(w io.Writer, done <-chan struct{}) error {
	for {
		b := o.next()
		if b == nil {
			select {
			case <-o.wake:
				continue
			case <-done:
				return nil
			}
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
}

// next takes the most urgent frame, nil if there is none. What is made only now is made without the lock.
func (o *outbox) next() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
	case o.beat != nil:
		return o.made(&o.beat)
	case len(o.calls) > 0 && (o.told || len(o.records) == 0):
		// An answer comes behind what was logged before it, but records that never end do not hold it up.
		o.told = false
		b := o.calls[0]
		o.calls[0] = nil
		o.calls = o.calls[1:]
		return b
	case len(o.calls) > 0:
		o.told = true
		return o.nextRecords()
	case o.owed > 0:
		n := o.owed
		o.owed = 0
		return number(creditFrame, uint64(n))
	case o.ack > 0:
		n := o.ack
		o.ack = 0
		return number(ackFrame, n)
	case o.snapshot != nil:
		return o.made(&o.snapshot)
	case len(o.records) > 0:
		return o.nextRecords()
	case len(o.lines) > 0 && (o.credit > 0 || o.lines[0].cost == 0):
		return o.nextLines()
	}
	return nil
}

func (o *outbox) made(from *func() []byte) []byte {
	f := *from
	*from = nil
	o.mu.Unlock()
	defer o.mu.Lock()
	return f()
}

func (o *outbox) nextRecords() []byte {
	records := o.records
	records[len(records)-1].LeftOut = o.left
	o.records, o.size, o.left = nil, 0, 0
	o.mu.Unlock()
	defer o.mu.Lock()
	b, err := json.Marshal(records)
	if err != nil || len(b) > maxLog { // neither can be: texts and numbers, of bounded size
		b = []byte("[]")
	}
	return end(append(frame(nil, logFrame), b...), 0)
}

func (o *outbox) nextLines() []byte {
	c := o.lines[0]
	o.lines[0] = chunk{}
	o.lines = o.lines[1:]
	o.queued -= c.cost
	o.credit -= c.cost
	o.room.Broadcast()
	return c.frame
}

// addLines queues whole lines of one output, and waits while the queue is full.
func (o *outbox) addLines(output int, lines []byte) error {
	b := binary.LittleEndian.AppendUint32(frame(make([]byte, 0, len(lines)+9), linesFrame), uint32(output))
	c := chunk{end(append(b, lines...), 0), len(lines)}
	o.mu.Lock()
	for o.queued > 0 && o.queued+c.cost > window && !o.closed {
		o.room.Wait()
	}
	o.mu.Unlock()
	if !o.put(func() {
		o.lines = append(o.lines, c)
		o.queued += c.cost
	}) {
		return io.ErrClosedPipe
	}
	return nil
}

// window is how many bytes of lines wait at each end: the runner sends no more than the node has room for.
const window = 512 << 10
