package pipe

import (
	"encoding/binary"
	"time"
)

// beatSize is the length of a beat on a way of its own.
const beatSize = 8

// AppendBeat appends a beat as it stands on a way of its own: what the wall clock will show at until, in nanoseconds since 1970.
func AppendBeat(b []byte, until time.Time) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(wall(until)))
}

// LastBeat returns the last whole beat in b, which begins with a whole one, for Leased; 0 if there is none.
func LastBeat(b []byte) (wall int64) {
	n := len(b) / beatSize
	if n == 0 {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(b[(n-1)*beatSize:]))
}
