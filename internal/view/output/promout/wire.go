package promout

import (
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"throng/internal/metric"
	"throng/internal/sketch"
)

// The numbers of the fields that are written, by Prometheus' types.proto.
const (
	requestSeries = 1

	seriesLabel     = 1
	seriesSample    = 2
	seriesHistogram = 4

	labelName  = 1
	labelValue = 2

	sampleValue = 1
	sampleTime  = 2

	histogramCount          = 1
	histogramSum            = 3
	histogramSchema         = 4
	histogramZeroThreshold  = 5
	histogramZeroCount      = 6
	histogramNegativeSpans  = 8
	histogramNegativeDeltas = 9
	histogramPositiveSpans  = 11
	histogramPositiveDeltas = 12
	histogramTime           = 15

	spanOffset = 1
	spanLength = 2
)

// labels are a series' labels but for its name, encoded, in two parts: those that sort before __name__, and those after it. Prometheus
// wants them sorted.
type labels struct{ before, after []byte }

const nameLabel = "__name__"

// makeLabels encodes tags, which are sorted, without those that are empty.
func makeLabels(tags []metric.Tag) (l labels) {
	for _, t := range tags {
		if t.Key == "" || t.Value == "" || t.Key == nameLabel {
			continue
		}
		if t.Key < nameLabel {
			l.before = appendLabel(l.before, t.Key, t.Value)
		} else {
			l.after = appendLabel(l.after, t.Key, t.Value)
		}
	}
	return l
}

func appendLabel(b []byte, name string, value ...string) []byte {
	name = strings.ToValidUTF8(name, "\ufffd")
	size := 0
	for _, v := range value {
		size += len(v)
	}
	b = protowire.AppendTag(b, seriesLabel, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(protowire.SizeTag(labelName)+protowire.SizeBytes(len(name))+protowire.SizeTag(labelValue)+protowire.SizeBytes(size)))
	b = protowire.AppendTag(b, labelName, protowire.BytesType)
	b = protowire.AppendString(b, name)
	b = protowire.AppendTag(b, labelValue, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	for _, v := range value {
		b = append(b, v...)
	}
	return b
}

// writer appends series to a request. The zero value is ready to use.
type writer struct {
	request []byte
	series  []byte // scratch
	inner   []byte // scratch
	deltas  []byte // scratch
}

// begin starts a series of that name.
func (w *writer) begin(l *labels, metric, suffix string) {
	w.series = append(w.series[:0], l.before...)
	w.series = appendLabel(w.series, nameLabel, "k6_", metric, suffix)
	w.series = append(w.series, l.after...)
}

// end adds what was begun to the request.
func (w *writer) end() {
	w.request = protowire.AppendTag(w.request, requestSeries, protowire.BytesType)
	w.request = protowire.AppendBytes(w.request, w.series)
}

// sample writes a series with one value.
func (w *writer) sample(l *labels, metric, suffix string, value float64, ms int64) {
	w.begin(l, metric, suffix)
	w.inner = protowire.AppendTag(w.inner[:0], sampleValue, protowire.Fixed64Type)
	w.inner = protowire.AppendFixed64(w.inner, math.Float64bits(value))
	w.inner = protowire.AppendTag(w.inner, sampleTime, protowire.VarintType)
	w.inner = protowire.AppendVarint(w.inner, uint64(ms))
	w.series = protowire.AppendTag(w.series, seriesSample, protowire.BytesType)
	w.series = protowire.AppendBytes(w.series, w.inner)
	w.end()
}

// schema is the resolution of native histograms: eight buckets for each power of two, which is what k6 has. A sketch has sixteen times
// as many; sixteen neighbours are exactly one bucket.
const schema = 3

// zeroThreshold is the largest value that counts as zero: the smallest bucket of a sketch begins there.
const zeroThreshold = 0x1p-1022

// histogram writes a series with a native histogram.
func (w *writer) histogram(l *labels, metric, suffix string, t *sketch.Trend, ms int64) {
	w.begin(l, metric, suffix)
	positive, negative, zeros := t.Buckets()
	b := w.inner[:0]
	b = protowire.AppendTag(b, histogramCount, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(t.Count()))
	b = appendDouble(b, histogramSum, t.Sum())
	b = protowire.AppendTag(b, histogramSchema, protowire.VarintType)
	b = protowire.AppendVarint(b, protowire.EncodeZigZag(schema))
	b = appendDouble(b, histogramZeroThreshold, zeroThreshold)
	b = protowire.AppendTag(b, histogramZeroCount, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(zeros))
	b = w.buckets(b, negative, histogramNegativeSpans, histogramNegativeDeltas)
	b = w.buckets(b, positive, histogramPositiveSpans, histogramPositiveDeltas)
	b = protowire.AppendTag(b, histogramTime, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(ms))
	w.inner = b
	w.series = protowire.AppendTag(w.series, seriesHistogram, protowire.BytesType)
	w.series = protowire.AppendBytes(w.series, b)
	w.end()
}

func appendDouble(b []byte, field protowire.Number, v float64) []byte {
	b = protowire.AppendTag(b, field, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, math.Float64bits(v))
}

// buckets appends spans of neighbouring buckets that are not empty, and the difference of each to the one before.
func (w *writer) buckets(b []byte, from sketch.Buckets, spans, deltas protowire.Number) []byte {
	const shift = sketch.Scale - schema
	var last int64 // count
	w.deltas = w.deltas[:0]
	begin, end := int32(0), int32(0) // of the span; the first offset counts from 0
	before := int32(0)               // where the span before ends
	var scratch [16]byte
	flush := func() {
		if end > begin {
			span := protowire.AppendTag(scratch[:0], spanOffset, protowire.VarintType)
			span = protowire.AppendVarint(span, protowire.EncodeZigZag(int64(begin-before)))
			span = protowire.AppendTag(span, spanLength, protowire.VarintType)
			span = protowire.AppendVarint(span, uint64(end-begin))
			b = protowire.AppendTag(b, spans, protowire.BytesType)
			b = protowire.AppendBytes(b, span)
			before = end
		}
	}
	for i := 0; i < len(from.Counts); {
		// Bucket n of a sketch holds (2^(n/128), 2^((n+1)/128)]; the same range is number n+1 here.
		wide := (from.Offset + int32(i)) >> shift
		sum := int64(0)
		for ; i < len(from.Counts) && (from.Offset+int32(i))>>shift == wide; i++ {
			sum += int64(from.Counts[i])
		}
		if sum == 0 {
			continue
		}
		if at := wide + 1; end == begin || at != end {
			flush()
			begin, end = at, at
		}
		end++
		w.deltas = protowire.AppendVarint(w.deltas, protowire.EncodeZigZag(sum-last))
		last = sum
	}
	flush()
	if len(w.deltas) > 0 {
		b = protowire.AppendTag(b, deltas, protowire.BytesType) // packed
		b = protowire.AppendBytes(b, w.deltas)
	}
	return b
}
