package metric

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"throng/internal/sketch"
)

// ErrFormat reports bytes that no Snapshot was encoded to, or one that takes far more memory than its bytes account for.
var ErrFormat = errors.New("malformed snapshot")

// What a decoded snapshot may take: so much for each of its bytes, and some for all. Even one with ten thousand checks stays
// below a half of it; trends whose values lie hundreds of orders of magnitude apart may not.
const (
	decodedPerByte = 16
	decodedFree    = 16 << 20
)

// Encoded is a Snapshot in its encoded form: checked, and read as far as adding it up needs. It is a tenth of the decoded one
// and does not change, so any number of goroutines may use it.
type Encoded struct {
	Seq       uint64
	Load      Load
	names     *names
	data      []byte
	values    []byte // of the series and what follows them
	scenarios []ScenarioCount
	reserved  map[string]int64
	late      [3][]byte // encoded; nil: none
	hasLate   bool
}

// Read checks data, which must not change afterwards, and returns it as an Encoded. Last may be nil, or an earlier snapshot
// of the same runner: what both have in common is then not read again. It returns ErrFormat for other data.
func Read(data []byte, last *Encoded) (*Encoded, error) { return read(data, last, nil) }

func read(data []byte, last *Encoded, shared *Names) (*Encoded, error) {
	d := decoder{b: data}
	if d.byte() != codecVersion {
		return nil, fmt.Errorf("%w: it is of a version that is not known here", ErrFormat)
	}
	e := &Encoded{data: data, Seq: d.uvarint()}
	raw := d.bytes(d.uvarint())
	if d.bad {
		return nil, ErrFormat
	}
	budget := decodedFree + decodedPerByte*len(data)
	if last != nil && string(raw) == last.names.text {
		e.names = last.names
	} else if e.names = shared.find(raw); e.names == nil {
		if e.names = readNames(raw, budget); e.names == nil {
			return nil, ErrFormat
		}
		shared.add(e.names)
	}
	e.Load = Load{VUs: d.varint(), VUsMax: d.varint(), Iterations: d.varint(), Interrupted: d.varint(), Dropped: d.varint()}
	e.values = d.b
	budget -= e.names.cost
	e.check(&d, budget)
	if d.bad || len(d.b) > 0 {
		return nil, ErrFormat
	}
	return e, nil
}

// check reads all numbers once, so that reading them again cannot go wrong.
func (e *Encoded) check(d *decoder, budget int) {
	trend := func() []byte {
		raw := d.bytes(d.uvarint())
		if len(raw) == 0 || d.bad {
			return nil
		}
		n, err := sketch.Check(raw)
		if budget -= n + 128; err != nil || budget < 0 {
			d.bad = true
		}
		return raw
	}
	for i := range e.names.series {
		if d.bad {
			return
		}
		d.varint()
		switch e.names.series[i].Kind {
		case Counter:
			d.float()
		case Rate:
			d.varint()
		case Trend:
			trend()
		case Gauge:
			d.float()
			d.float()
			d.float()
			d.varint()
		}
	}
	switch d.byte() {
	case 0:
	case 1:
		e.hasLate = true
		for i := range e.late {
			e.late[i] = trend()
		}
	default:
		d.bad = true
	}
	for _, name := range e.names.scenarios {
		e.scenarios = append(e.scenarios, ScenarioCount{Name: name, Begun: d.varint(), Due: d.varint(), Dropped: d.varint()})
	}
	if e.names.reserved != nil {
		e.reserved = make(map[string]int64, len(e.names.reserved))
	}
	for _, name := range e.names.reserved {
		e.reserved[name] = d.varint()
	}
}

// Bytes is the encoded form itself; it must not be changed.
func (e *Encoded) Bytes() []byte { return e.data }

// Groups, Checks, Scenarios and Reserved are those of the Snapshot; they must not be changed.
func (e *Encoded) Groups() []string           { return e.names.groups }
func (e *Encoded) Checks() []Selector         { return e.names.checks }
func (e *Encoded) Scenarios() []ScenarioCount { return e.scenarios }
func (e *Encoded) Reserved() map[string]int64 { return e.reserved }

// Names are the series without their numbers; they must not be changed.
func (e *Encoded) Names() []Series { return e.names.series }

// Bare is e without its numbers, and without the bytes that they stand in.
func (e *Encoded) Bare() *Encoded { return &Encoded{names: e.names} }

// SameNames reports whether o was read as an earlier snapshot of the same runner, or a later one, and nothing was new.
func (e *Encoded) SameNames(o *Encoded) bool { return o != nil && e.names == o.names }

// Each calls visit with every series of Names, its numbers filled in except for the Trend, which comes encoded: nil where there
// is none. The Series is visit's only during the call.
func (e *Encoded) Each(visit func(i int, s *Series, trend []byte)) {
	d := decoder{b: e.values}
	var s Series // once: it moves to the heap
	for i := range e.names.series {
		s = e.names.series[i]
		var trend []byte
		s.Count = d.varint()
		switch s.Kind {
		case Counter:
			s.Sum = d.float()
		case Rate:
			s.Trues = d.varint()
		case Trend:
			if trend = d.bytes(d.uvarint()); len(trend) == 0 {
				trend = nil
			}
		case Gauge:
			s.Last, s.Min, s.Max, s.LastAt = d.float(), d.float(), d.float(), d.varint()
		}
		visit(i, &s, trend)
	}
}

// Late are the encoded trends of Late, Start, FromDue and FromSend, each nil where there is none; ok is false if Late is nil.
func (e *Encoded) Late() (trends [3][]byte, ok bool) { return e.late, e.hasLate }

// Snapshot decodes it all.
func (e *Encoded) Snapshot() Snapshot {
	s := Snapshot{
		Seq: e.Seq, Load: e.Load, Series: slices.Clone(e.names.series), Groups: slices.Clone(e.names.groups), Checks: slices.Clone(e.names.checks),
		Scenarios: slices.Clone(e.scenarios), Reserved: maps.Clone(e.reserved),
	}
	e.Each(func(i int, one *Series, trend []byte) {
		s.Series[i] = *one
		s.Series[i].Trend = decodeTrend(trend)
	})
	if e.hasLate {
		s.Late = &Lateness{Start: decodeTrend(e.late[0]), FromDue: decodeTrend(e.late[1]), FromSend: decodeTrend(e.late[2])}
	}
	return s
}

func decodeTrend(data []byte) *sketch.Trend {
	if data == nil {
		return nil
	}
	t := new(sketch.Trend)
	_ = t.MergeBinary(data) // it was checked
	return t
}

// UnmarshalBinary replaces s by what MarshalBinary encoded; ErrFormat when data is not that.
func (s *Snapshot) UnmarshalBinary(data []byte) error {
	e, err := Read(data, nil)
	if err == nil {
		*s = e.Snapshot()
	}
	return err
}
