package csvout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"throng/internal/metric"
	"throng/internal/view/output/stream"
)

// Output is one CSV file.
type Output struct {
	cfg     config
	stream  *stream.Stream
	columns []string
	head    string
}

type config struct {
	file  string
	every time.Duration
	stamp func(b []byte, t time.Time) []byte
}

// New reads the settings: the environment's K6_CSV_FILENAME, K6_CSV_SAVE_INTERVAL and K6_CSV_TIME_FORMAT, then arg, which
// is a file name or `fileName=...,saveInterval=...,timeFormat=...`.
func New(arg string, env stream.Env) (*Output, error) {
	cfg := config{file: "file.csv", every: time.Second}
	format := "unix"
	set := func(key, value string) error {
		switch key {
		case "fileName":
			cfg.file = value
		case "saveInterval":
			d, err := interval(value)
			if err != nil {
				return err
			}
			cfg.every = d
		case "timeFormat":
			format = value
		default:
			return fmt.Errorf("unknown key %q as argument for csv output", key)
		}
		return nil
	}
	for _, s := range [...][2]string{
		{"fileName", env.Get("K6_CSV_FILENAME")}, {"saveInterval", env.Get("K6_CSV_SAVE_INTERVAL")}, {"timeFormat", env.Get("K6_CSV_TIME_FORMAT")},
	} {
		if s[1] != "" {
			if err := set(s[0], s[1]); err != nil {
				return nil, err
			}
		}
	}
	if arg != "" && !strings.Contains(arg, "=") && !strings.Contains(arg, ",") {
		cfg.file = arg
		arg = ""
	}
	if arg != "" {
		for _, pair := range strings.Split(arg, ",") {
			key, value, ok := strings.Cut(pair, "=")
			if !ok {
				return nil, fmt.Errorf("couldn't parse %q as argument for csv output", arg)
			}
			if err := set(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
				return nil, err
			}
		}
	}
	if cfg.stamp = stamps()[format]; cfg.stamp == nil {
		return nil, fmt.Errorf("%s does not belong to TimeFormat values", format)
	}
	o := &Output{cfg: cfg}
	o.stream = stream.New(cfg.file, cfg.every, env, o.line)
	return o, nil
}

// interval reads a Go duration, or a number of milliseconds.
func interval(s string) (time.Duration, error) {
	if ms, err := strconv.ParseFloat(s, 64); err == nil {
		return max(time.Millisecond, time.Duration(ms*float64(time.Millisecond))), nil
	}
	d, err := time.ParseDuration(s)
	if err == nil && d <= 0 {
		err = fmt.Errorf("saveInterval is %s: it must be more than nothing", s)
	}
	return d, err
}

// stamps are the ways to write a time.
func stamps() map[string]func([]byte, time.Time) []byte {
	number := func(of func(time.Time) int64) func([]byte, time.Time) []byte {
		return func(b []byte, t time.Time) []byte { return strconv.AppendInt(b, of(t), 10) }
	}
	layout := func(l string) func([]byte, time.Time) []byte {
		return func(b []byte, t time.Time) []byte { return t.AppendFormat(b, l) }
	}
	return map[string]func([]byte, time.Time) []byte{
		"unix": number(time.Time.Unix), "unix_milli": number(time.Time.UnixMilli), "unix_micro": number(time.Time.UnixMicro),
		"unix_nano": number(time.Time.UnixNano), "rfc3339": layout(time.RFC3339), "rfc3339_nano": layout(time.RFC3339Nano),
	}
}

// Describe names the output and its file.
func (o *Output) Describe() string {
	if o.stream.Stdout() {
		return "csv (stdout)"
	}
	return "csv (" + o.cfg.file + ")"
}

// Start opens the file and writes the header.
func (o *Output) Start(defs stream.Definitions) error {
	o.columns = nil
	for _, t := range defs.SystemTags {
		if t != "vu" && t != "iter" { // those two are metadata
			o.columns = append(o.columns, t)
		}
	}
	slices.Sort(o.columns)
	head := append([]string{"metric_name", "timestamp", "metric_value"}, o.columns...)
	head = append(head, "extra_tags", "metadata")
	o.head = strings.Join(head, ",") + "\n"
	return o.stream.Open([]byte(o.head))
}

// Run flushes at the save interval until ctx is done.
func (o *Output) Run(ctx context.Context) error { return o.stream.Run(ctx) }

// Add takes samples.
func (o *Output) Add(samples []metric.Sample) { o.stream.Add(samples) }

// AddLines takes whole lines that an output of this kind formatted in another process; the header stands there already.
func (o *Output) AddLines(lines []byte) {
	o.stream.AddLines(lines, func(line []byte) bool { return string(line) == o.head })
}

// Flush writes all that waits.
func (o *Output) Flush(context.Context) error { return o.stream.Flush() }

// Stop writes what is left and closes the file.
func (o *Output) Stop() error { return o.stream.Stop() }

func (o *Output) line(b []byte, s *metric.Sample) []byte {
	b = appendField(b, s.Metric.Name)
	b = append(b, ',')
	b = o.cfg.stamp(b, s.Time)
	b = append(b, ',')
	b = strconv.AppendFloat(b, s.Value, 'f', 6, 64)
	// Columns and tags are both sorted: one walk over the two finds each tag's place.
	var extra []string
	tags, next := s.Tags.All(), 0
	for _, column := range o.columns {
		b = append(b, ',')
		for next < len(tags) && tags[next].Key < column {
			extra = append(extra, tags[next].Key+"="+tags[next].Value)
			next++
		}
		if next < len(tags) && tags[next].Key == column {
			b = appendField(b, tags[next].Value)
			next++
		}
	}
	for ; next < len(tags); next++ {
		extra = append(extra, tags[next].Key+"="+tags[next].Value)
	}
	b = append(b, ',')
	b = appendField(b, strings.Join(extra, "&"))
	b = append(b, ',')
	if len(s.Metadata) > 0 {
		var pairs []string
		for _, k := range slices.Sorted(maps.Keys(s.Metadata)) {
			pairs = append(pairs, k+"="+s.Metadata[k])
		}
		b = appendField(b, strings.Join(pairs, "&"))
	}
	return append(b, '\n')
}

// appendField quotes a field that needs it: one with a comma, a quote, a line break, or space at its beginning.
func appendField(b []byte, s string) []byte {
	if s == "" || !strings.ContainsAny(s, ",\"\r\n") && s[0] != ' ' && s[0] != '\t' {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}
