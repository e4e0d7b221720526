package segment

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Cut is one segment of a sequence: of the whole test, or of what an earlier Cut has left.
type Cut struct {
	Segment  Segment
	Sequence Sequence // filled up as in NewTuple
}

// Share is a part of the test that was cut more than once: the first cut is of the whole, the second of what the first has
// left, and so on. Cutting a share again changes nobody else's. The zero value is the whole.
//
// Its text is the cuts with slashes between them, each the segment's index from 0, an at sign, and the lengths of all segments
// of the sequence relative to one another, with commas between them; n equal ones in a row are written "lengthxn".
// "1@1x3/0@2,1" is two thirds of the second of three equal parts.
type Share []Cut

// What bounds a Share that comes from elsewhere.
const (
	maxCuts  = 64
	maxText  = 64 << 10 // bytes
	maxParts = 100_000  // segments of all cuts
)

// ErrShare reports a text that is no Share.
var ErrShare = errors.New("not a share of a test, such as 1@1x3/0@2,1")

// Tuple says what belongs to the share. ErrStripe when its stripes are too long together.
func (s Share) Tuple() (*Tuple, error) { return s.In(nil) }

// In says what of outer belongs to the share.
func (s Share) In(outer *Tuple) (*Tuple, error) {
	if len(s) > maxCuts {
		return nil, fmt.Errorf("%w: it has been cut %d times, at most %d are possible", ErrShare, len(s), maxCuts)
	}
	t, stripes := outer, int64(0)
	if t.IsWhole() {
		t = Whole()
	}
	for _, c := range s {
		level, err := c.tuple()
		if err != nil {
			return nil, err
		}
		if stripes += level.lcd; stripes > maxStripe {
			return nil, ErrStripe
		}
		t = t.with(level)
	}
	return t, nil
}

// Fraction is how much of the test the share is.
func (s Share) Fraction() float64 {
	f := 1.0
	for _, c := range s {
		f *= c.Segment.Share()
	}
	return f
}

func (c Cut) tuple() (*Tuple, error) {
	t, err := NewTuple(c.Segment, c.Sequence)
	if err == nil {
		t.cut = true
	}
	return t, err
}

// Scale returns how many of the things 0..n-1 of what is cut belong to the cut; of such as are shared out by how many of
// a number of others there are (see Tuple.Resegment), by is that number, else it is 0.
func (c Cut) Scale(n, by int64) (int64, error) {
	t, err := c.tuple()
	if err == nil && by > 0 {
		t, err = t.Resegment(by)
	}
	if errors.Is(err, ErrNoShare) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return t.Scale(n), nil
}

// Share returns the cuts that lead to the tuple, those that left everything left out.
func (t *Tuple) Share() Share {
	if t.IsWhole() {
		return nil
	}
	return append(t.outer.Share(), Cut{t.segment, t.sequence})
}

// Divide cuts a Share, given as its text, into parts in proportion to weights, of which one below 1 counts as 1, and returns the parts' texts:
// those of a thousand cost little, the Shares themselves a second. So that stripes stay short a part may miss the proportion by a hundredth of
// itself, and by a thousandth of the whole or a hundredth of an average part, whichever is less. See TestDivideIsProportional. ErrShare if
// the parts would be cut too often or be too long.
func Divide(share string, weights []int64) ([]string, error) {
	if share != "" {
		share += "/"
	}
	runs := string(appendRuns(nil, proportions(weights)))
	out := make([]string, len(weights))
	for i := range out {
		out[i] = share + strconv.Itoa(i) + "@" + runs
	}
	if last := share + strconv.Itoa(len(out)) + "@" + runs; len(last) > maxText || strings.Count(last, "/") >= maxCuts {
		return nil, fmt.Errorf("%w: cut %d times, %d bytes long", ErrShare, strings.Count(last, "/")+1, len(last))
	}
	return out, nil
}

// proportions are the lengths of Divide's parts, relative to one another.
func proportions(weights []int64) []int64 {
	parts := make([]int64, len(weights))
	sum := 0.0
	for i, w := range weights {
		parts[i] = max(1, w)
		sum += float64(parts[i])
	}
	total := reduce(parts)
	if most := max(1000, 100*len(parts)); total > float64(most) {
		for i, w := range weights {
			parts[i] = max(1, int64(float64(max(1, w))/sum*float64(most)+0.5))
		}
		reduce(parts)
	}
	return parts
}

// reduce divides parts by what divides them all, and returns their sum then.
func reduce(parts []int64) (sum float64) {
	var common int64
	for _, p := range parts {
		for a := p; a != 0; {
			common, a = a, common%a
		}
	}
	for i := range parts {
		parts[i] /= common
		sum += float64(parts[i])
	}
	return sum
}

// sequenceOf lays segments of these lengths, relative to one another, side by side.
func sequenceOf(parts []int64) Sequence {
	var whole, at int64
	for _, p := range parts {
		whole += p
	}
	q := make(Sequence, len(parts))
	from := new(big.Rat)
	for i, p := range parts {
		at += p
		to := big.NewRat(at, whole)
		q[i] = Segment{from, to}
		from = to
	}
	return q
}

// String returns the text that ParseShare reads, with the sequences filled and in lowest terms; of a share that is none
// the error's text.
func (s Share) String() string {
	text, err := s.MarshalText()
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// MarshalText returns what String does.
func (s Share) MarshalText() (text []byte, err error) {
	for i, c := range s {
		if i > 0 {
			text = append(text, '/')
		}
		full := c.Sequence.Filled()
		if len(c.Sequence) == 0 {
			full = Sequence{c.Segment}.Filled()
		}
		index := full.Find(c.Segment)
		if index < 0 {
			return nil, fmt.Errorf("%w: segment %s is not in sequence %s", ErrShare, c.Segment, c.Sequence)
		}
		parts, _, err := full.parts()
		if err != nil {
			return nil, err
		}
		text = fmt.Appendf(text, "%d@", index)
		text = appendRuns(text, parts)
	}
	if len(s) > maxCuts || len(text) > maxText {
		return nil, fmt.Errorf("%w: cut %d times, %d bytes long", ErrShare, len(s), len(text))
	}
	return text, nil
}

func appendRuns(text []byte, parts []int64) []byte {
	reduce(parts)
	for i := 0; i < len(parts); {
		n := 1
		for i+n < len(parts) && parts[i+n] == parts[i] {
			n++
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, parts[i], 10)
		if n > 1 {
			text = fmt.Appendf(text, "x%d", n)
		}
		i += n
	}
	return text
}

// UnmarshalText is ParseShare.
func (s *Share) UnmarshalText(text []byte) error {
	n, err := ParseShare(string(text))
	if err == nil {
		*s = n
	}
	return err
}

// ParseShare reads the text of a Share. It may come from anywhere: what it can ask for in memory and time is bounded.
func ParseShare(text string) (Share, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxText || strings.Count(text, "/") >= maxCuts {
		return nil, fmt.Errorf("%w: too long", ErrShare)
	}
	var s Share
	var sum int64
	left := maxParts
	for part := range strings.SplitSeq(text, "/") {
		at, lengths, _ := strings.Cut(part, "@")
		index, ok := number(at, maxParts)
		parts, total, read := parseRuns(lengths, left)
		sum += total
		left -= len(parts)
		if !ok || !read || index >= int64(len(parts)) || sum > maxStripe {
			return nil, fmt.Errorf("%w: %.100q", ErrShare, part)
		}
		q := sequenceOf(parts)
		s = append(s, Cut{q[index], q})
	}
	return s, nil
}

func parseRuns(text string, most int) (parts []int64, sum int64, ok bool) {
	for run := range strings.SplitSeq(text, ",") {
		length, count, several := strings.Cut(run, "x")
		p, ok := number(length, maxStripe)
		n := int64(1)
		if several && ok {
			n, ok = number(count, maxParts)
		}
		if !ok || p < 1 || n < 1 || int64(len(parts))+n > int64(most) || sum+n*p > maxStripe {
			return nil, 0, false
		}
		sum += n * p
		for range n {
			parts = append(parts, p)
		}
	}
	return parts, sum, true
}

// number reads a decimal of digits alone, from 0 to most.
func number(text string, most int64) (int64, bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err == nil && int64(n) <= most
}
