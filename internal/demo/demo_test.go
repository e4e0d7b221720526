package demo

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ask sends one request to the handler, without a network.
func ask(t *testing.T, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

func TestRoutesAnswerAsTheTableSays(t *testing.T) {
	for _, tt := range []struct {
		method, target, body string
		code                 int
		holds                string
	}{
		{"GET", "/", "", 200, "/flaky"},
		{"GET", "/nowhere", "", 404, ""},
		{"GET", "/get?a=1", "", 200, `"a":"1"`},
		{"GET", "/post", "", 405, ""},
		{"POST", "/post", `{"a":[1]}`, 200, `"json":{"a":[1]}`},
		{"PUT", "/anything/deep/down", "x", 200, `"data":"x"`},
		{"GET", "/headers", "", 200, `"Host":"example.com"`},
		{"GET", "/status/418", "", 418, "418"},
		{"GET", "/status/204", "", 204, ""},
		{"GET", "/status/99", "", 400, "200 to 599"},
		{"GET", "/status/x", "", 400, "200 to 599"},
		{"GET", "/delay/0", "", 200, "delay"},
		{"GET", "/delay/soon", "", 400, "500ms"},
		{"GET", "/latency?mean=0", "", 200, "waited_ms"},
		{"GET", "/latency?mean=x", "", 400, "mean"},
		{"GET", "/flaky?rate=0", "", 200, "true"},
		{"GET", "/flaky?rate=1&status=503", "", 503, "asked"},
		{"GET", "/flaky?rate=2", "", 400, "0 to 1"},
		{"GET", "/flaky?rate=NaN", "", 400, "0 to 1"},
		{"GET", "/flaky?status=200", "", 400, "400 to 599"},
		{"GET", "/bytes/x", "", 400, "1024"},
		{"GET", "/stream/2", "", 200, "{\"line\":0}\n{\"line\":1}\n"},
		{"GET", "/redirect/x", "", 400, "/redirect/3"},
		{"GET", "/cookies", "", 200, `"cookies":{}`},
		{"GET", "/basic-auth/ada/secret", "", 401, "credentials"},
		{"POST", "/login", "nonsense", 400, "JSON"},
		{"POST", "/login", `{"user":"ada","password":"abc"}`, 401, "4 or more"},
		{"GET", "/me", "", 401, "log in"},
		{"GET", "/json", "", 200, `"rope"`},
		{"GET", "/html", "", 200, "<h1>"},
	} {
		w := ask(t, tt.method, tt.target, tt.body)
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.holds) {
			t.Errorf("%s %s: %d %q, want %d with %q", tt.method, tt.target, w.Code, w.Body, tt.code, tt.holds)
		}
	}
}

func TestLoginTokenIsItsOwners(t *testing.T) {
	var in struct{ Token string }
	w := ask(t, "POST", "/login", `{"user":"ada","password":"lovelace"}`)
	if err := json.Unmarshal(w.Body.Bytes(), &in); err != nil {
		t.Fatal(err)
	}
	if w := ask(t, "GET", "/me", "", "Authorization", "Bearer "+in.Token); !strings.Contains(w.Body.String(), `"ada"`) {
		t.Errorf("the token is not ada's: %s", w.Body)
	}
	if w := ask(t, "GET", "/me", "", "Authorization", "Bearer "+in.Token[:len(in.Token)-2]+"zz"); w.Code != 401 {
		t.Errorf("a forged token gives %d", w.Code)
	}
}

func TestEveryInputIsBounded(t *testing.T) {
	for _, s := range []string{"1e300", "-5", "9999999h", "+Inf", "-Inf", "3600s"} {
		if d, _ := span(s); d < 0 || d > MaxDelay {
			t.Errorf("span(%q) = %v", s, d)
		}
	}
	if n := ask(t, "GET", "/bytes/99999999999", "").Body.Len(); n != MaxBytes {
		t.Errorf("/bytes gives %d bytes at most, want %d", n, MaxBytes)
	}
	if n := strings.Count(ask(t, "GET", "/stream/99999999", "").Body.String(), "\n"); n != 1000 {
		t.Errorf("/stream gives %d lines at most, want 1000", n)
	}
	if to := ask(t, "GET", "/redirect/4000000", "").Header().Get("Location"); to != "/redirect/49" {
		t.Errorf("the first of too many redirects goes to %s, want /redirect/49", to)
	}
	if w := ask(t, "POST", "/post", strings.Repeat("x", MaxBytes+1)); w.Code != 413 {
		t.Errorf("too large a body gives %d, want 413", w.Code)
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ask(t, "GET", "/delay/99999", "")
		if d := time.Since(began); d != MaxDelay {
			t.Errorf("/delay held the answer for %v, want %v", d, MaxDelay)
		}
	})
}

func TestDelayEndsWhenTheClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		r := httptest.NewRequestWithContext(ctx, "GET", "/delay/9", nil)
		Handler().ServeHTTP(httptest.NewRecorder(), r)
		if d := time.Since(began); d != time.Second {
			t.Errorf("an answer that nobody waits for was held for %v", d)
		}
	})
}

func TestServerRunsUntilToldToStop(t *testing.T) {
	s, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	res, err := http.Get(s.URL() + "/redirect/3")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(body), "/get") {
		t.Errorf("three redirects end at %q, %v", body, err)
	}
	_ = res.Body.Close()
	if _, err := http.Get(s.URL() + "/reset"); !errors.Is(err, io.EOF) {
		t.Errorf("/reset gives %v, want EOF", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run ended with %v", err)
	}
	if _, err := Listen("256.0.0.1:x"); err == nil {
		t.Error("a port that is none was opened")
	}
}

func TestScriptNamesOnlyRoutesThatExist(t *testing.T) {
	name, source := Script()
	if name == "" || len(source) == 0 {
		t.Fatal("there is no script")
	}
	for _, part := range strings.Split(string(source), "${BASE}")[1:] {
		path := part[:strings.IndexAny(part, "`?")]
		if w := ask(t, "GET", path, ""); w.Code == 404 {
			t.Errorf("the script asks for %s, which is not there", path)
		}
	}
}
