package stream

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"throng/internal/metric"
	"throng/internal/threshold"
)

// Definitions is what a run says of its samples before the first comes.
type Definitions struct {
	Thresholds threshold.Set
	Submetrics []metric.Selector // those kept without a threshold: http_req_duration{expected_response:true}
	SystemTags []string          // enabled, in any order
}

// Env is what an output may use of the process around it.
type Env struct {
	Lookup func(name string) (string, bool) // environment variables; nil: none
	// Environ are all of them, as name=value; nil: none.
	Environ func() []string
	Stdout  io.Writer
	// Sink, if it is set, takes what would go to the file that is named, which is then not opened. Each Write is of whole lines, and
	// seldom longer than 32 KiB.
	Sink io.Writer
	// Log is where an output that runs on says what is wrong; nil: nowhere.
	Log *slog.Logger
	// Tags are added, on their way out of network outputs, to samples that have no tag of that key: on a grid, who sent them.
	Tags []metric.Tag
	// UserAgent is the name by which network outputs go with the servers that they write to.
	UserAgent string
}

// Get is the value of an environment variable, "" when it is unset.
func (e Env) Get(name string) string {
	if e.Lookup == nil {
		return ""
	}
	v, _ := e.Lookup(name)
	return v
}

// All are the environment variables, as name=value.
func (e Env) All() []string {
	if e.Environ == nil {
		return nil
	}
	return e.Environ()
}

// maxPending samples wait for the next flush; Add writes them itself when more come, so that a slow disk slows the
// drain and does not fill the memory.
const maxPending = 1 << 17

// Stream writes samples as lines. Path "" and "-" are standard output; a path that ends in .gz is compressed.
type Stream struct {
	path  string
	every time.Duration
	env   Env
	line  func(b []byte, s *metric.Sample) []byte

	mu      sync.Mutex // guards pending
	pending []metric.Sample

	out   sync.Mutex // held while writing; guards what follows
	file  *os.File
	zip   *gzip.Writer
	w     *bufio.Writer
	buf   []byte
	first error
}

// New returns a Stream that appends lines with line and flushes every so often.
func New(path string, every time.Duration, env Env, line func([]byte, *metric.Sample) []byte) *Stream {
	return &Stream{path: path, every: every, env: env, line: line}
}

// Stdout reports whether the stream goes to standard output.
func (s *Stream) Stdout() bool { return s.path == "" || s.path == "-" }

// Open creates the file and writes head to it.
func (s *Stream) Open(head []byte) error {
	var w io.Writer = s.env.Stdout
	switch {
	case s.env.Sink != nil:
		w = s.env.Sink
	case s.Stdout():
		if w == nil {
			return errors.New("no standard output to write samples to")
		}
	default:
		f, err := os.Create(s.path)
		if err != nil {
			return err
		}
		s.file, w = f, f
		if strings.HasSuffix(s.path, ".gz") {
			s.zip = gzip.NewWriter(f)
			w = s.zip
		}
	}
	size := 1 << 16
	if s.env.Sink != nil {
		size = 1 << 15
	}
	s.w = bufio.NewWriterSize(w, size)
	return s.write(head)
}

// Add takes samples for the next flush.
func (s *Stream) Add(samples []metric.Sample) {
	s.mu.Lock()
	s.pending = append(s.pending, samples...)
	full := len(s.pending) >= maxPending
	s.mu.Unlock()
	if full {
		_ = s.flush() // kept in s.first: Run and Stop return it
	}
}

// AddLines writes whole lines that were formatted elsewhere, but for those that drop wants dropped.
func (s *Stream) AddLines(lines []byte, drop func(line []byte) bool) {
	s.out.Lock()
	defer s.out.Unlock()
	for line := range bytes.Lines(lines) {
		if s.first != nil || s.w == nil {
			return // Run and Stop return it
		}
		if !drop(line) {
			s.first = s.write(line)
		}
	}
}

// Flush writes all that waits.
func (s *Stream) Flush() error { return s.flush() }

// Run flushes at the interval until ctx is done, or writing gives an error, which it returns.
func (s *Stream) Run(ctx context.Context) error {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
}

// flush writes all that waits. Only the first error counts: after it, samples are dropped.
func (s *Stream) flush() error {
	s.out.Lock()
	defer s.out.Unlock()
	s.mu.Lock()
	samples := s.pending
	s.pending = nil
	s.mu.Unlock()
	if s.first != nil || s.w == nil {
		return s.first
	}
	for i := range samples {
		s.buf = s.line(s.buf[:0], &samples[i])
		if s.first = s.write(s.buf); s.first != nil {
			return s.first
		}
	}
	s.first = s.w.Flush()
	return s.first
}

// write keeps lines whole: a sample's may have a line break within.
func (s *Stream) write(line []byte) error {
	if s.w.Available() < len(line) {
		if err := s.w.Flush(); err != nil {
			return err
		}
	}
	_, err := s.w.Write(line)
	return err
}

// Stop writes what is left and closes. It returns the first error there was.
func (s *Stream) Stop() error {
	err := s.flush()
	s.out.Lock()
	defer s.out.Unlock()
	if s.zip != nil {
		err = errors.Join(err, s.zip.Close())
		s.zip = nil
	}
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
		s.file = nil
	}
	s.w = nil
	return err
}
