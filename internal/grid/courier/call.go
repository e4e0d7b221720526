package courier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
	"throng/internal/run"
)

// MaxJSON is the largest JSON document that a call takes or answers, in bytes: what setup() returned, or the files of handleSummary(), as
// large as a runner may make them, in base64.
const MaxJSON = 96 << 20

// Client calls nodes.
type Client struct {
	// HTTP proves who we are. Its Timeout is to be 0: a call ends with its context.
	HTTP *http.Client
	// Token, if set, is sent as a bearer token.
	Token func() string
}

// The errors of a call on which decisions hang.
var (
	// ErrRefused reports that nobody listens at the address: the process that did is gone.
	ErrRefused = errors.New("connection refused")
	// ErrUnreachable reports that no answer came; what was asked may or may not have been done.
	ErrUnreachable = errors.New("no answer")
	// ErrNotLeader is what a node answers to what only the leader can do.
	ErrNotLeader = errors.New("this node does not lead")
	// ErrUnavailable is what a node answers that cannot reach the store: too few of those who vote are there.
	ErrUnavailable = errors.New("the grid's store does not answer")
)

// answerError is how an error travels.
type answerError struct {
	Error string     `json:"error"`
	Kind  fault.Kind `json:"kind,omitempty"`
	Hint  string     `json:"hint,omitempty"`
	Code  string     `json:"code,omitempty"` // of a sentinel, below
}

// sentinel is an error that stays itself on its way.
type sentinel struct {
	code string
	err  error
}

// sentinels are those that there are. An error may be several: the first counts, so what says where to ask again stands before what
// merely says why.
func sentinels() []sentinel {
	return []sentinel{
		{"deposed", cluster.ErrDeposed}, {"not_leader", ErrNotLeader}, {"unavailable", ErrUnavailable}, {"lost", run.ErrLost},
		{"not_found", cluster.ErrNotFound}, {"conflict", cluster.ErrConflict},
		{"canceled", context.Canceled}, {"deadline", context.DeadlineExceeded},
	}
}

// sentinelOf is the error of a code; nil where there is none.
func sentinelOf(code string) error {
	for _, s := range sentinels() {
		if s.code == code {
			return s.err
		}
	}
	return nil
}

// RemoteError is what the other side's handler returned.
type RemoteError struct {
	Status int
	text   string
	is     error
}

// Error is the other side's words.
func (e *RemoteError) Error() string { return e.text }

// Unwrap is the sentinel that the error was, or wrapped, on the other side.
func (e *RemoteError) Unwrap() error { return e.is }

// JSON calls method path at base with in as the JSON body (nil: none) and decodes the answer into out (nil: thrown away).
func (c *Client) JSON(ctx context.Context, method, base, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	res, err := c.Do(ctx, method, base, path, "application/json", body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, MaxJSON+1))
	switch {
	case err != nil:
		return unreachable(base, err)
	case len(b) > MaxJSON:
		return fmt.Errorf("the answer of %s is larger than %d bytes", base, MaxJSON)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("read the answer of %s: %w", base, err)
	}
	return nil
}

// Do calls and returns the answer, whose body the caller closes. A status of 400 or more is an error.
func (c *Client) Do(ctx context.Context, method, base, path, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(base, "/")+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if b, ok := body.(*bytes.Reader); ok && b.Len() <= mostBitten {
		again := req.GetBody
		req.Body = bites{req.Body}
		req.GetBody = func() (io.ReadCloser, error) {
			b, err := again()
			return bites{b}, err
		}
	}
	if c.Token != nil {
		if t := c.Token(); t != "" {
			req.Header.Set("Authorization", "Bearer "+t)
		}
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, unreachable(base, err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		defer res.Body.Close()
		return nil, remoteError(res)
	}
	return res, nil
}

// bites has a body sent in small frames, each a TLS record. Both are read into buffers that grow to the largest that ever came, and stay: a
// leader that hears a thousand nodes would keep 60 KiB for each, with a beat of 20 KiB; of its frames of 4 KiB it keeps 15. See
// TestSmallBodiesTravelInSmallFrames and docs/decisions/0019-what-a-leader-keeps.md.
type bites struct{ io.ReadCloser }

const (
	bite       = 4 << 10
	mostBitten = 256 << 10 // bytes: of what is larger, and rarer, speed counts
)

// Read implements io.Reader.
func (b bites) Read(p []byte) (int, error) { return b.ReadCloser.Read(p[:min(len(p), bite)]) }

func unreachable(base string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s: %w", base, ErrRefused)
	}
	return fmt.Errorf("%s: %w: %w", base, ErrUnreachable, err)
}

func remoteError(res *http.Response) error {
	var a answerError
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if json.Unmarshal(b, &a) != nil || a.Error == "" {
		if err != nil { // who answered has ended meanwhile: what it meant is not known
			return unreachable(res.Request.URL.Scheme+"://"+res.Request.URL.Host, err)
		}
		a.Error = fmt.Sprintf("%s answered %s", res.Request.URL.Host, res.Status)
		if strings.Contains(string(b), "HTTP request to an HTTPS server") { // as net/http words it
			a.Error = fmt.Sprintf("%s speaks TLS: https:// would be right", res.Request.URL.Host)
		}
	}
	is := sentinelOf(a.Code)
	switch res.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout: // whatever the words: of no consequence later
		is = ErrUnavailable
	}
	return classed(a, &RemoteError{Status: res.StatusCode, text: a.Error, is: is})
}

func classed(a answerError, err error) error {
	if a.Kind == fault.Other && a.Hint == "" {
		return err
	}
	return fault.WithHint(a.Kind, err, a.Hint)
}

// Fault is an error as a value that travels in JSON; nil for no error.
type Fault struct{ answerError }

// FaultOf returns err as it travels.
func FaultOf(err error) *Fault {
	if err == nil {
		return nil
	}
	return &Fault{answer(err)}
}

// MarshalJSON writes the words, the kind and the hint.
func (f Fault) MarshalJSON() ([]byte, error) { return json.Marshal(f.answerError) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (f *Fault) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &f.answerError) }

// Err returns the error that travelled; nil of a nil Fault.
func (f *Fault) Err() error {
	if f == nil {
		return nil
	}
	return classed(f.answerError, &RemoteError{text: f.Error, is: sentinelOf(f.Code)})
}

func answer(err error) answerError {
	a := answerError{Error: err.Error(), Kind: fault.KindOf(err), Hint: fault.HintOf(err)}
	for _, s := range sentinels() {
		if errors.Is(err, s.err) {
			a.Code = s.code
			break
		}
	}
	return a
}
