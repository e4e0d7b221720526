package sketch

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// version is the first byte of an encoded Trend.
const version = 1

// ErrFormat reports bytes that no Trend was encoded to.
var ErrFormat = errors.New("sketch: malformed trend")

// MarshalBinary encodes t: version, count, then little-endian sum (two parts), min and max, then up to 128 sorted raw
// values, or zeros and the filled buckets as pairs of a distance to the one before and a count. It never fails.
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
		sorted := slices.Clone(t.raw)
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
	filled := 0
	for _, n := range w.counts {
		if n > 0 {
			filled++
		}
	}
	b = binary.AppendUvarint(b, uint64(filled))
	last := int32(minIndex)
	for k, n := range w.counts {
		if n > 0 {
			i := w.lo + int32(k)
			b = binary.AppendUvarint(b, uint64(i-last))
			b = binary.AppendUvarint(b, n)
			last = i
		}
	}
	return b
}

// UnmarshalBinary replaces t by what MarshalBinary encoded. It returns ErrFormat, and leaves t alone, when data is not
// that; it never allocates more than a Trend can hold (about 4 MiB), whatever data says.
func (t *Trend) UnmarshalBinary(data []byte) error {
	d := decoder{b: data}
	if d.byte() != version {
		return ErrFormat
	}
	count := d.uvarint()
	if d.bad || count > math.MaxInt64 {
		return ErrFormat
	}
	n := Trend{count: int64(count)}
	if count > 0 {
		n.sum, n.rest, n.min, n.max = d.float(), d.float(), d.float(), d.float()
		if d.bad || !(n.min <= n.max) {
			return ErrFormat
		}
		if count <= exactLimit {
			d.raw(&n)
		} else {
			d.buckets(&n)
		}
	}
	if d.bad || len(d.b) > 0 {
		return ErrFormat
	}
	*t = n
	return nil
}

// decoder reads from b until something is wrong; then bad stays true and every read returns zero.
type decoder struct {
	b   []byte
	bad bool
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

func (d *decoder) raw(t *Trend) {
	if int64(len(d.b)) != t.count*8 {
		d.bad = true
		return
	}
	t.raw = make([]float64, t.count)
	for i := range t.raw {
		t.raw[i] = d.float()
		if !(t.raw[i] >= t.min && t.raw[i] <= t.max) {
			d.bad = true
		}
	}
}

func (d *decoder) buckets(t *Trend) {
	left := uint64(t.count)
	take := func(n uint64) {
		if n > left {
			d.bad, n = true, left
		}
		left -= n
	}
	zeros := d.uvarint()
	take(zeros)
	t.zeros = int64(zeros)
	for _, w := range [...]*window{&t.pos, &t.neg} {
		i := uint64(0)
		filled := d.uvarint()
		for k := uint64(0); k < filled && !d.bad; k++ {
			gap, n := d.uvarint(), d.uvarint()
			take(n)
			i += min(gap, maxIndex-minIndex+1)
			if d.bad || n == 0 || gap == 0 && k > 0 || i > maxIndex-minIndex {
				d.bad = true
				return
			}
			w.add(minIndex+int32(i), n)
		}
	}
	if left != 0 {
		d.bad = true
	}
}
