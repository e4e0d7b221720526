package segment

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// maxStripe bounds a stripe's length, and so the memory and time of cutting it: 0.3333333:0.6666667 is a typing mistake for
// 1/3:2/3.
const maxStripe = 10_000_000

// ErrStripe reports a sequence whose fractions have no small common denominator.
var ErrStripe = errors.New("execution segments have no common denominator below ten million: write them as fractions, such as 1/3:2/3")

// Tuple is one segment's place in its sequence: which of any number of things belong to it. It may lie in another tuple, and is
// then a part of what belongs to that one. It does not change, so any number of goroutines may use it. A nil *Tuple is the
// whole test.
type Tuple struct {
	outer    *Tuple // what the segment is a part of, never a whole test; nil: of the whole test
	cut      bool   // it comes from a Share
	segment  Segment
	sequence Sequence // covers the whole
	index    int
	lcd      int64   // the stripe's length; the pattern repeats after it
	own      []int64 // which of 0..lcd-1 are ours, ascending; nil when all are, and then there is no outer
}

// Whole is the tuple of a test that one instance runs alone.
func Whole() *Tuple {
	return &Tuple{sequence: Sequence{Segment{}}, lcd: 1}
}

// NewTuple places segment in sequence, which is filled up to the whole; the empty sequence is made of the segment itself.
func NewTuple(segment Segment, sequence Sequence) (*Tuple, error) {
	if len(sequence) == 0 {
		sequence = Sequence{segment}
	}
	full := sequence.Filled()
	index := full.Find(segment)
	if index < 0 {
		return nil, fmt.Errorf("provided segment %s can't be found in sequence %s", segment, sequence)
	}
	return place(full, index)
}

func place(full Sequence, index int) (*Tuple, error) {
	t := &Tuple{segment: full[index], sequence: full, index: index, lcd: 1}
	if len(full) == 1 {
		return t, nil
	}
	parts, lcd, err := full.parts()
	if err != nil {
		return nil, err
	}
	t.lcd = lcd
	t.own = make([]int64, 0, parts[index])
	deal(lcd, parts, func(i int64, part int) bool {
		if part == index {
			t.own = append(t.own, i)
		}
		return int64(len(t.own)) < parts[index]
	})
	return t, nil
}

// parts returns the segments' lengths as numerators over their common denominator.
func (q Sequence) parts() (parts []int64, lcd int64, err error) {
	common := big.NewInt(1)
	for _, s := range q {
		d := s.Length().Denom()
		common.Mul(common, new(big.Int).Quo(d, new(big.Int).GCD(nil, nil, common, d)))
		if common.Cmp(big.NewInt(maxStripe)) > 0 {
			return nil, 0, ErrStripe
		}
	}
	lcd = common.Int64()
	parts = make([]int64, len(q))
	for i, s := range q {
		l := s.Length()
		parts[i] = l.Num().Int64() * (lcd / l.Denom().Int64())
	}
	return parts, lcd, nil
}

// deal hands out 0..lcd-1 to parts, of which part j gets parts[j] and whose sum is lcd, and tells which goes to whom until
// told to stop. Element i goes to the largest part (of equal ones the first) that is behind its share: dealt*lcd/size <= i.
// At least one always is. A part's dealt only changes when it is chosen, so each waits in a heap until the element at
// which it is behind. See TestDealAgainstTwin.
func deal(lcd int64, parts []int64, tell func(i int64, part int) bool) {
	order := make([]int, len(parts))
	for j := range order {
		order[j] = j
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(parts[b], parts[a]) })
	var waiting, behind queue
	for rank := range order {
		behind = append(behind, turn{key: int64(rank), rank: rank})
	}
	dealt := make([]int64, len(parts))
	for i := int64(0); i < lcd; i++ {
		for len(waiting) > 0 && waiting[0].key <= i {
			r := heap.Pop(&waiting).(turn).rank
			heap.Push(&behind, turn{key: int64(r), rank: r})
		}
		rank := heap.Pop(&behind).(turn).rank
		j := order[rank]
		if !tell(i, j) {
			return
		}
		dealt[j]++
		if dealt[j] < parts[j] {
			heap.Push(&waiting, turn{key: (dealt[j]*lcd + parts[j] - 1) / parts[j], rank: rank})
		}
	}
}

// turn is a part, by its rank in the order of size, in a queue ordered by key.
type turn struct {
	key  int64
	rank int
}

type queue []turn

func (q queue) Len() int           { return len(q) }
func (q queue) Less(a, b int) bool { return q[a].key < q[b].key }
func (q queue) Swap(a, b int)      { q[a], q[b] = q[b], q[a] }
func (q *queue) Push(v any)        { *q = append(*q, v.(turn)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// Segment returns the part of the test that the tuple is about. In an outer tuple it is the same part of that one's segment,
// so that its length is the share of the whole test, but what belongs to it is not what would belong to that segment alone.
func (t *Tuple) Segment() Segment {
	switch {
	case t == nil:
		return Segment{}
	case t.outer == nil:
		return t.segment
	}
	out := t.outer.Segment()
	at := func(r *big.Rat) *big.Rat { return r.Mul(r, out.Length()).Add(r, out.From()) }
	return Segment{at(t.segment.From()), at(t.segment.To())}
}

// IsCut reports whether the tuple comes from a Share that is not the whole.
func (t *Tuple) IsCut() bool { return !t.IsWhole() && t.cut }

// IsWhole reports whether everything is ours.
func (t *Tuple) IsWhole() bool { return t == nil || t.own == nil }

// Scale returns how many of the things 0..n-1 are ours. Over all segments of the sequence the sum is n, and it never falls
// as n rises. n below 1 gives 0.
func (t *Tuple) Scale(n int64) int64 {
	if n < 1 {
		return 0
	}
	if t.IsWhole() {
		return n
	}
	n = t.outer.Scale(n)
	in, _ := slices.BinarySearch(t.own, n%t.lcd)
	return n/t.lcd*int64(len(t.own)) + int64(in)
}

// Global returns which of the whole test's things is our local-th, both counted from 0.
func (t *Tuple) Global(local int64) int64 {
	if t.IsWhole() {
		return local
	}
	return t.global(local)
}

// global stands apart so that Global costs a test where there is one instance.
func (t *Tuple) global(local int64) int64 {
	n := int64(len(t.own))
	return t.outer.Global(local/n*t.lcd + t.own[local%n])
}

// ErrNoShare reports that nothing of a value falls to a segment.
var ErrNoShare = errors.New("the segment has no share of it")

// Resegment returns the tuple in which every segment's length is its scaled share of n: shared iterations are dealt out by
// the VUs that the instances have, not by the lengths of their segments. Segments without a share are left out; ErrNoShare
// when ours is one of them, or n is below 1.
func (t *Tuple) Resegment(n int64) (*Tuple, error) { return t.resegment(n, false) }

// ResegmentCuts is Resegment of what comes from a Share; what that lies in stays as it is.
func (t *Tuple) ResegmentCuts(n int64) (*Tuple, error) { return t.resegment(n, true) }

func (t *Tuple) resegment(n int64, cuts bool) (*Tuple, error) {
	if t.IsWhole() {
		return Whole(), nil
	}
	outer, err := t.outer.resegment(n, cuts)
	if err != nil {
		return nil, err
	}
	re := t
	if t.cut || !cuts {
		if re, err = t.byShares(t.outer.Scale(n)); err != nil {
			return nil, err
		}
	}
	return outer.with(re), nil
}

// with returns inner as a part of t.
func (t *Tuple) with(inner *Tuple) *Tuple {
	if inner.IsWhole() {
		return t
	}
	all := *inner
	all.outer = nil
	if !t.IsWhole() {
		all.outer = t
	}
	return &all
}

// byShares is Resegment of the sequence alone, n being what there is to share at its level.
func (t *Tuple) byShares(n int64) (*Tuple, error) {
	shares, lcd, err := t.sequence.parts()
	if err != nil {
		return nil, err
	}
	in := make([]int64, len(shares))
	deal(lcd, shares, func(i int64, part int) bool {
		if i >= n%lcd {
			return false
		}
		in[part]++
		return true
	})
	var q Sequence
	index, sum := -1, new(big.Rat)
	for i, part := range shares {
		share := n/lcd*part + in[i]
		if share == 0 {
			continue
		}
		if i == t.index {
			index = len(q)
		}
		from := sum
		sum = new(big.Rat).Add(from, big.NewRat(share, n))
		q = append(q, Segment{from, sum})
	}
	if index < 0 {
		return nil, ErrNoShare
	}
	re, err := place(q, index)
	if err == nil {
		re.cut = t.cut
	}
	return re, err
}
