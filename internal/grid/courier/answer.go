package courier

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"throng/internal/grid/cluster"
)

// Status is an error with the HTTP status that tells of it.
type Status struct {
	Code int
	Err  error
}

// Error is the wrapped error's text.
func (s *Status) Error() string { return s.Err.Error() }

// Unwrap returns the wrapped error.
func (s *Status) Unwrap() error { return s.Err }

// Handler answers JSON calls with what f returns: a value, or an error.
func Handler(f func(r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := f(r)
		if err != nil {
			WriteError(w, err)
			return
		}
		b, err := json.Marshal(out)
		if err != nil {
			WriteError(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(b, '\n')) // who has gone need not be told
	})
}

// WriteError answers with an error.
func WriteError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var s *Status
	switch {
	case errors.As(err, &s):
		status = s.Code
	case errors.Is(err, cluster.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, cluster.ErrConflict), errors.Is(err, cluster.ErrDeposed), errors.Is(err, ErrNotLeader):
		status = http.StatusConflict
	case errors.Is(err, ErrUnavailable):
		status = http.StatusServiceUnavailable
	}
	b, merr := json.Marshal(answer(err))
	if merr != nil {
		b = []byte(`{"error":"unknown"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // as above
}

// Read decodes the JSON body of a call into out.
func Read(r *http.Request, out any) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, MaxJSON+1))
	if err != nil {
		return &Status{http.StatusBadRequest, fmt.Errorf("read the request: %w", err)}
	}
	if len(b) > MaxJSON {
		return &Status{http.StatusRequestEntityTooLarge, fmt.Errorf("the request is larger than %d bytes", MaxJSON)}
	}
	if err := json.Unmarshal(b, out); err != nil {
		return &Status{http.StatusBadRequest, fmt.Errorf("read the request: %w", err)}
	}
	return nil
}
