package courier

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
)

func serve(t *testing.T, h http.Handler) (string, *Client) {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL, &Client{HTTP: s.Client()}
}

func TestAnErrorKeepsItsWords(t *testing.T) {
	t.Parallel()
	var gave error
	base, c := serve(t, Handler(func(*http.Request) (any, error) { return nil, gave }))
	for _, tt := range []struct {
		gave error
		is   error
		code int
	}{
		{errors.New("plain"), nil, 500},
		{fmt.Errorf("write the run: %w", cluster.ErrDeposed), cluster.ErrDeposed, 409},
		{fault.WithHint(fault.InvalidConfig, errors.New("no such scenario"), "name one of these"), nil, 500},
		{&Status{403, fault.New(fault.ScriptAborted, cluster.ErrNotFound)}, cluster.ErrNotFound, 403},
	} {
		gave = tt.gave
		err := c.JSON(t.Context(), "POST", base, "/x", map[string]int{"a": 1}, nil)
		var r *RemoteError
		if err == nil || err.Error() != gave.Error() || fault.KindOf(err) != fault.KindOf(gave) || fault.HintOf(err) != fault.HintOf(gave) {
			t.Errorf("%v became %v", gave, err)
		}
		if !errors.As(err, &r) || r.Status != tt.code || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%v: status and sentinel of %#v", gave, err)
		}
		if again := FaultOf(err).Err(); again.Error() != gave.Error() || fault.KindOf(again) != fault.KindOf(gave) || tt.is != nil && !errors.Is(again, tt.is) {
			t.Errorf("%v as a value became %v", gave, again)
		}
	}
	if FaultOf(nil).Err() != nil {
		t.Error("no error became one")
	}
}

// An error that is two at once is the one on which the decision hangs, every time; and who cannot answer now may later, whatever he says.
func TestWhoCannotAnswerNowMayLater(t *testing.T) {
	t.Parallel()
	for _, gave := range []error{
		fmt.Errorf("%w: %w", ErrUnavailable, context.DeadlineExceeded),
		&Status{http.StatusServiceUnavailable, errors.New("look up the token: no store is reached yet")},
		&Status{http.StatusServiceUnavailable, context.DeadlineExceeded},
	} {
		base, c := serve(t, Handler(func(*http.Request) (any, error) { return nil, gave }))
		for range 20 {
			if err := c.JSON(t.Context(), "GET", base, "/x", nil, nil); !errors.Is(err, ErrUnavailable) || err.Error() != gave.Error() {
				t.Fatalf("%v became %v", gave, err)
			}
		}
	}
}

func TestADeadProcessIsToldFromASilentOne(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(nil)
	s.Close()
	c := &Client{HTTP: http.DefaultClient}
	if err := c.JSON(t.Context(), "GET", s.URL, "/", nil, nil); !errors.Is(err, ErrRefused) {
		t.Errorf("nobody listens: %v", err)
	}
	stop := make(chan struct{})
	base, c := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	}))
	defer close(stop)
	cause := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, cause)
	defer cancel()
	if err := c.JSON(ctx, "GET", base, "/", nil, nil); !errors.Is(err, cause) {
		t.Errorf("nobody answers: %v", err)
	}
}

// A run must not end with the status of an answer whose words died with the node that gave it: they might have said that it may go on.
func TestHalfAnAnswerIsNone(t *testing.T) {
	t.Parallel()
	base, c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"error":"the node lea`))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	if err := c.JSON(t.Context(), "POST", base, "/", nil, nil); !errors.Is(err, ErrUnreachable) {
		t.Errorf("half an answer: %v", err)
	}
}

// reads are how much of a request's body comes at once, the first time and when it is sent again.
type reads struct{ most, again int }

func (r *reads) RoundTrip(req *http.Request) (*http.Response, error) {
	measure := func(body io.ReadCloser) (most int, all int64) {
		buf := make([]byte, 1<<20)
		for {
			n, err := body.Read(buf)
			most, all = max(most, n), all+int64(n)
			if err != nil {
				return most, all
			}
		}
	}
	second, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	var first, last int64
	r.most, first = measure(req.Body)
	r.again, last = measure(second)
	if first != req.ContentLength || last != first {
		return nil, fmt.Errorf("%d bytes were announced, %d and %d came", req.ContentLength, first, last)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
}

// What is read at once is a frame, and the other side's buffers stay as large as the largest.
func TestSmallBodiesTravelInSmallFrames(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]int{100: 100, 20 << 10: bite, mostBitten: bite, mostBitten + 1: mostBitten + 1} {
		var r reads
		c := &Client{HTTP: &http.Client{Transport: &r}}
		res, err := c.Do(t.Context(), http.MethodPost, "http://h1", "/", "text/plain", bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if r.most != want || r.again != want {
			t.Errorf("%d bytes come by %d, and when they are sent again by %d; want %d", size, r.most, r.again, want)
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	base, c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			var in string
			if err := Read(r, &in); err != nil {
				WriteError(w, err)
			}
			return
		}
		chunk := bytes.Repeat([]byte(" "), 1<<20)
		for range MaxJSON>>20 + 1 {
			_, _ = w.Write(chunk)
		}
	}))
	if err := c.JSON(t.Context(), "GET", base, "/", nil, new(string)); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a large answer: %v", err)
	}
	var r *RemoteError
	if err := c.JSON(t.Context(), "POST", base, "/", strings.Repeat("x", MaxJSON), nil); !errors.As(err, &r) || r.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large request: %v", err)
	}
}

func TestABlobIsWholeOrNotThere(t *testing.T) {
	t.Parallel()
	here, err := NewDepot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	there, err := NewDepot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	base, c := serve(t, here)
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	sum := sha256.Sum256(data)
	want := hex.EncodeToString(sum[:])

	if _, err := here.Put(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(io.ErrUnexpectedEOF))); err == nil {
		t.Error("half a blob was taken")
	}
	if err := c.Fetch(t.Context(), there, base, want); !errors.Is(err, cluster.ErrNotFound) {
		t.Errorf("fetch what is not there: %v", err)
	}
	digest, err := c.Send(t.Context(), base, bytes.NewReader(data))
	if err != nil || digest != want || !here.Has(want) {
		t.Fatalf("send: %s, %v", digest, err)
	}
	if err := c.Fetch(t.Context(), there, base, want); err != nil {
		t.Fatal(err)
	}
	f, err := there.Open(want)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}
	liar, lc := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("other bytes")) }))
	missing := strings.Repeat("ab", 32)
	if err := lc.Fetch(t.Context(), there, liar, missing); !errors.Is(err, errWrongDigest) || there.Has(missing) {
		t.Errorf("other bytes than those named: %v", err)
	}
	for _, name := range []string{"../x", "", strings.ToUpper(want), want + "/.."} {
		if _, err := here.Open(name); err == nil {
			t.Errorf("%q was opened", name)
		}
	}
	if left, err := os.ReadDir(there.dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := there.Sweep(time.Now().Add(time.Hour), time.Minute, func(d string) bool { return d != want }); err != nil || there.Has(want) {
		t.Errorf("sweep: %v", err)
	}
}
