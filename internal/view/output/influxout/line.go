package influxout

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"throng/internal/metric"
)

// encoder writes samples as lines. It is not safe for concurrent use.
type encoder struct {
	fields []field
	extra  []metric.Tag
	unit   int64 // of times, in nanoseconds
	// The text of a tag set is made once: few sets make many samples.
	texts map[*metric.TagSet][]byte
}

// maxTexts bounds the memory of a script with endless tag values; the texts are forgotten when there are more.
const maxTexts = 1 << 14

// line appends a sample; false, and nothing, if the line protocol cannot say its value.
func (e *encoder) line(b []byte, s *metric.Sample) ([]byte, bool) {
	if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
		return b, false
	}
	b = append(b, s.Metric.Name...) // letters, digits and _: nothing to escape
	b = append(b, e.text(s.Tags)...)
	b = strconv.AppendFloat(b, s.Value, 'f', -1, 64)
	b = append(b, ' ')
	b = strconv.AppendInt(b, s.Time.UnixNano()/e.unit, 10)
	return append(b, '\n'), true
}

// text is what stands between the name and the value: the tags, and those that are fields.
func (e *encoder) text(t *metric.TagSet) []byte {
	if text, ok := e.texts[t]; ok {
		return text
	}
	var text, fields []byte
	for _, tag := range metric.WithTags(t.All(), e.extra) {
		kind := e.kind(tag.Key)
		if kind == "" {
			text = appendTag(text, tag)
		} else {
			fields = appendField(fields, tag, kind)
		}
	}
	text = append(append(append(text, ' '), fields...), "value="...)
	if len(e.texts) >= maxTexts {
		clear(e.texts)
	}
	e.texts[t] = text
	return text
}

// kind is "" for what stays a tag.
func (e *encoder) kind(key string) string {
	for _, f := range e.fields {
		if f.key == key {
			return f.kind
		}
	}
	return ""
}

// appendTag appends ",key=value". A tag without a key or a value does not exist for InfluxDB.
func appendTag(b []byte, t metric.Tag) []byte {
	key, value := word(t.Key), word(t.Value)
	if key == "" || value == "" || key == "time" {
		return b
	}
	b = append(b, ',')
	b = escape(b, key, ",= ")
	b = append(b, '=')
	return escape(b, value, ",= ")
}

// appendField appends "key=value,". A value that is not of its kind is left out: InfluxDB would refuse the whole point.
func appendField(b []byte, t metric.Tag, kind string) []byte {
	key := word(t.Key)
	if key == "" || t.Value == "" || key == "value" || key == "time" {
		return b
	}
	at := len(b)
	b = escape(b, key, ",= ")
	b = append(b, '=')
	switch kind {
	case "int":
		n, err := strconv.ParseInt(t.Value, 10, 64)
		if err != nil {
			return b[:at]
		}
		b = append(strconv.AppendInt(b, n, 10), 'i')
	case "float":
		f, err := strconv.ParseFloat(t.Value, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return b[:at]
		}
		b = strconv.AppendFloat(b, f, 'f', -1, 64)
	case "bool":
		v, err := strconv.ParseBool(t.Value)
		if err != nil {
			return b[:at]
		}
		b = strconv.AppendBool(b, v)
	default:
		b = append(b, '"')
		b = escape(b, printable(t.Value), `"\`)
		b = append(b, '"')
	}
	return append(b, ',')
}

// word is s as a tag can hold it: without line breaks and other control characters, for which there is no escape, and without
// backslashes at its end, which would escape what follows.
func word(s string) string { return strings.TrimRight(printable(s), `\`) }

// printable is s with spaces for control characters, and valid.
func printable(s string) string {
	clean := utf8.ValidString(s)
	for i := 0; i < len(s) && clean; i++ {
		clean = s[i] >= ' ' && s[i] != 0x7f
	}
	if clean {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

func escape(b []byte, s, special string) []byte {
	for i := range len(s) {
		if strings.IndexByte(special, s[i]) >= 0 {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return b
}
