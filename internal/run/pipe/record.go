package pipe

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Record is one log record of a runner, or one line that its script printed.
type Record struct {
	Time    time.Time   `json:"time"`
	Level   slog.Level  `json:"level"`
	Message string      `json:"msg"`
	Attrs   [][2]string `json:"attrs,omitempty"`
	Console bool        `json:"console,omitempty"` // the script printed it
	// LeftOut is how many records after this one were left out, because they came faster than they could be passed on.
	LeftOut int64 `json:"leftOut,omitempty"`
}

// Slog is the record for a slog.Handler.
func (r Record) Slog() slog.Record {
	out := slog.NewRecord(r.Time, r.Level, r.Message, 0)
	for _, a := range r.Attrs {
		out.AddAttrs(slog.String(a[0], a[1]))
	}
	return out
}

// What may wait to be sent. Warnings and errors find room when the rest no longer does.
const (
	maxRecords = 96 << 10 // bytes
	maxWarned  = 128 << 10
	maxText    = 16 << 10 // of one message or attribute; it is cut behind that
)

func (r *Record) size() int {
	n := 64 + len(r.Message)
	for _, a := range r.Attrs {
		n += 16 + len(a[0]) + len(a[1])
	}
	return n
}

// log queues a record, or counts it when there is no room.
func (o *outbox) log(r Record) {
	most := maxRecords
	if r.Level >= slog.LevelWarn {
		most = maxWarned
	}
	size := r.size()
	o.put(func() {
		if o.size+size > most && len(o.records) > 0 {
			o.left++
			return
		}
		o.records = append(o.records, r)
		o.size += size
	})
}

// handler is a slog.Handler whose records go to the node.
type handler struct {
	out     *outbox
	level   slog.Leveler
	console bool
	prefix  string
	attrs   [][2]string
}

func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	out := Record{Time: r.Time, Level: r.Level, Message: cut(r.Message), Console: h.console, Attrs: h.attrs[:len(h.attrs):len(h.attrs)]}
	r.Attrs(func(a slog.Attr) bool {
		out.Attrs = h.add(out.Attrs, h.prefix, a)
		return true
	})
	h.out.log(out)
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = h.attrs[:len(h.attrs):len(h.attrs)]
	for _, a := range attrs {
		c.attrs = h.add(c.attrs, h.prefix, a)
	}
	return &c
}

func (h *handler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.prefix += name + "."
	}
	return &c
}

// maxAttrs bounds the attributes of a record.
const maxAttrs = 64

// add adds a, and of a group all that is in it.
func (h *handler) add(to [][2]string, prefix string, a slog.Attr) [][2]string {
	v := a.Value.Resolve()
	switch {
	case v.Kind() == slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range v.Group() {
			to = h.add(to, prefix, inner)
		}
		return to
	case a.Key == "" || len(to) >= maxAttrs:
		return to
	}
	return append(to, [2]string{cut(prefix + a.Key), cut(v.String())})
}

// cut bounds a text, and says so.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	return fmt.Sprintf("%s... (%d bytes more)", s[:maxText], len(s)-maxText)
}
