package beat

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"throng/internal/grid/courier"
	"throng/internal/run"
)

// Phase says how far a part is.
type Phase string

// The phases, in the order of a part's life.
const (
	Preparing Phase = "preparing"
	Ready     Phase = "ready"
	Running   Phase = "running"
	Ended     Phase = "ended"   // its scenarios are over; it can still tear down and summarise
	Yielded   Phase = "yielded" // it stopped in good order, with exact numbers, because its node leaves
	Fenced    Phase = "fenced"  // its node's lease ended: it was stopped, and its share may be elsewhere
	Failed    Phase = "failed"  // its runner died
)

// Over reports whether no virtual user of the part is at work any more.
func (p Phase) Over() bool { return p == Ended || p == Yielded || p == Fenced || p == Failed }

// Line is one line of a runner's console or log.
type Line struct {
	At    time.Time   `json:"at"`
	Level int         `json:"level"` // slog's
	Text  string      `json:"text"`
	Attrs [][2]string `json:"attrs,omitempty"`
	// Console is true for what the script wrote with console.log and its like.
	Console bool `json:"console,omitempty"`
}

// Start is when a part's scenarios began.
type Start struct {
	At     time.Time     `json:"at"`     // in the leader's clock
	Offset time.Duration `json:"offset"` // how far that is ahead of the node's, as measured
	Within time.Duration `json:"within"` // the error that the measurement may have
}

// Report is how one part is.
type Report struct {
	Run      string         `json:"run"`
	Part     string         `json:"part"`
	Phase    Phase          `json:"phase"`
	Step     uint64         `json:"step,omitempty"`  // how often the phase has changed
	Fault    *courier.Fault `json:"fault,omitempty"` // why it failed, or what its scenarios ended with
	Marked   bool           `json:"marked,omitempty"`
	Elapsed  time.Duration  `json:"elapsed,omitempty"` // of its scenarios
	Since    time.Duration  `json:"since,omitempty"`   // how long ago the scenarios' clock stood at zero
	Start    *Start         `json:"start,omitempty"`   // nil: they have not begun
	Progress []run.Progress `json:"progress,omitempty"`
	Seq      uint64         `json:"seq,omitempty"`  // of the newest snapshot, which is behind the beat or not
	Size     int            `json:"size,omitempty"` // of the snapshot behind the beat; 0: none is sent
	// Reserved is the newest snapshot's: every voter knows it, so that no number is used twice whoever dies.
	Reserved map[string]int64 `json:"reserved,omitempty"`
	Snapshot []byte           `json:"-"` // encoded
	// Lines are those that the leader has not acknowledged, in order; First is the number of the first.
	First int64  `json:"first,omitempty"`
	Lines []Line `json:"lines,omitempty"`
	// LeftOut counts lines that were dropped because there were too many.
	LeftOut int64 `json:"left_out,omitempty"`
}

// Beat is one message of a node to a voter.
type Beat struct {
	Node string `json:"node"`
	Life string `json:"life"` // of the node's process; a node that starts again has a new one
	Seq  uint64 `json:"seq"`
	// Sent is the node's clock, Offset how far the leader's is ahead of it as far as the node knows.
	Sent    time.Time     `json:"sent"`
	Offset  time.Duration `json:"offset"`
	Reports []Report      `json:"reports,omitempty"`
	// Silences are a voter's: for how long it has not heard whom, of those whose silence counts (fence.Silence). Of whom else nothing
	// is said; nil: the node does not vote.
	Silences map[string]time.Duration `json:"silences"`
}

// Ack is a voter's answer.
type Ack struct {
	Now    time.Time `json:"now"` // the voter's clock
	Leader string    `json:"leader"`
	Term   uint64    `json:"term"`
	Voters []string  `json:"voters"`
	// Lines are, by run and part, the numbers of the lines that are wanted next; only the leader's count.
	Lines map[string]int64 `json:"lines,omitempty"`
	// Held are, by run and part, the numbers of the snapshots that the voter keeps: they need not be sent again.
	Held map[string]uint64 `json:"held,omitempty"`
	// Over are the runs of which there were reports and that have ended, if the leader says so.
	Over []string `json:"over,omitempty"`
}

// maxBeat bounds a beat, in bytes: a thousand parts of fifty series stay far below.
const maxBeat = 64 << 20

var errFormat = errors.New("malformed beat")

// Encode writes the beat: the length of the head as four bytes, the head as JSON, then the snapshots in the order of the reports.
func (b *Beat) Encode() ([]byte, error) {
	total := 4
	for i := range b.Reports {
		b.Reports[i].Size = len(b.Reports[i].Snapshot)
		total += b.Reports[i].Size
	}
	head, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 4, total+len(head))
	binary.BigEndian.PutUint32(out, uint32(len(head)))
	out = append(out, head...)
	for i := range b.Reports {
		out = append(out, b.Reports[i].Snapshot...)
	}
	return out, nil
}

// Decode reads what Encode wrote. Snapshots are parts of data.
func Decode(data []byte) (*Beat, error) {
	if len(data) < 4 {
		return nil, errFormat
	}
	n := int(binary.BigEndian.Uint32(data))
	data = data[4:]
	if n > len(data) {
		return nil, errFormat
	}
	var b Beat
	if err := json.Unmarshal(data[:n], &b); err != nil {
		return nil, fmt.Errorf("%w: %w", errFormat, err)
	}
	data = data[n:]
	for i := range b.Reports {
		r := &b.Reports[i]
		if r.Size < 0 || r.Size > len(data) {
			return nil, errFormat
		}
		r.Snapshot, data = data[:r.Size:r.Size], data[r.Size:]
	}
	if len(data) > 0 {
		return nil, errFormat
	}
	return &b, nil
}

func readBeat(r io.Reader, length int64) (*Beat, error) {
	if length > maxBeat {
		return nil, fmt.Errorf("a beat is larger than %d bytes", maxBeat)
	}
	// Snapshots are kept as parts of what is read: room that is left over would be kept with them.
	data := bytes.NewBuffer(make([]byte, 0, min(max(length, 0), firstRoom)+bytes.MinRead))
	if _, err := data.ReadFrom(io.LimitReader(r, maxBeat+1)); err != nil {
		return nil, err
	}
	if data.Len() > maxBeat {
		return nil, fmt.Errorf("a beat is larger than %d bytes", maxBeat)
	}
	return Decode(data.Bytes())
}

// firstRoom is what is made ready for a beat that says how long it is, before any of it is there.
const firstRoom = 1 << 20

// Key is a part's name among the parts of all runs.
func Key(run, part string) string { return run + "/" + part }
