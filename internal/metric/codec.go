package metric

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"throng/internal/sketch"
)

// codecVersion is the first byte of an encoded Snapshot. A change of the layout takes the next number.
const codecVersion = 1

// MarshalBinary encodes s. The layout, in varints (encoding/binary) and little-endian float64s:
//
//	version, Seq, length of names, names, values
//
// Names are all that seldom changes, so that who reads the snapshots of one runner need not read them again (see Read): a
// table of texts, then series, groups, checks, scenarios and reserved by their places in it. Values are the numbers of the
// same things in the same order. Of a Series only the fields of its Kind are encoded. It never fails.
func (s Snapshot) MarshalBinary() ([]byte, error) { return s.AppendBinary(nil) }

// AppendBinary appends what MarshalBinary returns.
func (s Snapshot) AppendBinary(b []byte) ([]byte, error) {
	reserved := slices.Sorted(maps.Keys(s.Reserved))
	names := s.names(reserved)
	b = append(b, codecVersion)
	b = binary.AppendUvarint(b, s.Seq)
	b = binary.AppendUvarint(b, uint64(len(names)))
	b = append(b, names...)
	for _, n := range [...]int64{s.Load.VUs, s.Load.VUsMax, s.Load.Iterations, s.Load.Interrupted, s.Load.Dropped} {
		b = binary.AppendVarint(b, n)
	}
	for i := range s.Series {
		b = s.Series[i].append(b)
	}
	if s.Late == nil {
		b = append(b, 0)
	} else {
		b = append(b, 1)
		for _, t := range [...]*sketch.Trend{s.Late.Start, s.Late.FromDue, s.Late.FromSend} {
			b = appendTrend(b, t)
		}
	}
	for _, c := range s.Scenarios {
		for _, n := range [...]int64{c.Begun, c.Due, c.Dropped} {
			b = binary.AppendVarint(b, n)
		}
	}
	for _, name := range reserved {
		b = binary.AppendVarint(b, s.Reserved[name])
	}
	return b, nil
}

// append writes the numbers of one series.
func (s *Series) append(b []byte) []byte {
	b = binary.AppendVarint(b, s.Count)
	switch s.Kind {
	case Counter:
		b = appendFloat(b, s.Sum)
	case Rate:
		b = binary.AppendVarint(b, s.Trues)
	case Trend:
		b = appendTrend(b, s.Trend)
	case Gauge:
		for _, f := range [...]float64{s.Last, s.Min, s.Max} {
			b = appendFloat(b, f)
		}
		b = binary.AppendVarint(b, s.LastAt)
	}
	return b
}

func appendFloat(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

// appendTrend writes a trend behind its length; 0 is that of no trend.
func appendTrend(b []byte, t *sketch.Trend) []byte {
	if t == nil {
		return append(b, 0)
	}
	// The length comes first and is known last: three bytes hold those of nearly all trends, and the rare others move.
	const room = 3
	mark := len(b)
	b = append(b, make([]byte, room)...)
	b, _ = t.AppendBinary(b) // it never fails
	n := len(b) - mark - room
	if n >= 1<<(7*room) {
		b = slices.Insert(b, mark, make([]byte, 2)...)
		putUvarint(b[mark:mark+room+2], uint64(n))
		return b
	}
	putUvarint(b[mark:mark+room], uint64(n))
	return b
}

// putUvarint fills b with v, in as many bytes as b has.
func putUvarint(b []byte, v uint64) {
	for i := range b {
		b[i] = byte(v)&0x7f | 0x80
		v >>= 7
	}
	b[len(b)-1] &= 0x7f
}

// texts collects the table of texts, each once.
type texts struct {
	at   map[string]uint64
	list []string
}

func (t *texts) place(s string) uint64 {
	i, ok := t.at[s]
	if !ok {
		i = uint64(len(t.list))
		t.at[s] = i
		t.list = append(t.list, s)
	}
	return i
}

func (t *texts) selector(b []byte, s Selector) []byte {
	b = binary.AppendUvarint(b, t.place(s.Metric))
	b = binary.AppendUvarint(b, uint64(len(s.Tags)))
	for _, tag := range s.Tags {
		b = binary.AppendUvarint(b, t.place(tag.Key))
		b = binary.AppendUvarint(b, t.place(tag.Value))
	}
	return b
}

// names writes the part of an encoded snapshot that seldom changes. A series begins with a byte of kind, contents and role.
func (s Snapshot) names(reserved []string) []byte {
	t := texts{at: map[string]uint64{}}
	b := binary.AppendUvarint(nil, uint64(len(s.Series)))
	for i := range s.Series {
		one := &s.Series[i]
		b = append(b, byte(one.Kind)|byte(one.Contains)<<2|byte(one.Role)<<4)
		b = t.selector(b, one.Selector)
	}
	b = binary.AppendUvarint(b, uint64(len(s.Groups)))
	for _, g := range s.Groups {
		b = binary.AppendUvarint(b, t.place(g))
	}
	b = binary.AppendUvarint(b, uint64(len(s.Checks)))
	for _, c := range s.Checks {
		b = t.selector(b, c)
	}
	b = binary.AppendUvarint(b, uint64(len(s.Scenarios)))
	for _, c := range s.Scenarios {
		b = binary.AppendUvarint(b, t.place(c.Name))
	}
	if s.Reserved == nil {
		b = append(b, 0)
	} else {
		b = binary.AppendUvarint(b, uint64(len(reserved))+1)
		for _, name := range reserved {
			b = binary.AppendUvarint(b, t.place(name))
		}
	}
	table := binary.AppendUvarint(nil, uint64(len(t.list)))
	for _, text := range t.list {
		table = binary.AppendUvarint(table, uint64(len(text)))
		table = append(table, text...)
	}
	return append(table, b...)
}
