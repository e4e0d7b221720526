package httpc

import (
	"fmt"
	"net"
	"net/http"
	"testing"
)

func TestAKnownHeadIsSharedAndAnotherIsRead(t *testing.T) {
	answers := []string{
		"HTTP/1.1 200 OK\r\nX-N: 1\r\nContent-Length: 2\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nX-N: 1\r\nContent-Length: 2\r\n\r\ncd",
		"HTTP/1.1 200 OK\r\nX-N: 2\r\nContent-Length: 3\r\n\r\nefg",
		"HTTP/1.1 404 Not Found\r\nX-N: 1\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-N: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
	}
	base := server(t, func(c *net.TCPConn, _ int) {
		each(c, func(_ *http.Request, nth int) (string, bool) { return answers[(nth-1)%len(answers)], true })
	})
	u := parsed(t, base)
	for round := range 3 {
		c := client(t, Config{})
		for i, want := range []string{"200 1 ab", "200 1 cd", "200 2 efg", "404 1 ", "200 1 hi"} {
			var r Response
			if err := c.Do(&Request{URL: u}, &r); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%d %s %s", r.Status, r.Header.Get("x-n"), r.Body); got != want || r.ConnClosed != (i == 4) {
				t.Errorf("round %d, answer %d: %s, closed %v, want %s", round, i, got, r.ConnClosed, want)
			}
		}
	}
}

func TestHeadsThatAlwaysDifferAreSeldomKept(t *testing.T) {
	base := server(t, func(c *net.TCPConn, _ int) {
		each(c, func(_ *http.Request, nth int) (string, bool) {
			return fmt.Sprintf("HTTP/1.1 200 OK\r\nX-N: %d\r\nContent-Length: 0\r\n\r\n", nth), true
		})
	})
	c, u, kept := client(t, Config{}), parsed(t, base), 0
	var last *knownHead
	for range 200 {
		var r Response
		if err := c.Do(&Request{URL: u}, &r); err != nil {
			t.Fatal(err)
		}
		if k := u.head.Load(); k != last {
			kept, last = kept+1, k
		}
	}
	if kept > tryKnown+200/retryKnown+1 {
		t.Errorf("%d of 200 heads were kept", kept)
	}
}

func TestAnAnswerToHeadIsNotTakenForOneToGet(t *testing.T) {
	base := server(t, func(c *net.TCPConn, _ int) {
		each(c, func(r *http.Request, _ int) (string, bool) {
			head := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
			if r.Method == "HEAD" {
				return head, true
			}
			return head + "ab", true
		})
	})
	c, u := client(t, Config{}), parsed(t, base)
	for i, method := range []string{"HEAD", "GET", "HEAD", "GET", "GET", "HEAD"} {
		var r Response
		if err := c.Do(&Request{Method: method, URL: u}, &r); err != nil || (len(r.Body) == 2) != (method == "GET") {
			t.Errorf("request %d, %s: body %q, error %v", i, method, r.Body, err)
		}
	}
}
