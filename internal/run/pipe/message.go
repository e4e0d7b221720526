package pipe

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"throng/internal/fault"
	"throng/internal/run"
)

// opening is the first frame: all that a runner must know before it can be called.
type opening struct {
	Lease time.Duration   `json:"lease"`
	Job   json.RawMessage `json:"job"`
}

// head is the part of a message that is JSON. What a script makes stands behind it as it is: it may be large.
type head struct {
	Call   string      `json:"call,omitempty"` // of a request: what is wanted
	Err    *failure    `json:"err,omitempty"`  // of a response
	None   bool        `json:"none,omitempty"` // there is no body, which is not the same as an empty one
	Begin  *begin      `json:"begin,omitempty"`
	Ready  *run.Ready  `json:"ready,omitempty"`
	Files  []file      `json:"files,omitempty"` // which the body is made of
	Ask    *run.Ask    `json:"ask,omitempty"`
	Answer *run.Answer `json:"answer,omitempty"`
}

// The calls: those of run.Runner, flush and drain to the runner, and ask to the node.
const (
	callInit     = "init"
	callSetup    = "setup"
	callRun      = "run"
	callYield    = "yield"
	callTeardown = "teardown"
	callSummary  = "summary"
	callFlush    = "flush"
	callDrain    = "drain"
	callAsk      = "ask"
)

type file struct {
	Name string `json:"name"`
	Size int    `json:"size"`
}

// begin is a run.Begin but for Setup, which is the body. Both processes read the same wall clock; the zero time is 0.
type begin struct {
	At      int64            `json:"at"`
	Used    map[string]int64 `json:"used"`
	Exact   bool             `json:"exact"`
	Reserve bool             `json:"reserve"`
}

type message struct {
	head
	body []byte
}

// given is a message with a body, or none if it is nil.
func given(h head, body []byte) message {
	h.None = body == nil
	return message{h, body}
}

// content is the body; nil where there was none.
func (m message) content() []byte {
	if m.None {
		return nil
	}
	return m.body
}

// frame is m as a frame behind b.
func (m message) frame(b []byte, k kind, id uint64) ([]byte, error) {
	h, err := json.Marshal(m.head)
	if err != nil {
		return b, err
	}
	if n := len(h) + len(m.body); n > maxMessage {
		return b, fmt.Errorf("%d MiB are more than can be passed between a node and its runner: at most %d MiB", n>>20, maxMessage>>20)
	}
	at := len(b)
	b = binary.LittleEndian.AppendUint64(frame(b, k), id)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(h)))
	b = append(append(b, h...), m.body...)
	return end(b, at), nil
}

func readMessage(payload []byte) (id uint64, m message, err error) {
	if len(payload) < 12 {
		return 0, m, fmt.Errorf("a message of %d bytes", len(payload))
	}
	id = binary.LittleEndian.Uint64(payload)
	size, rest := binary.LittleEndian.Uint32(payload[8:]), payload[12:]
	if int64(size) > int64(len(rest)) {
		return 0, m, errors.New("a torn message")
	}
	m.body = rest[size:]
	if err := json.Unmarshal(rest[:size], &m.head); err != nil {
		return 0, m, fmt.Errorf("read a message: %w", err)
	}
	return id, m, nil
}

// failure is an error as it travels.
type failure struct {
	Text string     `json:"text"`
	Kind fault.Kind `json:"kind,omitempty"`
	Hint string     `json:"hint,omitempty"`
	Is   string     `json:"is,omitempty"` // a sentinel's word, below
}

// sentinels are the errors that stay themselves on their way: decisions hang on them.
func sentinels() map[string]error {
	return map[string]error{"canceled": context.Canceled, "deadline": context.DeadlineExceeded, "ask": run.ErrAsk}
}

func failureOf(err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{Text: err.Error(), Kind: fault.KindOf(err), Hint: fault.HintOf(err)}
	for word, s := range sentinels() {
		if errors.Is(err, s) {
			f.Is = word
		}
	}
	return f
}

// err is the error that travelled; nil of a nil failure.
func (f *failure) err() error {
	if f == nil {
		return nil
	}
	var err error = &told{f.Text, sentinels()[f.Is]}
	if f.Kind == fault.Other && f.Hint == "" {
		return err
	}
	return fault.WithHint(f.Kind, err, f.Hint)
}

// told is an error of the other process.
type told struct {
	text string
	is   error
}

func (e *told) Error() string { return e.text }
func (e *told) Unwrap() error { return e.is }

func beginOf(b run.Begin) *begin {
	out := &begin{Used: b.Used, Exact: b.Exact, Reserve: b.Reserve}
	if !b.At.IsZero() {
		out.At = wall(b.At)
	}
	return out
}

// begin is the run.Begin on this side: its At is bound to the monotonic clock, so that setting the wall clock does not move it.
func (b *begin) begin(setup []byte) run.Begin {
	out := run.Begin{Setup: setup, Used: b.Used, Exact: b.Exact, Reserve: b.Reserve}
	if b.At != 0 {
		out.At = unwall(b.At)
	}
	return out
}

// wall is what the wall clock will show at t, in nanoseconds since 1970, if nobody sets it meanwhile.
func wall(t time.Time) int64 { return time.Now().Add(time.Until(t)).UnixNano() }

// unwall is the inverse of wall.
func unwall(ns int64) time.Time {
	now := time.Now()
	return now.Add(time.Duration(ns - now.UnixNano()))
}

func filesOf(files map[string][]byte) ([]file, []byte) {
	var list []file
	var body []byte
	for name, data := range files {
		list = append(list, file{name, len(data)})
		body = append(body, data...)
	}
	return list, body
}

func readFiles(list []file, body []byte) (map[string][]byte, error) {
	out := make(map[string][]byte, len(list))
	for _, f := range list {
		if f.Size < 0 || f.Size > len(body) {
			return nil, errors.New("read the files of the summary: they are torn")
		}
		out[f.Name], body = body[:f.Size:f.Size], body[f.Size:]
	}
	return out, nil
}
