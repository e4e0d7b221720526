package trust

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"throng/internal/fault"
)

func TestInsecureIsForLoopbackAlone(t *testing.T) {
	if err := CheckInsecure("127.0.0.1", "127.0.1.3", "localhost", "LOCALHOST", "[::1]", "::1", "::ffff:127.0.0.1"); err != nil {
		t.Error(err)
	}
	for _, h := range []string{"", "0.0.0.0", "::", "10.0.0.1", "localhost.example", "127.0.0.1.example", "127.1", "example", "::ffff:10.0.0.1", "127.0.0.1:80"} {
		err := CheckInsecure("127.0.0.1", h)
		if err == nil || !strings.Contains(err.Error(), h) || fault.KindOf(err) != fault.InvalidConfig || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", h, err)
		}
	}
}

func TestPagesOfABrowserGiveNoOrders(t *testing.T) {
	h := LoopbackOnly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, CallerOf(r.Context()).String())
	}))
	for _, tt := range []struct {
		name, method, host string
		header             map[string]string
		want               int
	}{
		{"a command", "POST", "127.0.0.1:2379", nil, 200},
		{"a command, by name", "GET", "localhost:2379", nil, 200},
		{"a command, by IPv6", "POST", "[::1]:2379", nil, 200},
		{"without a port", "POST", "127.0.1.1", nil, 200},
		{"our own page", "POST", "127.0.0.1:2379", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:2379"}, 200},
		{"an address that was typed in", "GET", "127.0.0.1:2379", map[string]string{"Sec-Fetch-Site": "none"}, 200},
		{"a name that was made to lead here", "GET", "evil.example:2379", map[string]string{"Sec-Fetch-Site": "same-origin"}, 403},
		{"the same, with an order", "POST", "evil.example:2379", map[string]string{"Origin": "http://evil.example:2379"}, 403},
		{"a page of elsewhere", "POST", "127.0.0.1:2379", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"a page of elsewhere that reads", "GET", "127.0.0.1:2379", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"an older browser's page of elsewhere", "POST", "127.0.0.1:2379", map[string]string{"Origin": "http://evil.example"}, 403},
		{"no host at all", "GET", "", nil, 403},
	} {
		r := httptest.NewRequest(tt.method, "/", http.NoBody)
		r.Host = tt.host
		for k, v := range tt.header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want || tt.want == 200 && w.Body.String() != "trusted (--insecure)" {
			t.Errorf("%s: %d %q, want %d", tt.name, w.Code, w.Body, tt.want)
		}
	}
}
