package term

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Format is how log records are written: k6's --log-format.
type Format int

// The formats. Any other name means Text, as in k6.
const (
	Text Format = iota // time="..." level=info msg=...; for people when coloured
	JSON               // an object a line
	Raw                // the bare message
)

// ParseFormat reads a --log-format.
func ParseFormat(s string) Format {
	switch s {
	case "json":
		return JSON
	case "raw":
		return Raw
	default:
		return Text
	}
}

// LogOptions say how records are written.
type LogOptions struct {
	Format Format
	Level  slog.Leveler // nil: Info
	Colour bool         // Text becomes the short coloured form for people
	Start  time.Time    // what the coloured form counts seconds from
}

// NewHandler returns a handler that writes each record to w in one call. It is safe for concurrent use.
func NewHandler(w io.Writer, o LogOptions) slog.Handler {
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	return &handler{LogOptions: o, to: &target{w: w}}
}

// Console returns a logger for what a script prints: its records carry source=console.
func Console(l *slog.Logger) *slog.Logger { return l.With(slog.String("source", "console")) }

// target is shared by a handler and all that With makes of it.
type target struct {
	mu  sync.Mutex // held while writing, so that records stay whole
	w   io.Writer
	buf []byte
}

type field struct{ key, value string }

type handler struct {
	LogOptions
	to     *target
	prefix string  // of groups, with a dot behind each
	fields []field // sorted by key
}

// Enabled reports whether records of that level are written.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.Level.Level() }

// WithAttrs returns a handler that adds the attributes to every record.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.fields = slices.Clone(h.fields)
	for _, a := range attrs {
		c.fields = add(c.fields, h.prefix, a)
	}
	sortFields(c.fields)
	return &c
}

// WithGroup returns a handler that puts name and a dot before the keys that follow.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	c := *h
	c.prefix += name + "."
	return &c
}

func add(fields []field, prefix string, a slog.Attr) []field {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range v.Group() {
			fields = add(fields, prefix, inner)
		}
		return fields
	}
	if a.Key == "" {
		return fields
	}
	key := prefix + a.Key
	for i := range fields { // the later value counts
		if fields[i].key == key {
			fields[i].value = v.String()
			return fields
		}
	}
	return append(fields, field{key, v.String()})
}

func sortFields(f []field) {
	slices.SortFunc(f, func(a, b field) int { return strings.Compare(a.key, b.key) })
}

// Handle writes one record.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	fields := h.fields
	if r.NumAttrs() > 0 {
		fields = slices.Clone(fields)
		r.Attrs(func(a slog.Attr) bool {
			fields = add(fields, h.prefix, a)
			return true
		})
		sortFields(fields)
	}
	t := h.to
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buf[:0]
	switch {
	case h.Format == JSON:
		b = h.json(b, r, fields)
	case h.Format == Raw:
		b = append(b, r.Message...)
	case h.Colour:
		b = h.coloured(b, r, fields)
	default:
		b = h.text(b, r, fields)
	}
	b = append(b, '\n')
	t.buf = b[:0]
	if cap(b) > 1<<16 {
		t.buf = nil // one long message must not stay in memory
	}
	_, err := t.w.Write(b)
	return err
}

// levelName is k6's word for a level.
func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelDebug:
		return "trace"
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warning"
	default:
		return "error"
	}
}

func (h *handler) text(b []byte, r slog.Record, fields []field) []byte {
	b = append(b, `time="`...)
	b = r.Time.AppendFormat(b, time.RFC3339)
	b = append(b, `" level=`...)
	b = append(b, levelName(r.Level)...)
	if r.Message != "" {
		b = append(b, " msg="...)
		b = appendValue(b, r.Message)
	}
	for _, f := range fields {
		b = append(b, ' ')
		b = append(b, f.key...)
		b = append(b, '=')
		b = appendValue(b, f.value)
	}
	return b
}

// appendValue quotes what has other characters than those of plain words and paths.
func appendValue(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._/@^+", c) >= 0; !plain {
			return strconv.AppendQuote(b, s)
		}
	}
	return append(b, s...)
}

// messageWidth is where the fields begin behind a short message.
const messageWidth = 44

func (h *handler) coloured(b []byte, r slog.Record, fields []field) []byte {
	word, colour := "INFO", cyan
	switch levelName(r.Level) {
	case "trace":
		word, colour = "TRAC", grey
	case "debug":
		word, colour = "DEBU", grey
	case "warning":
		word, colour = "WARN", yellow
	case "error":
		word, colour = "ERRO", red
	}
	b = append(b, paint(true, colour, word)...)
	b = fmt.Appendf(b, "[%04d] %s", int64(r.Time.Sub(h.Start)/time.Second), r.Message)
	for n := utf8.RuneCountInString(r.Message); n < messageWidth; n++ {
		b = append(b, ' ')
	}
	b = append(b, ' ')
	for _, f := range fields {
		b = append(b, ' ')
		b = append(b, paint(true, colour, f.key)...)
		b = append(b, '=')
		b = appendValue(b, f.value)
	}
	return b
}

func (h *handler) json(b []byte, r slog.Record, fields []field) []byte {
	own := []field{{"level", levelName(r.Level)}, {"msg", r.Message}, {"time", r.Time.Format(time.RFC3339)}}
	for _, f := range fields {
		switch f.key {
		case "level", "msg", "time": // ours win; the field's value stays readable
			f.key = "fields." + f.key
		}
		own = append(own, f)
	}
	sortFields(own)
	b = append(b, '{')
	for i, f := range own {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, f.key)
		b = append(b, ':')
		b = appendJSON(b, f.value)
	}
	return append(b, '}')
}

func appendJSON(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		return append(b, `""`...)
	}
	return append(b, quoted...)
}
