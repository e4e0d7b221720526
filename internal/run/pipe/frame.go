package pipe

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// kind is the first byte of a frame. Before it stands the number of bytes from it to the end, as a little-endian uint32.
type kind byte

const (
	jobFrame      kind = iota + 1 // to the runner, first: an opening as JSON
	requestFrame                  // id, message
	responseFrame                 // id, message
	cancelFrame                   // id, failure as JSON
	beatFrame                     // to the runner: a wall clock's nanoseconds until which it may go on; to the node: nothing
	snapshotFrame                 // to the node: a state
	logFrame                      // to the node: records as JSON
	linesFrame                    // to the node: number of the output, whole lines
	creditFrame                   // to the runner: so many more bytes of lines may come
	ackFrame                      // to the runner: the number of a snapshot that is safe
)

// The largest payloads, by kind. What a script can make large, setup's data and the summary, may be as large as the largest
// message.
const (
	maxMessage  = 64 << 20
	maxSnapshot = 64 << 20
	maxLog      = 1 << 20
	maxLines    = 1 << 20
)

func (k kind) limit() int {
	switch k {
	case jobFrame, requestFrame, responseFrame:
		return maxMessage + 1<<16
	case snapshotFrame:
		return maxSnapshot
	case cancelFrame, logFrame:
		return maxLog
	case linesFrame:
		return maxLines
	case beatFrame, creditFrame, ackFrame:
		return 16
	default:
		return -1
	}
}

// frame begins one in b; end must be called with all of it.
func frame(b []byte, k kind) []byte { return append(b, 0, 0, 0, 0, byte(k)) }

// end fills in the length of the frame that b[at:] is.
func end(b []byte, at int) []byte {
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// number is a frame that holds one number.
func number(k kind, n uint64) []byte {
	return end(binary.LittleEndian.AppendUint64(frame(nil, k), n), 0)
}

func readNumber(payload []byte) (uint64, error) {
	if len(payload) != 8 {
		return 0, fmt.Errorf("a number of %d bytes", len(payload))
	}
	return binary.LittleEndian.Uint64(payload), nil
}

// atOnce is how large a payload may be for its memory to be set aside before it has arrived.
const atOnce = 1 << 16

// readFrame reads the next frame. What it returns is the caller's. A length is believed only as far as bytes follow.
func readFrame(r *bufio.Reader) (kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	k, size := kind(head[4]), int64(binary.LittleEndian.Uint32(head[:]))-1
	if size < 0 || size > int64(k.limit()) {
		return 0, nil, fmt.Errorf("a frame of kind %d and %d bytes", k, size)
	}
	if size <= atOnce {
		b := make([]byte, size)
		_, err := io.ReadFull(r, b)
		return k, b, whole(err)
	}
	var b bytes.Buffer
	_, err := io.CopyN(&b, r, size)
	return k, b.Bytes(), whole(err)
}

// whole makes of the end of the stream within a frame what it is.
func whole(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
