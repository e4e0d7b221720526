package cluster

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// RunState says where a run is.
type RunState string

// The states. A finished run went to its end, thresholds crossed or not; an aborted one was told to end by a user or by its script;
// every other end is a failure.
const (
	Queued   RunState = "queued"
	Running  RunState = "running"
	Finished RunState = "finished"
	Failed   RunState = "failed"
	Aborted  RunState = "aborted"
)

// Over reports whether a run in this state has ended.
func (s RunState) Over() bool { return s == Finished || s == Failed || s == Aborted }

// NodeLoss says what becomes of the share of a node that is lost in mid-run.
type NodeLoss string

// The policies of --on-node-loss.
const (
	Reassign NodeLoss = "reassign" // others take it over
	Continue NodeLoss = "continue" // the run goes on without it
	Fail     NodeLoss = "fail"     // the run ends
)

// ParseNodeLoss reads a policy.
func ParseNodeLoss(s string) (NodeLoss, error) {
	switch p := NodeLoss(s); p {
	case Reassign, Continue, Fail:
		return p, nil
	}
	return "", fmt.Errorf("--on-node-loss is %q: reassign, continue or fail would be right", s)
}

// Asked is what a submitter asks for.
type Asked struct {
	// ID is the run's, made by the submitter: an order that is given again, because nobody knows whether it arrived, makes no second run.
	ID       string            `json:"id,omitempty"`
	Name     string            `json:"name"`   // the script's
	Bundle   string            `json:"bundle"` // digest
	NodeLoss NodeLoss          `json:"on_node_loss"`
	Nodes    int               `json:"nodes,omitempty"` // how many; 0: all
	Where    map[string]string `json:"where,omitempty"` // labels that they must have
	Full     bool              `json:"full,omitempty"`
	// NoThresholds, InitTimeout, Outputs and Verbose are for the runners.
	NoThresholds bool          `json:"no_thresholds,omitempty"`
	InitTimeout  time.Duration `json:"init_timeout,omitempty"`
	Outputs      []string      `json:"outputs,omitempty"`
	Verbose      bool          `json:"verbose,omitempty"` // their debug messages are wanted
	// OutputEnv are the environment variables that outputs read, passwords among them: the record has them until the run has ended, and
	// nobody who asks for it is told.
	OutputEnv map[string]string `json:"output_env,omitempty"`
	// View is how the submitter wants handleSummary's data; the grid only passes it on.
	View json.RawMessage `json:"view,omitempty"`
}

// WithoutSecrets is a without what only the runners need to know: the environment of the outputs, and users, passwords and parameters in
// the addresses that they write to.
func (a Asked) WithoutSecrets() Asked {
	a.OutputEnv = nil
	a.Outputs = slices.Clone(a.Outputs)
	for i, spec := range a.Outputs {
		scheme, rest, found := strings.Cut(spec, "://")
		if found {
			rest, _, _ = strings.Cut(rest[strings.LastIndexByte(rest, '@')+1:], "?")
			a.Outputs[i] = scheme + "://" + rest
		}
	}
	return a
}

// Part is a share of a run on a node. Parts are never taken out of a record: a lost one stays, with why.
type Part struct {
	ID    string    `json:"id"`
	Node  string    `json:"node"`
	Life  string    `json:"life"`
	Share string    `json:"share"`        // segment.Share as text
	Of    string    `json:"of,omitempty"` // the lost part that it takes over from
	Given time.Time `json:"given,omitzero"`
	// Began is when its scenarios began, in the leader's clock; Offset is how far that is ahead of the node's, Within the error that
	// this may have.
	Began  time.Time     `json:"began,omitzero"`
	Offset time.Duration `json:"offset,omitempty"`
	Within time.Duration `json:"within,omitempty"`
	Lost   time.Time     `json:"lost,omitzero"`
	Why    string        `json:"why,omitempty"`
	// Used are, of a lost part, the iteration numbers that it may have used beyond those that its former lives had, by scenario.
	// Unknown says that nobody was left who knows: then any number may have been.
	Used    map[string]int64 `json:"used,omitempty"`
	Unknown bool             `json:"unknown,omitempty"`
	// Exact says that the life before this one, or of a lost part this one, has yielded: Used were used, and nothing else.
	Exact bool `json:"exact,omitempty"`
}

// Spread is how a run's nodes began: how many there were, how far apart they began, how far apart their clocks are, and the error that
// both may have: of the clocks, by which the nodes went.
type Spread struct {
	Nodes  int           `json:"nodes"`
	Starts time.Duration `json:"starts"`
	Clocks time.Duration `json:"clocks"`
	Within time.Duration `json:"within"`
}

// SpreadOf tells how the nodes of parts began that took no share over; the zero Spread where fewer than two are known to have begun.
func SpreadOf(parts []Part) Spread {
	var first, last time.Time
	var low, high time.Duration
	var s Spread
	for _, p := range parts {
		if p.Of != "" || p.Began.IsZero() {
			continue
		}
		if s.Nodes == 0 {
			first, last, low, high = p.Began, p.Began, p.Offset, p.Offset
		}
		if p.Began.Before(first) {
			first = p.Began
		}
		if p.Began.After(last) {
			last = p.Began
		}
		low, high, s.Within = min(low, p.Offset), max(high, p.Offset), max(s.Within, p.Within)
		s.Nodes++
	}
	if s.Nodes < 2 {
		return Spread{}
	}
	s.Starts, s.Clocks = last.Sub(first), high-low
	return s
}

// Disturbance is something that happened to a run, for its report.
type Disturbance struct {
	At   time.Time `json:"at"`
	Node string    `json:"node,omitempty"`
	Part string    `json:"part,omitempty"` // the one that was lost
	Of   string    `json:"of,omitempty"`   // the part, lost before, from which that one had taken over
	What string    `json:"what"`
	// Until is when the load was whole again; the zero time: never, or it was not touched. Share is what was missing meanwhile.
	Until time.Time `json:"until,omitzero"`
	Share float64   `json:"share,omitempty"`
	// Unreported is how long the node had not reported when it was lost: what it did meanwhile may be missing in the numbers.
	Unreported time.Duration `json:"unreported,omitempty"`
}

// Disturb notes a disturbance, in order of time: what is found out later may have happened before.
func (r *Run) Disturb(d Disturbance) {
	r.Disturbances = append(r.Disturbances, d)
	slices.SortStableFunc(r.Disturbances, func(a, b Disturbance) int { return a.At.Compare(b.At) })
}

// Run is the record of one run.
type Run struct {
	// Revision is that of the record as it was read; it is not part of it.
	Revision int64 `json:"-"`

	ID        string    `json:"id"`
	Asked     Asked     `json:"asked"`
	By        string    `json:"by,omitempty"` // who asked
	State     RunState  `json:"state"`
	Submitted time.Time `json:"submitted"`
	// Version is throng's on all nodes that take part, whoever leads later.
	Version  string    `json:"version,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	ExitCode *int      `json:"exit_code"`
	Error    string    `json:"error,omitempty"`
	// Stop is set when a user has asked for its end; StopKind is the fault's kind.
	Stop     string `json:"stop,omitempty"`
	StopKind int    `json:"stop_kind,omitempty"`
	// Past is how far its conductor is: see conductor.Past.
	Past   json.RawMessage `json:"past,omitempty"`
	Setup  string          `json:"setup,omitempty"` // digest of setup's result, where it is large
	Parts  []Part          `json:"parts,omitempty"`
	Result string          `json:"result,omitempty"` // digest
	// Disturbances are what happened to it.
	Disturbances []Disturbance `json:"disturbances,omitempty"`
}

// ErrTooLarge reports a record that no Store takes: to try again would not help.
var ErrTooLarge = errors.New("the record is too large to be stored")

// plainRun is how large a record may be that is stored as it is, so that people can read it with etcdctl. A larger one is
// compressed: a thousand parts are 130 KiB of JSON and 20 KiB of gzip, and are written anew at every change.
const plainRun = 16 << 10

// maxRun bounds a record that is read, in bytes.
const maxRun = 32 << 20

// Encode returns the record as it is stored: JSON, or gzip of JSON where it is large.
func (r *Run) Encode() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil || len(b) <= plainRun {
		return b, err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err == nil {
		_, err = z.Write(b)
	}
	if err == nil {
		err = z.Close()
	}
	if err == nil && (packed.Len() > MaxValue || len(b) > maxRun) {
		err = fmt.Errorf("%w: that of run %s has %d bytes, %d compressed; at most %d can be stored", ErrTooLarge, r.ID, len(b), packed.Len(), MaxValue)
	}
	return packed.Bytes(), err
}

// DecodeRun reads a record.
func DecodeRun(b []byte) (*Run, error) {
	var r Run
	err := error(nil)
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) { // RFC 1952, section 2.3.1
		b, err = unpack(b)
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return nil, fmt.Errorf("read the record of a run: %w", err)
	}
	return &r, nil
}

func unpack(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z, maxRun+1))
	if err == nil && len(out) > maxRun {
		err = ErrTooLarge
	}
	return out, err
}
