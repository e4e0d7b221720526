package httpc

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"crypto/tls"
)

func TestQuick(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hi %s %s %s", r.Method, r.URL, r.Proto) })
	s := httptest.NewServer(h)
	defer s.Close()
	s2 := httptest.NewUnstartedServer(h)
	s2.EnableHTTP2 = true
	s2.StartTLS()
	defer s2.Close()
	c := NewShared(Config{TLS: &tls.Config{InsecureSkipVerify: true}}).NewClient()
	defer c.Close()
	for _, b := range []string{s.URL, s2.URL} {
		u, _ := ParseURL(b + "/x?y=1")
		for range 3 {
			var r Response
			err := c.Do(&Request{Method: "POST", URL: u, Body: []byte("abc")}, &r)
			t.Log(err, r.Status, r.StatusText, r.Proto, string(r.Body), r.Reused, r.RemoteAddr)
			t.Logf("%+v", r.Times)
			for k, v := range r.Header.Each() {
				t.Log(k, v)
			}
		}
	}
	t.Log(c.Traffic())
}
