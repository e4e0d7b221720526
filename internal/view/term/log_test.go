package term_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"throng/internal/view/term"
)

var when = time.Date(2026, 11, 21, 3, 58, 56, 123, time.UTC)

func record(h slog.Handler, l slog.Level, msg string, attrs ...slog.Attr) {
	r := slog.NewRecord(when, l, msg, 0)
	r.AddAttrs(attrs...)
	_ = h.Handle(context.Background(), r)
}

func TestLogFormatsAreK6s(t *testing.T) {
	source := []slog.Attr{slog.String("source", "console")}
	for _, tt := range []struct {
		name  string
		o     term.LogOptions
		level slog.Level
		msg   string
		attrs []slog.Attr
		want  string
	}{
		{"plain words stay bare", term.LogOptions{}, slog.LevelInfo, "information", source, `time="2026-11-21T03:58:56Z" level=info msg=information source=console`},
		{"quotes and lines", term.LogOptions{}, slog.LevelWarn, "multi\nline \"q\"", source, `time="2026-11-21T03:58:56Z" level=warning msg="multi\nline \"q\"" source=console`},
		{"no message", term.LogOptions{}, slog.LevelError, "", source, `time="2026-11-21T03:58:56Z" level=error source=console`},
		{"fields in order", term.LogOptions{}, slog.LevelDebug, "x=y", []slog.Attr{slog.Int("z", 1), slog.Any("error", errors.New("a b"))},
			`time="2026-11-21T03:58:56Z" level=debug msg="x=y" error="a b" z=1`},
		{"signs that need no quotes", term.LogOptions{}, slog.LevelInfo, "a-b._/@^+", nil, `time="2026-11-21T03:58:56Z" level=info msg=a-b._/@^+`},
		{"groups", term.LogOptions{}, slog.LevelInfo, "m", []slog.Attr{slog.Group("g", slog.Int("a", 1)), slog.Group("", slog.Int("b", 2))}, `time="2026-11-21T03:58:56Z" level=info msg=m b=2 g.a=1`},
		{"json", term.LogOptions{Format: term.JSON}, slog.LevelWarn, "two\nlines", source, `{"level":"warning","msg":"two\nlines","source":"console","time":"2026-11-21T03:58:56Z"}`},
		{"json without message", term.LogOptions{Format: term.JSON}, slog.LevelError, "", nil, `{"level":"error","msg":"","time":"2026-11-21T03:58:56Z"}`},
		{"json keeps its own keys", term.LogOptions{Format: term.JSON}, slog.LevelInfo, "m", []slog.Attr{slog.String("msg", "x")}, `{"fields.msg":"x","level":"info","msg":"m","time":"2026-11-21T03:58:56Z"}`},
		{"raw", term.LogOptions{Format: term.Raw}, slog.LevelError, "two\nlines", source, "two\nlines"},
		{"coloured", term.LogOptions{Colour: true, Start: when.Add(-61 * time.Second)}, slog.LevelInfo, "hi setup", source,
			"\x1b[36mINFO\x1b[0m[0061] hi setup                                      \x1b[36msource\x1b[0m=console"},
		{"coloured, no fields", term.LogOptions{Colour: true, Start: when}, slog.LevelError, strings.Repeat("x", 50), nil, "\x1b[31mERRO\x1b[0m[0000] " + strings.Repeat("x", 50) + " "},
	} {
		var b strings.Builder
		record(term.NewHandler(&b, tt.o), tt.level, tt.msg, tt.attrs...)
		if got := b.String(); got != tt.want+"\n" {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
		if tt.o.Format == term.JSON && !json.Valid([]byte(b.String())) {
			t.Errorf("%s: not JSON", tt.name)
		}
	}
}

func TestLevelsAndConsole(t *testing.T) {
	var b strings.Builder
	l := slog.New(term.NewHandler(&b, term.LogOptions{Format: term.JSON}))
	l.Debug("not shown")
	term.Console(l).WithGroup("g").With("a", 1).Info("m", "source", "inner")
	var got map[string]string
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatalf("%q: %v", b.String(), err)
	}
	if got["source"] != "console" || got["g.a"] != "1" || got["g.source"] != "inner" || got["level"] != "info" {
		t.Errorf("%v", got)
	}
}

func TestRecordsStayWhole(t *testing.T) {
	var b strings.Builder
	h := term.NewHandler(&b, term.LogOptions{Format: term.Raw})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			l := term.Console(slog.New(h))
			for range 100 {
				l.Info(strings.Repeat(string(rune('a'+i)), 50))
			}
		})
	}
	wg.Wait()
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for _, line := range lines {
		if line != strings.Repeat(line[:1], 50) {
			t.Fatalf("torn: %q", line)
		}
	}
	if len(lines) != 800 {
		t.Errorf("%d lines", len(lines))
	}
}

func TestLogOutputIsReadAsInK6(t *testing.T) {
	for in, want := range map[string]string{
		"bad": "unsupported log output 'bad'", "file=": "error while parsing logfile configuration key `file=` with no value",
		"file": "error while parsing logfile configuration key `file` with no value", "stdout=x": "unsupported log output 'stdout=x'",
		"file=x.log,level=foo": "unknown log level foo", "file=x.log,foo=bar": "unknown logfile config key foo", "loki": "log output loki is not there yet",
	} {
		if _, err := term.ParseLogOutput(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "run.log")
	o, err := term.ParseLogOutput("file=" + path + ",level=error")
	if err != nil || *o.Level != slog.LevelError {
		t.Fatal(o, err)
	}
	for range 2 {
		w, err := o.Open(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		record(term.NewHandler(w, term.LogOptions{Format: term.Raw}), slog.LevelError, "m")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "m\nm\n" {
		t.Errorf("%q, %v", b, err)
	}
	var stdout, stderr strings.Builder
	for _, in := range []string{"stdout", "stderr", "none", ""} {
		o, err := term.ParseLogOutput(in)
		if err != nil {
			t.Fatal(err)
		}
		w, err := o.Open(&stdout, &stderr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(in + ".")); err != nil {
			t.Fatal(err)
		}
	}
	if stdout.String() != "stdout." || stderr.String() != "stderr.." {
		t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
	}
	if _, err := (term.LogOutput{Kind: "file", Path: filepath.Join(t.TempDir(), "no", "x")}).Open(nil, nil); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a folder that is not there: %v", err)
	}
}
