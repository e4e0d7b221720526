package jsonout

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"throng/internal/metric"
	"throng/internal/threshold"
	"throng/internal/view/output/stream"
)

// Output is one file of JSON lines.
type Output struct {
	path      string
	stream    *stream.Stream
	defs      stream.Definitions
	announced map[*metric.Metric]bool
	foreign   map[string]bool // Metric lines that came by AddLines
	// The text of a tag set is made once: few sets make many samples.
	tags map[*metric.TagSet][]byte
}

// maxTagTexts bounds the memory of a script with endless tag values; the texts are forgotten when there are more.
const maxTagTexts = 1 << 14

// New returns an output that writes to path.
func New(path string, env stream.Env) *Output {
	o := &Output{path: path, announced: map[*metric.Metric]bool{}, foreign: map[string]bool{}, tags: map[*metric.TagSet][]byte{}}
	o.stream = stream.New(path, 200*time.Millisecond, env, o.line)
	return o
}

// Describe names the output and where it goes.
func (o *Output) Describe() string {
	if o.stream.Stdout() {
		return "json(stdout)"
	}
	return "json (" + o.path + ")"
}

// Start opens the file.
func (o *Output) Start(defs stream.Definitions) error {
	o.defs = defs
	return o.stream.Open(nil)
}

// Run flushes five times a second until ctx is done.
func (o *Output) Run(ctx context.Context) error { return o.stream.Run(ctx) }

// Add takes samples.
func (o *Output) Add(samples []metric.Sample) { o.stream.Add(samples) }

// maxForeign bounds the memory for Metric lines; more of them are written each time they come.
const maxForeign = 10_000

// AddLines takes whole lines that an output of this kind formatted in another process. Of equal Metric lines the first is written.
func (o *Output) AddLines(lines []byte) {
	o.stream.AddLines(lines, func(line []byte) bool {
		if !bytes.HasPrefix(line, []byte(`{"type":"Metric",`)) {
			return false
		}
		known := o.foreign[string(line)]
		if !known && len(o.foreign) < maxForeign {
			o.foreign[string(line)] = true
		}
		return known
	})
}

// Flush writes all that waits.
func (o *Output) Flush(context.Context) error { return o.stream.Flush() }

// Stop writes what is left and closes the file.
func (o *Output) Stop() error { return o.stream.Stop() }

func (o *Output) line(b []byte, s *metric.Sample) []byte {
	if !o.announced[s.Metric] {
		o.announced[s.Metric] = true
		b = o.announce(b, s.Metric)
	}
	b = append(b, `{"metric":`...)
	b = appendString(b, s.Metric.Name)
	b = append(b, `,"type":"Point","data":{"time":"`...)
	b = s.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","value":`...)
	b = appendNumber(b, s.Value)
	b = append(b, `,"tags":`...)
	b = append(b, o.tagText(s.Tags)...)
	if len(s.Metadata) > 0 {
		b = append(b, `,"metadata":{`...)
		for i, k := range slices.Sorted(maps.Keys(s.Metadata)) {
			b = appendPair(b, i, k, s.Metadata[k])
		}
		b = append(b, '}')
	}
	return append(b, "}}\n"...)
}

func (o *Output) tagText(t *metric.TagSet) []byte {
	if text, ok := o.tags[t]; ok {
		return text
	}
	text := []byte{'{'}
	for i, tag := range t.All() {
		text = appendPair(text, i, tag.Key, tag.Value)
	}
	text = append(text, '}')
	if len(o.tags) >= maxTagTexts {
		clear(o.tags)
	}
	o.tags[t] = text
	return text
}

type submetric struct {
	Name   string            `json:"name"`
	Suffix string            `json:"suffix"`
	Tags   map[string]string `json:"tags"`
}

// announce writes the Metric line.
func (o *Output) announce(b []byte, m *metric.Metric) []byte {
	type data struct {
		Name       string      `json:"name"`
		Type       string      `json:"type"`
		Contains   string      `json:"contains"`
		Thresholds []any       `json:"thresholds"`
		Submetrics []submetric `json:"submetrics"`
	}
	d := data{Name: m.Name, Type: m.Kind.String(), Contains: m.Contains.String(), Thresholds: []any{}}
	listed := map[string]bool{}
	add := func(name string, s metric.Selector) {
		if id := s.ID(); !listed[id] {
			listed[id] = true
			sub := submetric{Name: name, Suffix: name[len(s.Metric)+1 : len(name)-1], Tags: map[string]string{}}
			for _, t := range s.Tags {
				sub.Tags[t.Key] = t.Value
			}
			d.Submetrics = append(d.Submetrics, sub)
		}
	}
	for _, e := range o.defs.Thresholds.Entries {
		switch {
		case e.Selector.Metric != m.Name:
		case len(e.Selector.Tags) > 0:
			add(e.Name, e.Selector)
		default:
			for _, r := range e.Rules {
				d.Thresholds = append(d.Thresholds, source(r.Threshold))
			}
		}
	}
	for _, s := range o.defs.Submetrics {
		if s.Metric == m.Name {
			add(s.String(), s)
		}
	}
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false) // expressions are full of < and >
	if err := enc.Encode(struct {
		Type   string `json:"type"`
		Data   data   `json:"data"`
		Metric string `json:"metric"`
	}{"Metric", d, m.Name}); err != nil {
		return b // strings and maps of strings always marshal
	}
	return append(b, line.Bytes()...)
}

// source is how a threshold was written: a string, or an object where it may stop the run.
func source(t threshold.Threshold) any {
	if !t.AbortOnFail {
		return t.Source
	}
	o := struct {
		Threshold      string  `json:"threshold"`
		AbortOnFail    bool    `json:"abortOnFail"`
		DelayAbortEval *string `json:"delayAbortEval"` // null when there is none, as in k6
	}{t.Source, true, nil}
	if t.DelayAbortEval > 0 {
		delay := t.DelayAbortEval.String()
		o.DelayAbortEval = &delay
	}
	return o
}

func appendPair(b []byte, i int, k, v string) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = appendString(b, k)
	b = append(b, ':')
	return appendString(b, v)
}

func appendNumber(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...) // JSON has no word for it
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

// appendString quotes s; what needs escaping goes the slow way through encoding/json.
func appendString(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
