package k6http

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"throng/internal/load/k6/scopetest"
)

// rig is a virtual user with http, and the address of a server.
func rig(t testing.TB, h http.HandlerFunc) (*scopetest.Rig, string) {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	r := scopetest.New(t)
	e, err := New(r.VU)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Runtime.Set("http", e.Default)
	_ = r.Runtime.Set("BASE", srv.URL)
	return r, srv.URL
}

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"ok":true,"items":[1,2,3]}`))
}

func TestGet(t *testing.T) {
	r, _ := rig(t, hello)
	t.Log(r.Run(`const res = http.get(BASE); JSON.stringify(res)`))
	t.Log(r.Run(`[res.json().items.length, res.json("items.1"), res.timings.duration > 0]`))
	t.Log(r.Run(`http.batch([BASE,BASE]).map(r=>r.status)`))
	t.Log(r.Log.String())
	for _, s := range r.Samples() {
		t.Log(s)
	}
}
