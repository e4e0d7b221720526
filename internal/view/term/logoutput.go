package term

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// LogOutput is where the log goes: k6's --log-output.
type LogOutput struct {
	Kind  string      // stderr, stdout, none or file
	Path  string      // of a file
	Level *slog.Level // of a file, where given
}

// ParseLogOutput reads stderr, stdout, none or file=path[,level=name].
func ParseLogOutput(s string) (LogOutput, error) {
	switch s {
	case "", "stderr":
		return LogOutput{Kind: "stderr"}, nil
	case "stdout", "none":
		return LogOutput{Kind: s}, nil
	}
	if s == "loki" || strings.HasPrefix(s, "loki=") {
		return LogOutput{}, errors.New("log output loki is not there yet: write a file and let a collector send it")
	}
	if s != "file" && !strings.HasPrefix(s, "file=") {
		return LogOutput{}, fmt.Errorf("unsupported log output '%s'", s)
	}
	out := LogOutput{Kind: "file"}
	for _, pair := range strings.Split(s, ",") {
		key, value, _ := strings.Cut(pair, "=")
		if value == "" {
			return LogOutput{}, fmt.Errorf("error while parsing logfile configuration key `%s` with no value", pair)
		}
		switch key {
		case "file":
			out.Path = value
		case "level":
			l, err := ParseLevel(value)
			if err != nil {
				return LogOutput{}, err
			}
			out.Level = &l
		default:
			return LogOutput{}, fmt.Errorf("unknown logfile config key %s", key)
		}
	}
	return out, nil
}

// ParseLevel reads a level's name as k6 knows it.
func ParseLevel(s string) (slog.Level, error) {
	switch strings.ToLower(s) {
	case "trace":
		return slog.LevelDebug - 4, nil
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	case "fatal", "panic":
		return slog.LevelError + 4, nil
	}
	return 0, fmt.Errorf("unknown log level %s", s)
}

// Open returns the writer; closing it closes a file and nothing else. A file is appended to, and its folder must exist.
func (l LogOutput) Open(stdout, stderr io.Writer) (io.WriteCloser, error) {
	switch l.Kind {
	case "stdout":
		return keepOpen{stdout}, nil
	case "none":
		return keepOpen{io.Discard}, nil
	case "file":
		if dir := filepath.Dir(l.Path); dir != "." {
			if _, err := os.Stat(dir); err != nil {
				return nil, fmt.Errorf("provided directory '%s' does not exist", dir)
			}
		}
		f, err := os.OpenFile(l.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open log file %s: %w", l.Path, err)
		}
		return f, nil
	default:
		return keepOpen{stderr}, nil
	}
}

type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }
