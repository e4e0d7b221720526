package api

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"
)

// The content types that k6 answers with: each part of its API has its own.
const (
	textPlain  = "text/plain; charset=utf-8"       // metrics and groups
	jsonUTF8   = "application/json; charset=utf-8" // status
	jsonSimple = "application/json"                // setup
)

// document and the rest are the outer shapes of JSON:API (https://jsonapi.org/format/).
type document[T any] struct {
	Data T `json:"data"`
}

type resource[T any] struct {
	Type       string `json:"type"`
	ID         string `json:"id"`
	Attributes T      `json:"attributes"`
}

type problem struct {
	Status string `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// write sends an answer. One that nobody reads ends at its deadline; then there is nobody to tell.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerWithin)) // not every writer has one
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func answer(w http.ResponseWriter, contentType string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		refuse(w, http.StatusInternalServerError, contentType, "Encoding error", err.Error())
		return
	}
	write(w, http.StatusOK, contentType, data)
}

func refuse(w http.ResponseWriter, status int, contentType, title, detail string) {
	data, err := json.Marshal(map[string][]problem{"errors": {{Status: strconv.Itoa(status), Title: title, Detail: detail}}})
	if err != nil {
		data = []byte(`{"errors":[]}`)
	}
	write(w, status, contentType, data)
}

// read reads a body of at most limit bytes; it has refused the request itself when it reports false.
func read(w http.ResponseWriter, r *http.Request, limit int64, contentType string) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, contentType, "Request too large", err.Error())
	case err != nil:
		refuse(w, http.StatusBadRequest, contentType, "Couldn't read request", err.Error())
	default:
		return body, true
	}
	return nil, false
}

// number is a measured value; JSON has no infinity.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}
