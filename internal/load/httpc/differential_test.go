package httpc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// outcome is what a client makes of the bytes that a server sent.
type outcome struct {
	Err        string // of the head
	BodyErr    string
	Status     int
	StatusText string
	Proto      string
	Header     string
	Body       string
	Trailer    string
}

// play answers each connection with the same bytes once it has read a request, and hangs up.
func play(c net.Conn, script string) {
	defer c.Close()
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, req.Body)
	_, _ = io.WriteString(c, script)
}

func pipe(serve func(net.Conn)) net.Conn {
	here, there := net.Pipe()
	go serve(there)
	return here
}

func askNetHTTP(method, script string) (o outcome) {
	tr := &http.Transport{DisableCompression: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return pipe(func(c net.Conn) { play(c, script) }), nil
	}}
	defer tr.CloseIdleConnections()
	req, _ := http.NewRequest(method, "http://a.test/", nil)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		o.Err = err.Error()
		return o
	}
	defer resp.Body.Close()
	o.Status, o.StatusText, o.Proto, o.Header = resp.StatusCode, resp.Status, resp.Proto, flat(resp.Header)
	if resp.StatusCode == 101 {
		return o
	}
	body, err := io.ReadAll(resp.Body)
	o.Body = string(body)
	if err != nil {
		o.BodyErr = err.Error()
	} else {
		o.Trailer = flat(resp.Trailer)
	}
	return o
}

// askUs asks twice, for the second answer may be known from the first. It must come out the same.
func askUs(method, script string) outcome {
	u, _ := ParseURL("http://a.test/")
	first, second := askOnce(u, method, script), askOnce(u, method, script)
	if first != second {
		second.Err += fmt.Sprintf(" (at first it was %+v)", first)
	}
	return second
}

func askOnce(u *URL, method, script string) (o outcome) {
	s := NewShared(Config{})
	s.connect = func(context.Context, string, *Times) (net.Conn, error) {
		return pipe(func(c net.Conn) { play(c, script) }), nil
	}
	c := s.NewClient()
	defer c.Close()
	var r Response
	err := c.Do(&Request{Method: method, URL: u, Timeout: 10 * time.Second}, &r)
	if err != nil && r.Proto == "" {
		o.Err = err.Error()
		return o
	}
	o.Status, o.StatusText, o.Proto, o.Header, o.Body = r.Status, r.StatusText, r.Proto, flat(collect(r.Header)), string(r.Body)
	if err != nil {
		o.BodyErr = err.Error()
	} else if r.Trailer != nil {
		o.Trailer = flat(collect(*r.Trailer))
	}
	return o
}

func collect(h Header) http.Header {
	out := http.Header{}
	for k, v := range h.Each() {
		out[k] = append(out[k], v)
	}
	return out
}

func flat(h http.Header) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(h)) {
		if h[k] != nil {
			fmt.Fprintf(&b, "%s: %q\n", k, h[k])
		}
	}
	return b.String()
}

// scripts reads testdata/responses.txt: name, method and quoted bytes in each line.
func scripts(t testing.TB) (all [][3]string) {
	b, err := os.ReadFile("testdata/responses.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSpace(line), " | ", 3)
		if len(parts) != 3 || line[0] == '#' {
			continue
		}
		script, err := strconv.Unquote(parts[2])
		if err != nil {
			t.Fatalf("%s: %v", parts[0], err)
		}
		all = append(all, [3]string{parts[0], parts[1], script})
	}
	return all
}

// wantMore are shapes too long for a line of the corpus.
func wantMore() [][3]string {
	line := "X-L: " + strings.Repeat("v", 1000) + "\r\n"
	return [][3]string{
		{"head of 100 kB", "GET", "HTTP/1.1 200 OK\r\n" + strings.Repeat(line, 100) + "Content-Length: 2\r\n\r\nok"},
		{"head above the limit", "GET", "HTTP/1.1 200 OK\r\n" + strings.Repeat(line, 11000) + "\r\n"},
		{"body of 3 MB", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + strings.Repeat("0123456789", 300000)},
		{"body of 3 MB until the end", "GET", "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("0123456789", 300000)},
		{"body of 3 MB cut", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3000001\r\n\r\n" + strings.Repeat("0123456789", 300000)},
		{"many chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("a\r\n0123456789\r\n", 30000) + "0\r\n\r\n"},
		{"chunks of a byte", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 30000) + "0\r\n\r\n"},
		{"long extensions", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+strings.Repeat("e", 1000)+"\r\nx\r\n", 100) + "0\r\n\r\n"},
		{"chunk line too long", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("e", 5000) + "\r\nx\r\n0\r\n\r\n"},
		{"long trailer", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: " + strings.Repeat("e", 9000) + "\r\n\r\n"},
		{"many informational heads", "GET", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 1000) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	}
}

func TestSameAsNetHTTP(t *testing.T) {
	for _, s := range append(scripts(t), wantMore()...) {
		t.Run(s[0], func(t *testing.T) { compare(t, s[1], s[2]) })
	}
}

func compare(t *testing.T, method, script string) {
	want, got := askNetHTTP(method, script), askUs(method, script)
	if got != want {
		t.Errorf("%s answered with %.300q:\nnet/http %+.600v\nhere     %+.600v", method, script, want, got)
	}
}

func FuzzResponseAgainstNetHTTP(f *testing.F) {
	methods := []string{"GET", "HEAD", "POST", "OPTIONS"}
	for _, s := range scripts(f) {
		f.Add(uint8(slices.Index(methods, s[1])), s[2])
	}
	f.Fuzz(func(t *testing.T, m uint8, script string) {
		method := methods[int(m)%len(methods)]
		want, got := askNetHTTP(method, script), askUs(method, script)
		if odd(want, got) {
			t.Skip()
		}
		if got != want {
			t.Errorf("%s answered with %q:\nnet/http %+v\nhere     %+v", method, script, want, got)
		}
	})
}

// odd holds the shapes in which only the words of a refusal differ: both refuse the message at the same place.
func odd(want, got outcome) bool {
	want.Err, want.BodyErr, got.Err, got.BodyErr = was(want.Err), was(want.BodyErr), was(got.Err), was(got.BodyErr)
	return want == got
}

func was(err string) string {
	if err == "" {
		return ""
	}
	return "refused"
}
