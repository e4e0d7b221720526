package httpc

import (
	"bytes"
	"encoding/base64"
	"net/textproto"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Field is one header field.
type Field struct{ Name, Value string }

// Request is one request. It may be sent again, also by several goroutines at once, as long as nobody changes it.
type Request struct {
	Method string // "" means GET
	URL    *URL
	// Host overrides the Host field; "" means the first Host in Header, else that of URL.
	Host string
	// Header is sent in this order with canonical names. Content-Length, Transfer-Encoding and Trailer are left out:
	// Body decides. Only the first User-Agent is sent, and none if it is empty; without one, none is added.
	Header []Field
	Body   []byte // nil: none
	// Deadline and Timeout (counted from Do) end the exchange with code 1050; the earlier one holds, zero means none.
	Deadline time.Time
	Timeout  time.Duration
	// Discard counts the bytes of the response's body and keeps none.
	Discard bool
	// Close asks the server to close the connection after this exchange.
	Close bool

	head  []byte // set by Prepare
	whole []byte // head and its end, where nothing else is to be sent
}

// Prepare builds the head once, for a Request that is sent many times. Changes of Method, URL, Host or Header after it
// are not seen until it is called again; Body may change. The error is the one that Do would return.
func (r *Request) Prepare() error {
	r.head, r.whole = nil, nil
	if r.URL.bad != nil {
		return failure(r.URL.bad)
	}
	h, err := r.appendHead(nil, false)
	if err != nil {
		return failure(err)
	}
	r.head = h
	if !r.framed() {
		r.whole = append(h, "\r\n"...)
	}
	return nil
}

// framed says that a Content-Length goes with the request.
func (r *Request) framed() bool {
	return len(r.Body) > 0 || r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH"
}

// complete is the message if it need not be put together.
func (r *Request) complete(to *route, closing bool) []byte {
	if r.Body != nil || closing || to.absolute() {
		return nil
	}
	return r.whole
}

// appendMessage appends head and, if it is small, body. rest is the part of the body that is not in.
func (r *Request) appendMessage(b []byte, to *route, closing bool) (msg, rest []byte, err error) {
	if r.head != nil && !to.absolute() {
		b = append(b, r.head...)
	} else if b, err = r.appendHead(b, to.absolute()); err != nil {
		return b, nil, err
	}
	if r.framed() {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(r.Body)), 10)
		b = append(b, "\r\n"...)
	}
	if to.proxyAuth != "" && to.absolute() {
		b = append(b, "Proxy-Authorization: "...)
		b = append(b, to.proxyAuth...)
		b = append(b, "\r\n"...)
	}
	if closing && !r.asksClose() {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "\r\n"...)
	if len(r.Body) > inlineBody {
		return b, r.Body, nil
	}
	return append(b, r.Body...), nil, nil
}

// inlineBody is the largest body that is copied behind the head to be sent with one write.
const inlineBody = 32 << 10

// appendHead appends request line and fields, without those that appendMessage adds and without the empty line.
func (r *Request) appendHead(b []byte, absolute bool) ([]byte, error) {
	host := r.URL.Host
	if h := r.hostOverride(); h != "" {
		var err error
		if host, err = hostField(h); err != nil {
			return b, err
		}
	}
	method := r.Method
	if method == "" {
		method = "GET"
	} else if !token(method) {
		return b, plain("net/http: invalid method " + quote(method))
	}
	b = append(b, method...)
	b = append(b, ' ')
	if absolute && r.URL.full.Opaque == "" {
		if host == "" {
			return b, plain("http: invalid Host header")
		}
		b = append(b, r.URL.Scheme...)
		b = append(b, "://"...)
		b = append(b, host...)
	}
	b = append(b, r.URL.RequestURI...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\n"...)
	agent := false
	for _, f := range r.Header {
		if !token(f.Name) {
			return b, plain("net/http: invalid header field name " + quote(f.Name))
		}
		if !httpguts.ValidHeaderFieldValue(f.Value) {
			return b, plain("net/http: invalid header field value for " + quote(textproto.CanonicalMIMEHeaderKey(f.Name)))
		}
		value := textproto.TrimString(f.Value)
		switch special(f.Name) {
		case isHost, isContentLength, isTransferEncoding, isTrailer:
			continue
		case isUserAgent:
			if agent || value == "" {
				agent = true
				continue
			}
			agent = true
		}
		b = appendCanonical(b, f.Name)
		b = append(b, ": "...)
		b = append(b, value...)
		b = append(b, "\r\n"...)
	}
	return b, nil
}

func (r *Request) hostOverride() string {
	if r.Host != "" {
		return r.Host
	}
	for i := range r.Header {
		if special(r.Header[i].Name) == isHost {
			return r.Header[i].Value
		}
	}
	return ""
}

// asksClose reports whether the request itself holds Connection: close.
func (r *Request) asksClose() bool {
	for i := range r.Header {
		if special(r.Header[i].Name) == isConnection && hasToken(r.Header[i].Value, "close") {
			return true
		}
	}
	return false
}

// replayable is net/http's rule for what may be sent again after a kept connection turned out to be dead.
func (r *Request) replayable() bool {
	switch r.Method {
	case "", "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	for i := range r.Header {
		switch len(r.Header[i].Name) {
		case len("Idempotency-Key"), len("X-Idempotency-Key"):
			if n := textproto.CanonicalMIMEHeaderKey(r.Header[i].Name); n == "Idempotency-Key" || n == "X-Idempotency-Key" {
				return true
			}
		}
	}
	return false
}

// basicAuth is the value of (Proxy-)Authorization for u, "" for none.
func basicAuth(u *url.Userinfo) string {
	if u == nil {
		return ""
	}
	password, _ := u.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password))
}

// The fields that an exchange itself must understand.
const (
	ordinary uint8 = iota
	isHost
	isConnection
	isContentLength
	isTransferEncoding
	isTrailer
	isUserAgent
	isPragma
	isCacheControl
	isSetCookie
	isContentEncoding
)

// special tells which of them a name is, whatever its case.
func special[T string | []byte](name T) uint8 {
	switch len(name) {
	case 4:
		return when(name, "host", isHost)
	case 6:
		return when(name, "pragma", isPragma)
	case 7:
		return when(name, "trailer", isTrailer)
	case 10:
		if name[0]|0x20 == 'u' {
			return when(name, "user-agent", isUserAgent)
		}
		if name[0]|0x20 == 's' {
			return when(name, "set-cookie", isSetCookie)
		}
		return when(name, "connection", isConnection)
	case 13:
		return when(name, "cache-control", isCacheControl)
	case 14:
		return when(name, "content-length", isContentLength)
	case 16:
		return when(name, "content-encoding", isContentEncoding)
	case 17:
		return when(name, "transfer-encoding", isTransferEncoding)
	}
	return ordinary
}

func when[T string | []byte](name T, lower string, kind uint8) uint8 {
	if equalFold(name, lower) {
		return kind
	}
	return ordinary
}

// equalFold compares ASCII letters whatever their case; lower is in lower case.
func equalFold[T string | []byte](s T, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// appendCanonical appends a valid field name as net/http writes it.
func appendCanonical[T string | []byte](b []byte, name T) []byte {
	upper := true
	for i := range len(name) {
		c := name[i]
		if upper && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		} else if !upper && 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
		upper = c == '-'
	}
	return b
}

// tokenBytes are the bytes of a token (RFC 9110, 5.6.2).
var tokenBytes = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

func token[T string | []byte](s T) bool {
	for i := range len(s) {
		if !tokenBytes[s[i]] {
			return false
		}
	}
	return len(s) > 0
}

// hasToken reports whether a comma-separated value holds the token (in lower case).
func hasToken[T string | []byte](value T, lower string) bool {
	for rest := []byte(value); len(rest) > 0; {
		var one []byte
		one, rest, _ = bytes.Cut(rest, []byte{','})
		if equalFold(bytes.Trim(one, " \t"), lower) {
			return true
		}
	}
	return false
}
