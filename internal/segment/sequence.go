package segment

import (
	"fmt"
	"math/big"
	"strings"
)

// Sequence is how a test is cut: segments in order, each beginning where the one before ends. Every instance of a test must
// use the same one. The zero value is empty: not told.
type Sequence []Segment

// ParseSequence reads the bounds of the segments, as in k6's --execution-segment-sequence: "0,1/3,2/3,1" are thirds. The
// empty string is the empty sequence.
func ParseSequence(s string) (Sequence, error) {
	if s == "" {
		return nil, nil
	}
	bounds := strings.Split(s, ",")
	if len(bounds) < 2 {
		return nil, fmt.Errorf("at least 2 points are needed for an execution segment sequence, %d given", len(bounds))
	}
	var q Sequence
	from, err := parseBound(bounds[0])
	if err != nil {
		return nil, err
	}
	for _, b := range bounds[1:] {
		to, err := parseBound(b)
		if err != nil {
			return nil, err
		}
		seg, err := New(from, to)
		if err != nil {
			return nil, err
		}
		q = append(q, seg)
		from = to
	}
	return q, nil
}

// Filled returns the sequence with segments added before its first and after its last, so that it covers the whole test.
func (q Sequence) Filled() Sequence {
	if len(q) == 0 {
		return Sequence{Segment{}}
	}
	var full Sequence
	if first := q[0].From(); first.Sign() > 0 {
		full = append(full, Segment{new(big.Rat), first})
	}
	full = append(full, q...)
	if last := q[len(q)-1].To(); last.Cmp(one) < 0 {
		full = append(full, Segment{last, new(big.Rat).Set(one)})
	}
	return full
}

// Find returns the index of seg in q, -1 if it is not one of its segments.
func (q Sequence) Find(seg Segment) int {
	for i, s := range q {
		if s.Equal(seg) {
			return i
		}
	}
	return -1
}

// String returns the sequence as ParseSequence reads it, in lowest terms; empty for the empty sequence.
func (q Sequence) String() string {
	if len(q) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(q[0].From().RatString())
	for _, s := range q {
		b.WriteByte(',')
		b.WriteString(s.To().RatString())
	}
	return b.String()
}

// MarshalText returns String.
func (q Sequence) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

// UnmarshalText is ParseSequence.
func (q *Sequence) UnmarshalText(text []byte) error {
	n, err := ParseSequence(string(text))
	if err == nil {
		*q = n
	}
	return err
}
