package demo

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// count reads a whole number from the path; what lies outside 0 to most is brought back to the border.
func count(r *http.Request, most int) (int, bool) {
	n, err := strconv.Atoi(r.PathValue("n"))
	return max(0, min(n, most)), err == nil
}

func bytes(w http.ResponseWriter, r *http.Request) {
	n, ok := count(r, MaxBytes)
	if !ok {
		refuse(w, http.StatusBadRequest, "ask for /bytes/1024")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(n))
	block := make([]byte, min(n, 32<<10))
	for i := range block {
		block[i] = byte('a' + i%26)
	}
	for n > 0 {
		m, err := w.Write(block[:min(n, len(block))])
		if err != nil {
			return
		}
		n -= m
	}
}

func stream(w http.ResponseWriter, r *http.Request) {
	n, ok := count(r, 1000)
	if !ok {
		refuse(w, http.StatusBadRequest, "ask for /stream/10")
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	for i := range n {
		if _, err := fmt.Fprintf(w, "{\"line\":%d}\n", i); err != nil {
			return
		}
		_ = out.Flush() // an old client that cannot be flushed gets the lines together
	}
}

func redirect(w http.ResponseWriter, r *http.Request) {
	n, ok := count(r, maxHops)
	if !ok {
		refuse(w, http.StatusBadRequest, "ask for /redirect/3")
		return
	}
	to := "/get"
	if n > 1 {
		to = "/redirect/" + strconv.Itoa(n-1)
	}
	http.Redirect(w, r, to, http.StatusFound)
}

func cookies(w http.ResponseWriter, r *http.Request) {
	m := map[string]string{}
	for _, c := range r.Cookies() {
		m[c.Name] = c.Value
	}
	writeJSON(w, http.StatusOK, map[string]any{"cookies": m})
}

func setCookies(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.URL.Query() {
		http.SetCookie(w, &http.Cookie{Name: name, Value: values[0], Path: "/"})
	}
	http.Redirect(w, r, "/cookies", http.StatusFound)
}

func deleteCookies(w http.ResponseWriter, r *http.Request) {
	for name := range r.URL.Query() {
		http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1})
	}
	http.Redirect(w, r, "/cookies", http.StatusFound)
}

func basicAuth(w http.ResponseWriter, r *http.Request) {
	user, password, ok := r.BasicAuth()
	if !ok || user != r.PathValue("user") || password != r.PathValue("password") {
		w.Header().Set("WWW-Authenticate", `Basic realm="throng demo"`)
		refuse(w, http.StatusUnauthorized, "not these credentials")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"authenticated": true, "user": user})
}

// token vouches for a user without the server having to remember anyone. The key is no secret: nothing here needs one.
func token(user string) string {
	m := hmac.New(sha256.New, []byte("throng demo"))
	m.Write([]byte(user))
	return hex.EncodeToString([]byte(user)) + "." + hex.EncodeToString(m.Sum(nil))
}

func login(w http.ResponseWriter, r *http.Request) {
	var in struct{ User, Password string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "send JSON with user and password")
		return
	}
	if in.User == "" || len(in.User) > 100 || len(in.Password) < 4 {
		refuse(w, http.StatusUnauthorized, "a password has 4 or more characters")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"user": in.User, "token": token(in.User)})
}

func me(w http.ResponseWriter, r *http.Request) {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	name, _, _ := strings.Cut(given, ".")
	user, err := hex.DecodeString(name)
	if !ok || err != nil || !hmac.Equal([]byte(given), []byte(token(string(user)))) {
		refuse(w, http.StatusUnauthorized, "log in first")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"user": string(user)})
}

func document(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"title": "Things to carry",
		"items": []map[string]any{
			{"id": 1, "name": "rope", "price": 12.5},
			{"id": 2, "name": "lamp", "price": 7},
			{"id": 3, "name": "map", "price": 3.2},
		},
	})
}

const html = `<!doctype html>
<html lang="en"><head><title>Things to carry</title></head>
<body><h1>Things to carry</h1>
<ul><li class="thing"><a href="/anything/rope">rope</a></li><li class="thing"><a href="/anything/lamp">lamp</a></li></ul>
<form action="/post" method="post"><input name="thing" value="map"><button type="submit">Take it</button></form>
</body></html>
`

func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, html)
}
