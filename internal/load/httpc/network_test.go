package httpc

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// echoing answers with what it was asked, over TLS with HTTP/2 if h2.
func echoing(t *testing.T, h2 bool) (base string, conns *atomic.Int64) {
	conns = new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/drop":
			panic(http.ErrAbortHandler)
		case "/hang":
			<-r.Context().Done()
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-T")
		w.Header().Add("X-Multi", "one")
		w.Header().Add("X-Multi", "two")
		fmt.Fprintf(w, "%s %s %s %s %q %d", r.Method, r.Host, r.URL, r.Proto, r.UserAgent(), len(body))
		w.Header().Set("X-T", "end")
	}))
	s.EnableHTTP2 = h2
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, conns
}

var trusting = &tls.Config{InsecureSkipVerify: true}

func TestHTTP2IsNegotiatedAndShared(t *testing.T) {
	base, conns := echoing(t, true)
	c := client(t, Config{TLS: trusting})
	host := strings.TrimPrefix(base, "https://")
	for i := range 3 {
		var r Response
		err := c.Do(&Request{Method: "POST", URL: parsed(t, base+"/x?y=1"), Body: make([]byte, 300_000)}, &r)
		want := "POST " + host + ` /x?y=1 HTTP/2.0 "" 300000`
		if err != nil || string(r.Body) != want || r.Proto != "HTTP/2.0" || r.StatusText != "200 OK" || r.Peer.TLS == nil {
			t.Fatalf("%v, %s %q %q, want %q", err, r.Proto, r.StatusText, r.Body, want)
		}
		if r.Reused != (i > 0) || r.Reused == (r.Times.TLSHandshaking > 0) || r.Trailer == nil || r.Trailer.Get("x-t") != "end" || len(r.Header.Values("X-Multi")) != 2 {
			t.Errorf("request %d: reused %v, times %+v, trailer %v", i, r.Reused, r.Times, r.Trailer)
		}
	}
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			var r Response
			if err := c.Do(&Request{URL: parsed(t, base), Host: "other.test", Header: []Field{{"User-Agent", "me"}}}, &r); err != nil || !strings.Contains(string(r.Body), `GET other.test / HTTP/2.0 "me" 0`) {
				t.Errorf("%v %q", err, r.Body)
			}
		})
	}
	all.Wait()
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	if sent, received := c.Traffic(); sent < 900_000 || received < 1000 {
		t.Errorf("traffic %d, %d", sent, received)
	}
	c.CloseIdle()
	var r Response
	if err := c.Do(&Request{URL: parsed(t, base)}, &r); err != nil || r.Reused {
		t.Errorf("after CloseIdle: %v, reused %v", err, r.Reused)
	}
}

func TestHTTP2FailsAsk6Says(t *testing.T) {
	base, _ := echoing(t, true)
	c := client(t, Config{TLS: trusting})
	var r Response
	if err := c.Do(&Request{URL: parsed(t, base+"/drop")}, &r); code(err) != CodeHTTP2Stream+1+int(http2.ErrCodeInternal) {
		t.Errorf("dropped: %v, code %d", err, code(err))
	}
	if err := c.Do(&Request{URL: parsed(t, base+"/hang"), Timeout: 50 * time.Millisecond}, &r); code(err) != CodeTimeout || r.Times.Waiting < 40*time.Millisecond {
		t.Errorf("stalled: %v, times %+v", err, r.Times)
	}
	done := make(chan error)
	go func() {
		var r Response
		done <- c.Do(&Request{URL: parsed(t, base+"/hang")}, &r)
	}()
	for len(flying(c)) == 0 {
		runtime.Gosched()
	}
	c.Interrupt()
	if err := <-done; err != ErrInterrupted {
		t.Errorf("interrupted: %v", err)
	}
	c.Resume()
	if err := c.Do(&Request{URL: parsed(t, base)}, &r); err != nil || !r.Reused {
		t.Errorf("after all that: %v, reused %v", err, r.Reused)
	}
}

func flying(c *Client) []*flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flights
}

func TestDeadHTTP2ConnectionIsReplacedAndForgotten(t *testing.T) {
	base, _ := echoing(t, true)
	c := client(t, Config{TLS: trusting})
	for range 3 {
		var r Response
		if err := c.Do(&Request{URL: parsed(t, base)}, &r); err != nil || r.Reused {
			t.Fatalf("%v, reused %v", err, r.Reused)
		}
		if len(c.conns) != 1 {
			t.Fatalf("%d connections are remembered", len(c.conns))
		}
		h2 := c.conns[0].h2
		_ = c.conns[0].w.Conn.Close()
		for !h2.State().Closed { // its reader sees to that
			runtime.Gosched()
		}
	}
}

func TestInterruptReachesHandshakesAndLookups(t *testing.T) {
	reached := make(chan bool, 1)
	mute := server(t, func(c *net.TCPConn, _ int) {
		_, _ = c.Read(make([]byte, 1))
		reached <- true
		_, _ = io.Copy(io.Discard, c)
	})
	lookup := func(ctx context.Context, _ string) ([]netip.Addr, error) {
		reached <- true
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for _, u := range []string{strings.Replace(mute, "http", "https", 1), "http://a.test/"} {
		c := client(t, Config{DNS: DNS{Lookup: lookup}})
		done := make(chan error)
		go func() {
			var r Response
			done <- c.Do(&Request{URL: parsed(t, u), Timeout: time.Minute}, &r)
		}()
		<-reached
		c.Interrupt()
		if err := <-done; err != ErrInterrupted {
			t.Errorf("%s: %v", u, err)
		}
		c.Resume()
		var r Response
		if err := c.Do(&Request{URL: parsed(t, u), Timeout: 30 * time.Millisecond}, &r); code(err) != CodeTimeout {
			t.Errorf("%s, at its deadline: %v", u, err)
		}
		<-reached
	}
}

func TestHTTP2CanBeSwitchedOff(t *testing.T) {
	base, _ := echoing(t, true)
	var r Response
	if err := client(t, Config{TLS: trusting, DisableHTTP2: true}).Do(&Request{URL: parsed(t, base)}, &r); err != nil || r.Proto != "HTTP/1.1" {
		t.Errorf("%v, %s", err, r.Proto)
	}
}

func TestTLSConnectionIsKept(t *testing.T) {
	base, conns := echoing(t, false)
	c := client(t, Config{TLS: trusting})
	for i := range 3 {
		var r Response
		// POST looks at the connection each time, and finds the session tickets that TLS 1.3 sends.
		if err := c.Do(&Request{Method: "POST", URL: parsed(t, base)}, &r); err != nil || r.Reused != (i > 0) || r.Peer.TLS == nil {
			t.Fatalf("%v, reused %v", err, r.Reused)
		}
	}
	if conns.Load() != 1 {
		t.Errorf("%d connections", conns.Load())
	}
}

func TestNoConnectionReuseSaysSo(t *testing.T) {
	var said atomic.Value
	base := server(t, func(c *net.TCPConn, _ int) {
		each(c, func(r *http.Request, _ int) (string, bool) { said.Store(r.Close); return okay, true })
	})
	c := client(t, Config{NoConnectionReuse: true})
	for range 2 {
		var r Response
		if err := c.Do(&Request{URL: parsed(t, base)}, &r); err != nil || r.Reused || said.Load() != true {
			t.Errorf("%v, reused %v, said %v", err, r.Reused, said.Load())
		}
	}
}

func TestProxiesAreUsed(t *testing.T) {
	secure, _ := echoing(t, false)
	inClear := server(t, func(c *net.TCPConn, _ int) { each(c, always) })
	var log sync.Map
	proxyAddr := server(t, func(c *net.TCPConn, _ int) {
		each(c, func(r *http.Request, _ int) (string, bool) {
			log.Store(r.Method+" "+r.RequestURI+" "+r.Header.Get("Proxy-Authorization"), true)
			if r.Method != "CONNECT" {
				return okay, true
			}
			up, err := net.Dial("tcp", strings.TrimPrefix(secure, "https://"))
			if err != nil {
				return "HTTP/1.1 502 Bad Gateway\r\n\r\n", false
			}
			defer up.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 200 Established\r\n\r\n")
			go func() { _, _ = io.Copy(up, c); up.Close() }()
			_, _ = io.Copy(c, up)
			return "", false
		})
	})
	through := func(u string) Config {
		return Config{TLS: trusting, Proxy: func(*url.URL) (*url.URL, error) { return url.Parse(u) }}
	}
	withUser := strings.Replace(proxyAddr, "http://", "http://u:p@", 1)
	c := client(t, through(withUser))
	var r Response
	if err := c.Do(&Request{URL: parsed(t, "http://far.test/a?b")}, &r); err != nil || r.Status != 200 {
		t.Fatal(err)
	}
	if err := c.Do(&Request{URL: parsed(t, "http://further.test/")}, &r); err != nil || !r.Reused {
		t.Errorf("another host through the same proxy: %v, reused %v", err, r.Reused)
	}
	if err := c.Do(&Request{URL: parsed(t, "https://far.test/x")}, &r); err != nil || !strings.HasPrefix(string(r.Body), "GET far.test /x") || r.Peer.TLS == nil {
		t.Errorf("%v %q", err, r.Body)
	}
	for _, want := range []string{"GET http://far.test/a?b Basic dTpw", "CONNECT far.test:443 Basic dTpw"} {
		if _, ok := log.Load(want); !ok {
			t.Errorf("the proxy did not see %q", want)
		}
	}
	socks := server(t, func(c *net.TCPConn, _ int) { relay(c, inClear) })
	if err := client(t, through(strings.Replace(socks, "http", "socks5", 1))).Do(&Request{URL: parsed(t, "http://far.test:81/")}, &r); err != nil || string(r.Body) != "ok" {
		t.Errorf("socks: %v %q", err, r.Body)
	}
}

// relay is a SOCKS5 proxy that leads everyone to base.
func relay(c net.Conn, base string) {
	b := make([]byte, 300)
	_, _ = io.ReadFull(c, b[:2])
	_, _ = io.ReadFull(c, b[:b[1]])
	_, _ = c.Write([]byte{5, 0})
	_, _ = io.ReadFull(c, b[:5])
	_, _ = io.ReadFull(c, b[:int(b[4])+2])
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	up, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		return
	}
	defer up.Close()
	go func() { _, _ = io.Copy(up, c); up.Close() }()
	_, _ = io.Copy(c, up)
}

func TestNamesAreRememberedAndChosen(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("2.2.2.2")}
	for _, tt := range []struct {
		name    string
		dns     DNS
		want    string // of four lookups
		lookups int
	}{
		{"first, kept", DNS{TTL: time.Minute, Select: SelectFirst}, "1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1", 1},
		{"for ever", DNS{TTL: -1, Select: SelectRoundRobin}, "1.1.1.1 2.2.2.2 1.1.1.1 2.2.2.2", 1},
		{"in turn, not kept", DNS{Select: SelectRoundRobin}, "1.1.1.1 2.2.2.2 1.1.1.1 2.2.2.2", 4},
		{"only IPv6", DNS{Policy: OnlyIPv6, TTL: -1}, "::1 ::1 ::1 ::1", 1},
		{"any", DNS{Policy: AnyIP, Select: SelectFirst}, "::1 ::1 ::1 ::1", 4},
		{"rather IPv6", DNS{Policy: PreferIPv6}, "::1 ::1 ::1 ::1", 4},
	} {
		n := 0
		tt.dns.Lookup = func(context.Context, string) ([]netip.Addr, error) {
			n++
			return append([]netip.Addr(nil), addrs...), nil
		}
		r := resolver{cfg: tt.dns}
		var got []string
		for range 4 {
			a, err := r.resolve(context.Background(), "a.test")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, a.String())
		}
		if s := strings.Join(got, " "); s != tt.want || n != tt.lookups {
			t.Errorf("%s: %s after %d lookups, want %s after %d", tt.name, s, n, tt.want, tt.lookups)
		}
	}
}

func TestANameWithoutAllowedAddresses(t *testing.T) {
	r := resolver{cfg: DNS{Policy: OnlyIPv6, Lookup: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("1.1.1.1")}, nil
	}}}
	_, err := r.resolve(t.Context(), "a.test")
	if e := classify(err); err == nil || e.Code != CodeDefault || e.Message != "lookup a.test: no such host" {
		t.Errorf("%v, classed as %+v", err, e)
	}
}

func TestATimeoutIsOneInEveryPhase(t *testing.T) {
	silent := server(t, func(c *net.TCPConn, _ int) { _, _ = io.Copy(io.Discard, c) })
	for timeout := time.Nanosecond; timeout < 5*time.Millisecond; timeout = timeout*3/2 + 1 {
		var r Response
		if err := client(t, Config{}).Do(&Request{URL: parsed(t, silent), Timeout: timeout}, &r); code(err) != CodeTimeout {
			t.Errorf("%v: %d %v", timeout, code(err), err)
		}
	}
}

func TestErrorsAreThoseOfk6(t *testing.T) {
	closed, _ := net.Listen("tcp", "127.0.0.1:0")
	refused := "http://" + closed.Addr().String()
	closed.Close()
	secure, _ := echoing(t, false)
	inClear := httptest.NewServer(http.NotFoundHandler())
	defer inClear.Close()
	reset := server(t, func(c *net.TCPConn, _ int) {
		each(c, func(*http.Request, int) (string, bool) { _ = c.SetLinger(0); return "", false })
	})
	port := secure[strings.LastIndexByte(secure, ':'):]
	cfg := Config{Hosts: map[string]netip.AddrPort{"wrong.test": netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 0)}, BlockedHostnames: []string{"gone.test"},
		BlockedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for _, tt := range []struct {
		url, message string
		code         int
	}{
		{refused, "dial: connection refused", 1212},
		{"http://" + strings.Repeat("x", 64) + ".test/", "lookup: no such host", 1101},
		{"http://gone.test/", "hostname is blocked", 1111},
		{"http://10.1.1.1/", "ip is blacklisted", 1110},
		{reset, "read: connection reset by peer", 1220},
		{secure, "x509: unknown authority", 1310},
		{"https://wrong.test" + port, "x509: certificate doesn't match hostname", 1311},
		{strings.Replace(inClear.URL, "http", "https", 1), "tls: first record does not look like a TLS handshake", 1301},
		{"ftp://a.test/", `unsupported protocol scheme "ftp"`, 1000},
		{"", `unsupported protocol scheme ""`, 1000},
		{"http:///x", "http: no Host in request URL", 1000},
		{"http://127.0.0.1:99999/", "dial tcp: address 99999: invalid port", 1210},
	} {
		var r Response
		err := client(t, cfg).Do(&Request{URL: parsed(t, tt.url)}, &r)
		if code(err) != tt.code || err.Error() != tt.message {
			t.Errorf("%s: %d %q, want %d %q", tt.url, code(err), err, tt.code, tt.message)
		}
	}
}
