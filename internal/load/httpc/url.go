package httpc

import (
	"net"
	"net/url"
	"strings"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/idna"
)

// URL is an address in the form an exchange needs. It is made once and may be shared by many requests and goroutines.
type URL struct {
	Scheme   string // lower case
	Host     string // authority as it goes into the Host field: name in ASCII form, port if one was written
	Hostname string // name or address without brackets, in ASCII form
	Port     string // the written port, or the scheme's own
	// RequestURI is path and query as they are sent.
	RequestURI string
	User       *url.Userinfo // nil if none; never sent by this package

	addr  string // host:port to dial
	full  url.URL
	route atomic.Pointer[route]
	head  atomic.Pointer[knownHead] // what it was answered with of late
	bad   error                     // why no exchange can be made with it
}

// String returns the URL as net/url writes it, user information and fragment included.
func (u *URL) String() string { return u.full.String() }

// ParseURL accepts what net/url accepts and returns its errors. What cannot be asked for (an unknown scheme, no host)
// is told by Do.
func ParseURL(s string) (*URL, error) {
	p, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	return FromURL(p), nil
}

// FromURL is ParseURL for what is parsed already.
func FromURL(p *url.URL) *URL {
	u := &URL{Scheme: p.Scheme, Hostname: p.Hostname(), Port: p.Port(), RequestURI: p.RequestURI(), User: p.User, full: *p}
	if u.Scheme != "http" && u.Scheme != "https" {
		u.bad = plain("unsupported protocol scheme " + quote(u.Scheme))
		return u
	}
	if p.Host == "" {
		u.bad = plain("http: no Host in request URL")
		return u
	}
	if u.Port == "" {
		u.Port = "80"
		if u.Scheme == "https" {
			u.Port = "443"
		}
	}
	if ascii, err := idna.Lookup.ToASCII(u.Hostname); !isASCII(u.Hostname) && err == nil {
		u.Hostname = ascii
	}
	u.addr = net.JoinHostPort(u.Hostname, u.Port)
	if u.Host, u.bad = hostField(p.Host); u.bad != nil {
		return u
	}
	if hasControl(u.RequestURI) {
		u.bad = plain("net/http: can't write control character in Request.URL")
	}
	return u
}

// hostField is what net/http would send as Host: ASCII, without an IPv6 zone, empty if it could not stand in a field.
func hostField(h string) (string, error) {
	if !isASCII(h) {
		var err error
		if h, err = httpguts.PunycodeHostPort(h); err != nil {
			return "", err
		}
	}
	if !httpguts.ValidHostHeader(h) {
		return "", nil
	}
	if strings.HasPrefix(h, "[") {
		if end := strings.LastIndexByte(h, ']'); end > 0 {
			if zone := strings.LastIndexByte(h[:end], '%'); zone > 0 {
				h = h[:zone] + h[end:]
			}
		}
	}
	return h, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
