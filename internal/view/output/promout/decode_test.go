package promout

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

// decoded is a series as a server reads it.
type decoded struct {
	labels string // name{key="value",...}, in the order in which they came
	value  float64
	time   int64
	hist   *decodedHistogram
}

type decodedHistogram struct {
	count, zeros       uint64
	sum                float64
	schema             int64
	negative, positive map[int64]int64 // by number
}

// fields calls visit with every field of a message.
func fields(t *testing.T, b []byte, visit func(n protowire.Number, number uint64, bytes []byte)) {
	t.Helper()
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			t.Fatal("a broken field")
		}
		b = b[size:]
		var number uint64
		var bytes []byte
		switch kind {
		case protowire.VarintType:
			number, size = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			number, size = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			bytes, size = protowire.ConsumeBytes(b)
		default:
			t.Fatalf("field %d is of kind %d", n, kind)
		}
		if size < 0 {
			t.Fatalf("field %d is broken", n)
		}
		b = b[size:]
		visit(n, number, bytes)
	}
}

// decode reads a compressed request.
func decode(t *testing.T, body []byte) (out []decoded) {
	t.Helper()
	raw, err := snappy.Decode(nil, body)
	if err != nil {
		t.Fatal(err)
	}
	return decodeRequest(t, raw)
}

func decodeRequest(t *testing.T, raw []byte) (out []decoded) {
	t.Helper()
	fields(t, raw, func(_ protowire.Number, _ uint64, series []byte) {
		var d decoded
		var names, pairs []string
		name := ""
		fields(t, series, func(n protowire.Number, _ uint64, inner []byte) {
			switch n {
			case seriesLabel:
				var key, value string
				fields(t, inner, func(n protowire.Number, _ uint64, text []byte) {
					if n == labelName {
						key = string(text)
					} else {
						value = string(text)
					}
				})
				names = append(names, key)
				if key == nameLabel {
					name = value
				} else {
					pairs = append(pairs, fmt.Sprintf("%s=%q", key, value))
				}
			case seriesSample:
				fields(t, inner, func(n protowire.Number, number uint64, _ []byte) {
					if n == sampleValue {
						d.value = math.Float64frombits(number)
					} else {
						d.time = int64(number)
					}
				})
			case seriesHistogram:
				d.hist = decodeHistogram(t, inner, &d.time)
			}
		})
		if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("labels are not in order: %q", names)
		}
		d.labels = name + "{" + strings.Join(pairs, ",") + "}"
		out = append(out, d)
	})
	return out
}

func decodeHistogram(t *testing.T, b []byte, at *int64) *decodedHistogram {
	t.Helper()
	h := &decodedHistogram{negative: map[int64]int64{}, positive: map[int64]int64{}}
	type side struct {
		numbers []int64
		end     int64
		counts  []int64
	}
	var sides [2]side
	fields(t, b, func(n protowire.Number, number uint64, inner []byte) {
		s := &sides[0]
		if n >= histogramPositiveSpans {
			s = &sides[1]
		}
		switch n {
		case histogramCount:
			h.count = number
		case histogramSum:
			h.sum = math.Float64frombits(number)
		case histogramSchema:
			h.schema = protowire.DecodeZigZag(number)
		case histogramZeroCount:
			h.zeros = number
		case histogramNegativeSpans, histogramPositiveSpans:
			var offset, length int64
			fields(t, inner, func(n protowire.Number, number uint64, _ []byte) {
				if n == spanOffset {
					offset = protowire.DecodeZigZag(number)
				} else {
					length = int64(number)
				}
			})
			for i := range length {
				s.numbers = append(s.numbers, s.end+offset+i)
			}
			s.end += offset + length
		case histogramNegativeDeltas, histogramPositiveDeltas:
			last := int64(0)
			for len(inner) > 0 {
				v, size := protowire.ConsumeVarint(inner)
				if size < 0 {
					t.Fatal("broken deltas")
				}
				inner = inner[size:]
				last += protowire.DecodeZigZag(v)
				s.counts = append(s.counts, last)
			}
		case histogramTime:
			*at = int64(number)
		}
	})
	for i, into := range []map[int64]int64{h.negative, h.positive} {
		if len(sides[i].numbers) != len(sides[i].counts) {
			t.Fatalf("%d buckets and %d counts", len(sides[i].numbers), len(sides[i].counts))
		}
		for j, n := range sides[i].numbers {
			into[n] = sides[i].counts[j]
		}
	}
	return h
}
