package httpc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// server accepts connections and hands each to serve with its number, the first being 1.
func server(t testing.TB, serve func(c *net.TCPConn, n int)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer c.Close(); serve(c.(*net.TCPConn), n) })
		}
	})
	return "http://" + l.Addr().String()
}

// each answers every request on a connection with what reply writes, until it says stop.
func each(c net.Conn, reply func(r *http.Request, nth int) (text string, more bool)) {
	br := bufio.NewReader(c)
	for nth := 1; ; nth++ {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		text, more := reply(r, nth)
		if _, err := io.WriteString(c, text); err != nil || !more {
			return
		}
	}
}

func parsed(t testing.TB, s string) *URL {
	u, err := ParseURL(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func client(t testing.TB, cfg Config) *Client {
	c := NewShared(cfg).NewClient()
	t.Cleanup(c.Close)
	return c
}

const okay = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\nok"

func always(*http.Request, int) (string, bool) { return okay, true }

func code(err error) int {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func TestKeptConnectionServesAgain(t *testing.T) {
	var conns atomic.Int64
	base := server(t, func(c *net.TCPConn, _ int) { conns.Add(1); each(c, always) })
	c := client(t, Config{})
	for i := range 3 {
		var r Response
		if err := c.Do(&Request{URL: parsed(t, base)}, &r); err != nil || r.Reused != (i > 0) || string(r.Body) != "ok" {
			t.Fatalf("request %d: %v, reused %v, body %q", i, err, r.Reused, r.Body)
		}
		if r.Reused && (r.Times.Connecting != 0 || r.Times.TLSHandshaking != 0) || r.Times.Waiting <= 0 || r.Times.Sending <= 0 {
			t.Errorf("request %d: times %+v", i, r.Times)
		}
		if d := r.Times.Blocked + r.Times.Duration(); d > r.Times.Total {
			t.Errorf("request %d: phases %v are longer than the whole %v", i, d, r.Times.Total)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	sent, received := c.Traffic()
	if want := int64(3 * len(okay)); received != want || sent == 0 {
		t.Errorf("traffic %d, %d; want %d received", sent, received, want)
	}
	if sent, received = c.Traffic(); sent != 0 || received != 0 {
		t.Errorf("second look at traffic: %d, %d", sent, received)
	}
}

func TestConnectionGivenUpWhereNetHTTPGivesItUp(t *testing.T) {
	for _, s := range scripts(t) {
		name, method, script := s[0], s[1], s[2]
		if strings.Contains(name, "bytes behind") || askUs(method, script) != askNetHTTP(method, script) {
			continue
		}
		o := askNetHTTP(method, script)
		if o.Err != "" || o.BodyErr != "" || o.Status == 101 || strings.HasPrefix(name, "until the end") || strings.HasPrefix(name, "HTTP/1.0") {
			continue
		}
		theirs, ours := keptByNetHTTP(method, script), keptByUs(method, script)
		if leftover := name == "204 with length" || name == "204 chunked" || strings.HasPrefix(name, "length with a blank") || name == "trailer with bare LF"; theirs != ours && !leftover {
			t.Errorf("%s: net/http keeps the connection: %v, here: %v", name, theirs, ours)
		}
	}
}

// stay answers with the script once and then goes on listening; it tells whether a second request came.
func stay(script string, second chan<- bool) func(net.Conn) {
	return func(c net.Conn) {
		defer c.Close()
		br := bufio.NewReader(c)
		if _, err := http.ReadRequest(br); err != nil {
			return
		}
		_, _ = io.WriteString(c, script)
		if endless(script) {
			return
		}
		if _, err := http.ReadRequest(br); err == nil {
			second <- true
			_, _ = io.WriteString(c, okay)
		}
	}
}

// endless tells whether only the end of the connection ends the body.
func endless(script string) bool {
	o := askUs("GET", script+"more")
	return strings.HasSuffix(o.Body, "more")
}

func keptByNetHTTP(method, script string) bool {
	second := make(chan bool, 2)
	tr := &http.Transport{DisableCompression: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return pipe(stay(script, second)), nil
	}}
	defer tr.CloseIdleConnections()
	for range 2 {
		req, _ := http.NewRequest(method, "http://a.test/", nil)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			return false
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	return len(second) > 0
}

func keptByUs(method, script string) bool {
	second := make(chan bool, 2)
	s := NewShared(Config{})
	s.connect = func(context.Context, string, *Times) (net.Conn, error) { return pipe(stay(script, second)), nil }
	c := s.NewClient()
	defer c.Close()
	u, _ := ParseURL("http://a.test/")
	for range 2 {
		var r Response
		if c.Do(&Request{Method: method, URL: u, Timeout: 10 * time.Second}, &r) != nil {
			return false
		}
	}
	return len(second) > 0
}

func TestBytesBehindAnAnswerEndTheConnection(t *testing.T) {
	base := server(t, func(c *net.TCPConn, n int) {
		each(c, func(*http.Request, int) (string, bool) { return okay + "HTTP/1.1 500 Smuggled\r\n\r\n", true })
	})
	c := client(t, Config{})
	for range 3 {
		var r Response
		if err := c.Do(&Request{URL: parsed(t, base)}, &r); err != nil || r.Status != 200 || r.Reused || !r.ConnClosed {
			t.Fatalf("%v, status %d, reused %v", err, r.Status, r.Reused)
		}
	}
}

func TestDeadConnectionIsReplacedBeforeItFails(t *testing.T) {
	for _, tt := range []struct {
		name, method, junk string
	}{
		{"closed, GET", "GET", ""},
		{"closed, POST", "POST", ""},
		{"junk, POST", "POST", "HTTP/1.1 500 Nobody asked\r\nContent-Length: 0\r\n\r\n"},
	} {
		gone := make(chan bool)
		base := server(t, func(c *net.TCPConn, n int) {
			each(c, func(*http.Request, int) (string, bool) { return okay, n > 1 })
			if n == 1 {
				_, _ = io.WriteString(c, tt.junk)
				c.Close()
				gone <- true
			}
		})
		c := client(t, Config{})
		var r Response
		req := &Request{Method: tt.method, URL: parsed(t, base), Body: []byte("x"), Timeout: 5 * time.Second}
		if err := c.Do(req, &r); err != nil {
			t.Fatal(err)
		}
		<-gone
		if err := c.Do(req, &r); err != nil || r.Status != 200 || r.Reused {
			t.Errorf("%s: %v, status %d, reused %v", tt.name, err, r.Status, r.Reused)
		}
	}
}

func TestSentAgainUnlessTheServerPromisedToBeThere(t *testing.T) {
	for _, tt := range []struct {
		name, method string
		header       []Field
		reply        string
		rested       bool
		want         int // requests that the server saw
		fails        bool
	}{
		{"GET, promised", "GET", nil, "", false, 2, true},
		{"GET, not promised", "GET", nil, "", false, 3, false},
		{"POST, not promised", "POST", nil, "", false, 2, true},
		{"GET", "GET", nil, "", true, 3, false},
		{"HEAD", "HEAD", nil, "", true, 3, false},
		{"POST", "POST", nil, "", true, 2, true},
		{"POST with a key", "POST", []Field{{"idempotency-key", "1"}}, "", true, 3, false},
		{"GET, but something came", "GET", nil, "H", true, 2, true},
	} {
		var seen atomic.Int64
		base := server(t, func(c *net.TCPConn, n int) {
			each(c, func(r *http.Request, nth int) (string, bool) {
				seen.Add(1)
				if n == 1 && nth == 2 {
					return tt.reply, false
				}
				if r.Method == "HEAD" {
					return okay[:len(okay)-2], true
				}
				if strings.Contains(tt.name, ", promised") {
					return strings.Replace(okay, "\r\n", "\r\nConnection: keep-alive\r\n", 1), true
				}
				return okay, true
			})
		})
		c := client(t, Config{})
		req := &Request{Method: tt.method, URL: parsed(t, base), Header: tt.header}
		var r Response
		if err := c.Do(req, &r); err != nil {
			t.Fatal(err)
		}
		if tt.rested {
			c.conns[0].idleSince = c.s.moment(time.Now().Add(-restAfter))
		}
		err := c.Do(req, &r)
		if (err != nil) != tt.fails || int(seen.Load()) != tt.want {
			t.Errorf("%s: error %v, the server saw %d requests, want %d", tt.name, err, seen.Load(), tt.want)
		}
	}
}

func TestFreshConnectionIsNotTriedTwice(t *testing.T) {
	var conns atomic.Int64
	base := server(t, func(c *net.TCPConn, _ int) {
		conns.Add(1)
		each(c, func(*http.Request, int) (string, bool) { return "", false })
	})
	var r Response
	if err := client(t, Config{}).Do(&Request{URL: parsed(t, base)}, &r); code(err) != CodeDefault || err.Error() != "EOF" || conns.Load() != 1 {
		t.Errorf("error %v after %d connections", err, conns.Load())
	}
}

func TestDeadlineHoldsInEveryPhase(t *testing.T) {
	for name, prefix := range map[string]string{
		"waiting": "", "in the head": "HTTP/1.1 200 OK\r\nX-", "in the body": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab",
		"in a chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
	} {
		slow := server(t, func(c *net.TCPConn, _ int) {
			each(c, func(_ *http.Request, nth int) (string, bool) {
				if nth == 1 {
					return okay, true
				}
				return prefix, true
			})
		})
		c := client(t, Config{})
		var r Response
		// The first exchange leaves a timer that fires in the middle of the second: it must not end it early.
		if err := c.Do(&Request{URL: parsed(t, slow), Timeout: 30 * time.Millisecond}, &r); err != nil {
			t.Fatal(err)
		}
		err := c.Do(&Request{URL: parsed(t, slow), Timeout: 90 * time.Millisecond}, &r)
		took := r.Times.Total
		if code(err) != CodeTimeout || err.Error() != "request timeout" || took < 90*time.Millisecond || took > 2*time.Second {
			t.Errorf("%s: %v after %v", name, err, took)
		}
		if !r.ConnClosed {
			t.Errorf("%s: the connection was kept", name)
		}
	}
}

func TestInterruptEndsAllAndResumeGoesOn(t *testing.T) {
	arrived := make(chan bool, 10)
	hang := atomic.Bool{}
	hang.Store(true)
	base := server(t, func(c *net.TCPConn, _ int) {
		each(c, func(*http.Request, int) (string, bool) {
			arrived <- true
			if hang.Load() {
				return "", true
			}
			return okay, true
		})
	})
	c := client(t, Config{})
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			var r Response
			if err := c.Do(&Request{URL: parsed(t, base)}, &r); err != ErrInterrupted {
				t.Errorf("error %v", err)
			}
		})
	}
	for range 5 {
		<-arrived
	}
	c.Interrupt()
	all.Wait()
	var r Response
	if err := c.Do(&Request{URL: parsed(t, base)}, &r); err != ErrInterrupted {
		t.Errorf("while interrupted: %v", err)
	}
	hang.Store(false)
	c.Resume()
	if err := c.Do(&Request{URL: parsed(t, base)}, &r); err != nil {
		t.Errorf("after Resume: %v", err)
	}
}

func TestLargeBodyDoesNotDeadlockWithAnEarlyAnswer(t *testing.T) {
	base := server(t, func(c *net.TCPConn, n int) {
		_, _ = c.Read(make([]byte, 10))
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nabc")
		if n == 1 {
			_, _ = io.Copy(io.Discard, io.LimitReader(c, 9<<20)) // keeps the connection open, reads all
			return
		}
		_, _ = c.Read(make([]byte, 1)) // reads no more
	})
	c := client(t, Config{})
	var r Response
	if err := c.Do(&Request{Method: "POST", URL: parsed(t, base), Body: make([]byte, 8<<20), Timeout: 5 * time.Second}, &r); err != nil || r.Status != 413 {
		t.Errorf("%v, status %d", err, r.Status)
	}
}

func TestLargeBodyArrivesWhole(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 500_000)
	base := server(t, func(c *net.TCPConn, n int) {
		each(c, func(r *http.Request, _ int) (string, bool) {
			got, _ := io.ReadAll(r.Body)
			return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%v", map[bool]string{true: "same", false: "else"}[bytes.Equal(got, body)]), true
		})
	})
	c := client(t, Config{})
	for i := range 2 {
		var r Response
		if err := c.Do(&Request{Method: "POST", URL: parsed(t, base), Body: body, Timeout: 10 * time.Second}, &r); err != nil || string(r.Body) != "same" || r.Reused != (i > 0) {
			t.Errorf("%v, %q, reused %v", err, r.Body, r.Reused)
		}
	}
}

// endlessConn answers with a head and then with as many bytes as are read.
type endlessConn struct {
	net.Conn
	head string
	left int64
}

func (c *endlessConn) Write(p []byte) (int, error) { return len(p), nil }
func (c *endlessConn) Close() error                { return nil }
func (c *endlessConn) SetDeadline(time.Time) error { return nil }
func (c *endlessConn) RemoteAddr() net.Addr        { return &net.TCPAddr{} }
func (c *endlessConn) Read(p []byte) (n int, err error) {
	if c.head != "" {
		n = copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	n = int(min(int64(len(p)), c.left))
	if c.left -= int64(n); n == 0 {
		err = io.EOF
	}
	return n, err
}

func TestDiscardedBodyTakesNoMemory(t *testing.T) {
	const size = 10 << 30
	s := NewShared(Config{})
	s.connect = func(context.Context, string, *Times) (net.Conn, error) {
		return &endlessConn{head: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", int64(size)), left: size}, nil
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var r Response
	err := s.NewClient().Do(&Request{URL: parsed(t, "http://a.test/"), Discard: true}, &r)
	runtime.ReadMemStats(&after)
	if err != nil || r.BodySize != size || len(r.Body) != 0 {
		t.Errorf("%v, size %d, kept %d", err, r.BodySize, len(r.Body))
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes allocated", used)
	}
}

func TestKeptBodyIsCopiedAFewTimesOnly(t *testing.T) {
	const size = 64 << 20
	s := NewShared(Config{})
	s.connect = func(context.Context, string, *Times) (net.Conn, error) {
		return &endlessConn{head: "HTTP/1.1 200 OK\r\n\r\n", left: size}, nil
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var r Response
	err := s.NewClient().Do(&Request{URL: parsed(t, "http://a.test/")}, &r)
	runtime.ReadMemStats(&after)
	if err != nil || len(r.Body) != size || !r.ConnClosed {
		t.Errorf("%v, kept %d", err, len(r.Body))
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 5*size {
		t.Errorf("%d bytes allocated for %d", used, size)
	}
}

func TestBodyAboveTheBoundIsRefused(t *testing.T) {
	s := NewShared(Config{MaxResponseBytes: 1 << 20})
	s.connect = func(context.Context, string, *Times) (net.Conn, error) {
		return &endlessConn{head: "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n", left: 1 << 40}, nil
	}
	var r Response
	if err := s.NewClient().Do(&Request{URL: parsed(t, "http://a.test/")}, &r); err == nil || cap(r.Body) > 8<<20 {
		t.Errorf("error %v, %d bytes held", err, cap(r.Body))
	}
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	release := make(chan bool)
	arrived := make(chan bool, 20)
	base := server(t, func(c *net.TCPConn, _ int) {
		each(c, func(*http.Request, int) (string, bool) { arrived <- true; <-release; return okay, true })
	})
	c := client(t, Config{MaxIdlePerHost: 2, MaxIdle: 3})
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			var r Response
			if err := c.Do(&Request{URL: parsed(t, base)}, &r); err != nil {
				t.Error(err)
			}
		})
	}
	for range 5 {
		<-arrived
	}
	close(release)
	all.Wait()
	if n := len(c.conns); n != 2 {
		t.Errorf("%d connections are idle, want 2", n)
	}
	c.CloseIdle()
	if n := len(c.conns); n != 0 {
		t.Errorf("%d connections are left after CloseIdle", n)
	}
}

func TestDialFollowsHostsAndRefusesBlocked(t *testing.T) {
	s := NewShared(Config{
		Hosts: map[string]netip.AddrPort{
			"a.test": netip.MustParseAddrPort("1.1.1.1:1"), "a.test:81": netip.MustParseAddrPort("2.2.2.2:2"),
			"*.w.test": netip.AddrPortFrom(netip.MustParseAddr("3.3.3.3"), 0), "*.x.w.test": netip.MustParseAddrPort("4.4.4.4:4"),
			"Mixed.Test": netip.MustParseAddrPort("5.5.5.5:5"), "ten.test": netip.MustParseAddrPort("10.1.2.3:80"),
		},
		BlockedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0")}, BlockedHostnames: []string{"*.Wild.test", "gone.test"},
		DNS: DNS{Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("::9"), netip.MustParseAddr("9.9.9.9")}, nil
		}},
	})
	for _, tt := range []struct{ addr, want string }{
		{"a.test:80", "1.1.1.1:1"}, {"A.TEST:80", "1.1.1.1:1"}, {"a.test:81", "2.2.2.2:2"}, {"b.w.test:80", "3.3.3.3:80"},
		{"c.b.w.test:443", "3.3.3.3:443"}, {"y.x.w.test:80", "4.4.4.4:4"}, {"w.test:80", "9.9.9.9:80"}, {"mixed.test:80", "5.5.5.5:5"},
		{"8.8.8.8:80", "8.8.8.8:80"}, {"10.2.3.4:80", "IP (10.2.3.4) is in a blacklisted range (10.0.0.0/8)"},
		{"ten.test:80", "IP (10.1.2.3) is in a blacklisted range (10.0.0.0/8)"}, {"[::1]:80", "IP (::1) is in a blacklisted range (::/0)"},
		{"b.wild.test:80", "hostname (b.wild.test) is in a blocked pattern (*.wild.test)"}, {"wild.test:80", "9.9.9.9:80"},
		{"Gone.test:80", "hostname (Gone.test) is in a blocked pattern (gone.test)"},
	} {
		host, port, _ := net.SplitHostPort(tt.addr)
		to, err := s.target(context.Background(), host, port)
		if got := to.String(); err == nil && got != tt.want || err != nil && err.Error() != tt.want {
			t.Errorf("%s leads to %v, %v; want %s", tt.addr, to, err, tt.want)
		}
	}
}
