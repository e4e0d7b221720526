package plan

import (
	"throng/internal/fault"
	"throng/internal/segment"
)

// Tuple returns the part of the test that the options give to this process: all of it, unless they name a segment.
func (o Options) Tuple() (*segment.Tuple, error) {
	seg, err := segment.Parse(o.ExecutionSegment.V)
	if err != nil {
		return nil, fault.New(fault.InvalidConfig, err)
	}
	var q segment.Sequence
	if o.ExecutionSegmentSequence.Set {
		if q, err = segment.ParseSequence(o.ExecutionSegmentSequence.V); err != nil {
			return nil, fault.New(fault.InvalidConfig, err)
		}
	}
	t, err := segment.NewTuple(seg, q)
	return t, fault.New(fault.InvalidConfig, err)
}
