package etcdstore

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// maxNote bounds what of one entry is passed on, in bytes, and backlog how many entries wait.
const (
	maxNote = 1 << 10
	backlog = 256
)

// logbook takes etcd's log. It passes on what a user of throng may have to act on, notices when etcd gives up, and never makes
// etcd wait: a log whose reader is stuck would stop consensus. When the backlog is full, entries are dropped and counted.
type logbook struct {
	done   chan struct{} // closed when all entries are passed on
	to     *slog.Logger
	gaveUp chan struct{} // closed when fatal is set

	mu      sync.Mutex         // guards what follows
	entries chan<- slog.Record // nil once it is closed
	dropped int
	fatal   string
	removed bool
}

// newLogbook starts a goroutine, which close waits for.
func newLogbook(to *slog.Logger) *logbook {
	entries := make(chan slog.Record, backlog)
	b := &logbook{entries: entries, done: make(chan struct{}), to: to, gaveUp: make(chan struct{})}
	go func() {
		defer close(b.done)
		for r := range entries {
			_ = b.to.Handler().Handle(context.Background(), r) // a log that cannot be written has nobody to tell
		}
	}()
	return b
}

// logger is a zap logger for etcd. On what would end the process it ends the goroutine alone.
func (b *logbook) logger() *zap.Logger {
	return zap.New(b, zap.WithFatalHook(zapcore.WriteThenGoexit), zap.WithPanicHook(zapcore.WriteThenGoexit))
}

// close passes on what waits. After it nothing may be logged.
func (b *logbook) close() {
	b.mu.Lock()
	entries := b.entries
	b.entries = nil
	b.mu.Unlock()
	if entries != nil {
		close(entries)
	}
	<-b.done
}

// Enabled reports whether entries of that level are looked at.
func (b *logbook) Enabled(level zapcore.Level) bool { return level >= zapcore.WarnLevel }

// With ignores fields that are the same for all entries: they say which member this is.
func (b *logbook) With([]zapcore.Field) zapcore.Core { return b }

// Check adds the logbook to entries that it wants.
func (b *logbook) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if b.Enabled(e.Level) {
		return c.AddCore(e, b)
	}
	return c
}

// Sync has nothing to do.
func (b *logbook) Sync() error { return nil }

// Write takes one entry.
func (b *logbook) Write(e zapcore.Entry, fields []zapcore.Field) error {
	text, cause := describe(e, fields)
	r := slog.NewRecord(e.Time, levelOf(e), "etcd: "+text, 0)
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Level > zapcore.ErrorLevel && b.fatal == "" {
		b.fatal = text
		close(b.gaveUp)
	}
	b.removed = b.removed || strings.Contains(cause, removedWords)
	if b.entries == nil || !b.to.Enabled(context.Background(), r.Level) {
		return nil
	}
	if b.dropped > 0 {
		r.AddAttrs(slog.Int("left_out", b.dropped))
	}
	select {
	case b.entries <- r:
		b.dropped = 0
	default:
		b.dropped++
	}
	return nil
}

// removedWords is how etcd says why it stops: TestARemovedMemberSaysSo notices when it says so otherwise.
const removedWords = "permanently removed from the cluster"

// verdict is what the log tells of the end of etcd: whether the member was removed, or gave up and why.
func (b *logbook) verdict() (removed bool, fatal string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.removed, b.fatal
}

// urgent are warnings that a user should see; all others are of use to who looks for a fault, and are debug messages.
func urgent(message string) bool {
	return slices.Contains([]string{"slow fdatasync", "alarm raised"}, message)
}

func levelOf(e zapcore.Entry) slog.Level {
	switch {
	case e.Level > zapcore.ErrorLevel:
		return slog.LevelError
	case urgent(e.Message):
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// describe makes one line of an entry. Of its fields only those that are known to be harmless are told: others hold requests,
// and with them values of the store.
func describe(e zapcore.Entry, fields []zapcore.Field) (text, cause string) {
	text = e.Message
	for _, f := range fields {
		if !slices.Contains([]string{"error", "took", "expected-duration", "remote-peer-id", "path", "alarm"}, f.Key) {
			continue
		}
		enc := zapcore.NewMapObjectEncoder()
		f.AddTo(enc)
		text += fmt.Sprintf(", %s: %v", f.Key, enc.Fields[f.Key])
		if f.Key == "error" {
			cause = fmt.Sprint(enc.Fields[f.Key])
		}
	}
	if len(text) > maxNote {
		text = strings.ToValidUTF8(text[:maxNote], "") + "..."
	}
	return text, cause
}

// guarded runs f in a goroutine of its own, so that neither a panic nor the end of that goroutine (see logger) is ours.
func (b *logbook) guarded(f func() error) error {
	result := make(chan error, 1)
	go func() {
		err := error(nil)
		returned := false
		defer func() {
			switch p := recover(); {
			case p != nil:
				err = fmt.Errorf("etcd: %v", p)
			case !returned:
				_, fatal := b.verdict()
				err = fmt.Errorf("etcd: %s", fatal)
			}
			result <- err
		}()
		err = f()
		returned = true
	}()
	return <-result
}
