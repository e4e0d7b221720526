package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What one request may cost at most, whatever it asks for.
const (
	MaxDelay = 10 * time.Second // how long an answer is held back
	MaxBytes = 10 << 20         // the size of a body, in either direction
	maxHops  = 50               // redirects
)

// route is one line of the table that GET / shows.
type route struct {
	pattern, what string
	answer        http.HandlerFunc
}

// routes lists all that the server can do. A pattern is http.ServeMux's.
func routes() []route {
	return []route{
		{"/anything", "echo method, query, headers and body", echo},
		{"/anything/{rest...}", "the same below any path", echo},
		{"GET /get", "echo a GET", echo},
		{"POST /post", "echo a POST", echo},
		{"PUT /put", "echo a PUT", echo},
		{"PATCH /patch", "echo a PATCH", echo},
		{"DELETE /delete", "echo a DELETE", echo},
		{"/headers", "the request's headers", headers},
		{"/cookies", "the request's cookies", cookies},
		{"/cookies/set", "set every query parameter as a cookie, then go to /cookies", setCookies},
		{"/cookies/delete", "expire every cookie that the query names, then go to /cookies", deleteCookies},
		{"/status/{code}", "answer with that status (200 to 599)", status},
		{"/delay/{seconds}", "wait, then echo; at most 10 s", delay},
		{"/latency", "wait a random time: ?mean=100ms, exponential, at most 10 s", latency},
		{"/flaky", "fail some of the time: ?rate=0.1&status=500", flaky},
		{"/reset", "break the connection without an answer", reset},
		{"/bytes/{n}", "n bytes; at most 10 MiB", bytes},
		{"/stream/{n}", "n lines of JSON, one chunk each; at most 1000", stream},
		{"/redirect/{n}", "n redirects, then /get; at most 50", redirect},
		{"/basic-auth/{user}/{password}", "401 unless asked with these credentials", basicAuth},
		{"POST /login", `{"user": ..., "password": ...} gives a token; any password of 4 or more characters will do`, login},
		{"GET /me", "who the token of /login belongs to, else 401", me},
		{"GET /json", "a small document", document},
		{"GET /html", "a small page", page},
		{"GET /{$}", "this table", nil},
	}
}

// Handler is the demo server's behaviour. It keeps no state between requests.
func Handler() http.Handler {
	mux := http.NewServeMux()
	table := routes()
	for _, r := range table {
		if r.answer == nil {
			r.answer = contents(table)
		}
		mux.HandleFunc(r.pattern, r.answer)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, MaxBytes)
		w.Header().Set("Server", "throng-demo")
		mux.ServeHTTP(w, r)
	})
}

func contents(table []route) http.HandlerFunc {
	var b strings.Builder
	b.WriteString("throng demo server\n\n")
	for _, r := range table {
		fmt.Fprintf(&b, "%-34s %s\n", r.pattern, r.what)
	}
	text := b.String()
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, text)
	}
}

// writeJSON ignores what Write says: a client that has gone away is no news to a server that keeps no state.
func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

func refuse(w http.ResponseWriter, code int, why string) {
	writeJSON(w, code, map[string]string{"error": why})
}

// flat shows a header or a query as most people think of it: one value a name.
func flat(all map[string][]string) map[string]string {
	m := make(map[string]string, len(all))
	for k, v := range all {
		m[k] = strings.Join(v, ",")
	}
	return m
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "the body is larger than 10 MiB")
		return
	}
	out := map[string]any{
		"method":  r.Method,
		"url":     "http://" + r.Host + r.URL.RequestURI(),
		"args":    flat(r.URL.Query()),
		"headers": withHost(r),
		"origin":  r.RemoteAddr,
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		out["data"] = string(body)
		var parsed any
		if json.Unmarshal(body, &parsed) == nil {
			out["json"] = parsed
		}
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			if form, err := url.ParseQuery(string(body)); err == nil {
				out["form"] = flat(form)
			}
		}
	}
	writeJSON(w, http.StatusOK, out)
}

func withHost(r *http.Request) map[string]string {
	h := flat(r.Header)
	h["Host"] = r.Host
	return h
}

func headers(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"headers": withHost(r)})
}

func status(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil || code < 200 || code > 599 {
		refuse(w, http.StatusBadRequest, "ask for a status from 200 to 599")
		return
	}
	if code == http.StatusNoContent || code == http.StatusNotModified {
		w.WriteHeader(code)
		return
	}
	if code >= 300 && code < 400 {
		w.Header().Set("Location", "/get")
	}
	writeJSON(w, code, map[string]int{"status": code})
}

// hold waits for d, capped, and says whether the client is still there.
func hold(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(max(0, min(d, MaxDelay)))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// span reads "0.5" as seconds and "500ms" as Go does; it is capped before it can overflow.
func span(s string) (time.Duration, bool) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(f) {
		return time.Duration(max(0, min(f, MaxDelay.Seconds())) * float64(time.Second)), true
	}
	d, err := time.ParseDuration(s)
	return max(0, min(d, MaxDelay)), err == nil
}

func delay(w http.ResponseWriter, r *http.Request) {
	d, ok := span(r.PathValue("seconds"))
	if !ok {
		refuse(w, http.StatusBadRequest, "ask for /delay/0.5 or /delay/500ms")
		return
	}
	if hold(r, d) {
		echo(w, r)
	}
}

func latency(w http.ResponseWriter, r *http.Request) {
	mean := 100 * time.Millisecond
	if q := r.URL.Query().Get("mean"); q != "" {
		var ok bool
		if mean, ok = span(q); !ok {
			refuse(w, http.StatusBadRequest, "ask for ?mean=0.1 or ?mean=100ms")
			return
		}
	}
	d := time.Duration(min(rand.ExpFloat64()*float64(mean), float64(MaxDelay)))
	if hold(r, d) {
		writeJSON(w, http.StatusOK, map[string]float64{"waited_ms": float64(d) / float64(time.Millisecond)})
	}
}

func flaky(w http.ResponseWriter, r *http.Request) {
	rate, code := 0.1, http.StatusInternalServerError
	if q := r.URL.Query().Get("rate"); q != "" {
		var err error
		if rate, err = strconv.ParseFloat(q, 64); err != nil || !(rate >= 0 && rate <= 1) {
			refuse(w, http.StatusBadRequest, "rate is a number from 0 to 1")
			return
		}
	}
	if q := r.URL.Query().Get("status"); q != "" {
		var err error
		if code, err = strconv.Atoi(q); err != nil || code < 400 || code > 599 {
			refuse(w, http.StatusBadRequest, "status is a number from 400 to 599")
			return
		}
	}
	if rand.Float64() < rate {
		refuse(w, code, "you asked for it")
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
}

func reset(w http.ResponseWriter, _ *http.Request) {
	panic(http.ErrAbortHandler) // net/http's own way to hang up without an answer
}
