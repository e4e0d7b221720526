package sketch

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// version is the first byte of an encoded Trend.
const version = 1

// maxCount bounds the count of an encoded Trend, so that no sum of encoded ones overflows.
const maxCount = 1 << 53

// ErrFormat reports bytes that no Trend was encoded to.
var ErrFormat = errors.New("sketch: malformed trend")

// MarshalBinary encodes t: version, count, then little-endian sum (two parts), min and max, then up to 128 sorted raw
// values, or zeros and the two halves of the histogram. A half is the number of buckets from its first filled one to its
// last (0: none), the index of the first, and their counts; an empty bucket is followed by how many more are empty.
// Numbers are varints (encoding/binary), since most of them are small. It never fails.
func (t *Trend) MarshalBinary() ([]byte, error) { return t.AppendBinary(nil) }

// AppendBinary appends what MarshalBinary returns.
func (t *Trend) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, version)
	b = binary.AppendUvarint(b, uint64(t.count))
	if t.count == 0 {
		return b, nil
	}
	for _, f := range [...]float64{t.sum, t.rest, t.min, t.max} {
		b = appendFloat(b, f)
	}
	if t.count <= exactLimit {
		var few [exactLimit]float64
		sorted := append(few[:0], t.raw...)
		slices.Sort(sorted)
		for _, f := range sorted {
			b = appendFloat(b, f)
		}
		return b, nil
	}
	b = binary.AppendUvarint(b, uint64(t.zeros))
	return t.neg.append(t.pos.append(b)), nil
}

func appendFloat(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

func (w *window) append(b []byte) []byte {
	filled := w.buckets()
	b = binary.AppendUvarint(b, uint64(len(filled.Counts)))
	if len(filled.Counts) == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(filled.Offset-minIndex))
	empty := uint64(0)
	for _, n := range filled.Counts {
		if n == 0 {
			empty++
			continue
		}
		if empty > 0 {
			b = binary.AppendUvarint(append(b, 0), empty-1)
			empty = 0
		}
		if n < 0x80 {
			b = append(b, byte(n))
		} else {
			b = binary.AppendUvarint(b, n)
		}
	}
	return b
}

// UnmarshalBinary replaces t by what MarshalBinary encoded. It returns ErrFormat, and leaves t alone, when data is not
// that; it never allocates more than a Trend can hold (about 4 MiB), whatever data says.
func (t *Trend) UnmarshalBinary(data []byte) error {
	if _, err := Check(data); err != nil {
		return err
	}
	*t = Trend{}
	return t.MergeBinary(data)
}

// Check reports with ErrFormat whether data is no encoded Trend. Otherwise it returns how many bytes the histogram takes
// once it is decoded: a few bytes of data may describe a wide one.
func Check(data []byte) (decoded int, err error) {
	d := decoder{b: data}
	h := d.header()
	switch {
	case h.count == 0:
	case h.count <= exactLimit:
		d.raw(&h, nil)
		decoded = int(h.count) * 8
	default:
		decoded = 8 * d.histogram(&h, nil)
	}
	if d.bad || len(d.b) > 0 {
		return 0, ErrFormat
	}
	return decoded, nil
}

// MergeBinary adds what an encoded Trend has counted: what Merge does with the decoded one, without making it. Data must
// be such as Check accepts; of other data it returns ErrFormat, and t may have taken a part.
func (t *Trend) MergeBinary(data []byte) error {
	d := decoder{b: data}
	o := d.header()
	if d.bad || o.count == 0 {
		return d.end()
	}
	if t.count == 0 {
		t.min, t.max = o.min, o.max
	}
	if many := t.count+o.count > exactLimit; many && t.count <= exactLimit {
		t.spill()
	}
	if o.count <= exactLimit {
		d.raw(&o, t)
	} else {
		d.histogram(&o, t)
	}
	t.min, t.max = min(t.min, o.min), max(t.max, o.max)
	t.count += o.count
	t.addSum(o.sum, o.rest)
	return d.end()
}

// decoder reads from b until something is wrong; then bad stays true and every read returns zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) end() error {
	if d.bad || len(d.b) > 0 {
		return ErrFormat
	}
	return nil
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) float() float64 {
	if len(d.b) < 8 {
		d.bad = true
		return 0
	}
	f := math.Float64frombits(binary.LittleEndian.Uint64(d.b))
	d.b = d.b[8:]
	return f
}

// header reads what stands before the values. When it is bad the count is 0.
func (d *decoder) header() Trend {
	if d.byte() != version {
		d.bad = true
	}
	count := d.uvarint()
	if d.bad || count == 0 {
		return Trend{}
	}
	h := Trend{count: int64(count), sum: d.float(), rest: d.float(), min: d.float(), max: d.float()}
	if d.bad || count > maxCount || !(h.min <= h.max) {
		d.bad = true
		return Trend{}
	}
	return h
}

// raw reads the values of h, and adds them to t if there is one.
func (d *decoder) raw(h, t *Trend) {
	if int64(len(d.b)) != h.count*8 {
		d.bad = true
		return
	}
	few := t != nil && t.count+h.count <= exactLimit
	if few {
		t.raw = slices.Grow(t.raw, int(h.count))
	}
	for range h.count {
		v := d.float()
		switch {
		case !(v >= h.min && v <= h.max):
			d.bad = true
		case few:
			t.raw = append(t.raw, v)
		case t != nil:
			t.bucket(v, 1)
		}
	}
}

// histogram reads the buckets of h, adds them to t if there is one, and returns how many there are from the first filled
// one to the last.
func (d *decoder) histogram(h, t *Trend) (span int) {
	zeros := d.uvarint()
	left := uint64(h.count) - zeros
	d.bad = d.bad || zeros > uint64(h.count)
	var pos, neg *window
	if t != nil {
		t.zeros += int64(zeros)
		pos, neg = &t.pos, &t.neg
	}
	for _, w := range [...]*window{pos, neg} {
		if d.bad {
			return 0
		}
		n, sum := d.half(w)
		d.bad = d.bad || sum > left
		span, left = span+n, left-sum
	}
	d.bad = d.bad || left != 0
	return span
}

// half reads one half of a histogram, adds it to w if that is not nil, and returns its number of buckets and the sum of
// their counts.
func (d *decoder) half(w *window) (span int, sum uint64) {
	n := d.uvarint()
	if n == 0 {
		return 0, 0
	}
	first := d.uvarint()
	if d.bad || n > maxIndex-minIndex+1 || first > maxIndex-minIndex+1-n {
		d.bad = true
		return 0, 0
	}
	if w == nil {
		return int(n), d.skip(int(n))
	}
	from := minIndex + int32(first)
	w.hold(from, from+int32(n)-1)
	return int(n), d.add(w.counts[from-w.lo:][:n])
}

// add reads as many counts as there are and adds them. This loop is the cost of every merge in a grid, so its common case, a
// count from 1 to 127, comes first.
func (d *decoder) add(counts []uint64) (sum uint64) {
	b, i := d.b, 0
	for k := 0; k < len(counts); {
		if i >= len(b) {
			d.bad = true
			return 0
		}
		n := uint64(b[i])
		i++
		if n-1 < 0x7f {
			counts[k] += n
			sum += n
			k++
			continue
		}
		n, empty, size := long(b[i-1:], sum, len(counts)-k)
		if size == 0 || k == 0 && n == 0 {
			d.bad = true
			return 0
		}
		if n > 0 {
			counts[k] += n
			sum += n
		}
		k, i = k+1+empty, i-1+size
	}
	d.b = b[i:]
	return sum
}

// skip is add without adding.
func (d *decoder) skip(counts int) (sum uint64) {
	b, i := d.b, 0
	for k := 0; k < counts; {
		if i >= len(b) {
			d.bad = true
			return 0
		}
		n := uint64(b[i])
		i++
		if n-1 < 0x7f {
			sum += n
			k++
			continue
		}
		n, empty, size := long(b[i-1:], sum, counts-k)
		if size == 0 || k == 0 && n == 0 {
			d.bad = true
			return 0
		}
		sum += n
		k, i = k+1+empty, i-1+size
	}
	d.b = b[i:]
	return sum
}

// long reads a count of 128 or more, or 0 and how many more are empty: fewer than are left, so that the last one is filled. Its
// size is 0 if b begins with neither, or if sum would grow beyond maxCount.
func long(b []byte, sum uint64, left int) (n uint64, empty, size int) {
	n, size = binary.Uvarint(b)
	switch {
	case size <= 0 || sum > maxCount || n > maxCount-sum || n < 0x80 && size > 1:
		return 0, 0, 0
	case n > 0:
		return n, 0, size
	}
	more, extra := binary.Uvarint(b[size:])
	if extra <= 0 || left < 2 || more > uint64(left-2) {
		return 0, 0, 0
	}
	return 0, int(more), size + extra
}

// hold makes room for exactly from..to where there is nothing yet, as cover does where there is.
func (w *window) hold(from, to int32) {
	if len(w.counts) > 0 {
		w.cover(from, to)
		return
	}
	w.lo, w.counts = from, make([]uint64, to-from+1)
}
