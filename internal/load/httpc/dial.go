package httpc

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// route is where the connections for a URL lead.
type route struct {
	s          *Shared
	key        string // connections with the same key serve the same requests
	tls        bool
	addr, name string // the server: host:port, and the name that its certificate must hold
	proxy      *url.URL
	proxyAddr  string
	proxyAuth  string
}

// routeOf remembers the answer in the URL: choosing a proxy is too slow for each request.
func (s *Shared) routeOf(u *URL) (*route, error) {
	if r := u.route.Load(); r != nil && r.s == s {
		return r, nil
	}
	r := &route{s: s, tls: u.Scheme == "https", addr: u.addr, name: u.Hostname, key: u.Scheme + " " + u.addr}
	if s.cfg.Proxy != nil {
		p, err := s.cfg.Proxy(&u.full)
		if err != nil {
			return nil, err
		}
		if p != nil {
			r.through(p)
		}
	}
	u.route.Store(r)
	return r, nil
}

// through leads by way of a proxy. A scheme that is not known is taken for http, as net/http takes it.
func (r *route) through(p *url.URL) {
	port := p.Port()
	switch {
	case port != "":
	case p.Scheme == "https":
		port = "443"
	case p.Scheme == "socks5" || p.Scheme == "socks5h":
		port = "1080"
	default:
		port = "80"
	}
	r.proxy, r.proxyAddr, r.proxyAuth = p, net.JoinHostPort(p.Hostname(), port), basicAuth(p.User)
	if r.absolute() {
		r.key = "proxied " + p.String() // one connection to a proxy serves all hosts
	} else {
		r.key += " " + p.String()
	}
}

// absolute says that requests go to a proxy with their whole URL.
func (r *route) absolute() bool {
	return r.proxy != nil && !r.tls && r.proxy.Scheme != "socks5" && r.proxy.Scheme != "socks5h"
}

// dialApart is dial on a goroutine of its own: it needs a deep stack, a goroutine keeps its stack for long, and thousands
// of virtual users would each keep one.
func (c *Client) dialApart(to *route, deadline time.Time, t *Times) (cn *conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		cn, err = c.dial(to, deadline, t)
	}()
	<-done
	return cn, err
}

// dial makes a connection that is ready for a request and marked as busy.
func (c *Client) dial(to *route, deadline time.Time, t *Times) (*conn, error) {
	cn, err := c.connect(to, deadline, t)
	if err != nil {
		return nil, c.because(err)
	}
	if err := c.prepare(cn, t); err != nil {
		c.drop(cn)
		return nil, c.because(err)
	}
	return c.settle(cn)
}

// because prefers the reason why work was cut off over how that looked from inside.
func (c *Client) because(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted {
		return ErrInterrupted
	}
	return err
}

// connect makes the TCP connection.
func (c *Client) connect(to *route, deadline time.Time, t *Times) (*conn, error) {
	ctx, end, err := c.begin(time.Time{})
	if err != nil {
		return nil, err
	}
	defer end()
	addr := to.addr
	if to.proxy != nil {
		addr = to.proxyAddr
	}
	nc, err := c.s.connect(until{ctx, deadline}, addr, t)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		} else if !deadline.IsZero() && !time.Now().Before(deadline) {
			err = errTimedOut
		}
		if to.proxy != nil && cause(err) {
			err = &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err}
		}
		return nil, err
	}
	cn := &conn{s: c.s, to: to, busy: true, peer: new(Peer)}
	cn.w = wire{Conn: nc, s: c.s, sent: &c.sent, received: &c.received}
	cn.w.until(deadline)
	cn.rw = &cn.w
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		cn.peer.Addr = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	if err := c.enlist(cn); err != nil {
		nc.Close()
		return nil, err
	}
	return cn, nil
}

// until is a context that tells of a deadline and does not end with it: whoever connects sets it on the socket. A timer for
// each connection that is made would stay in the runtime's lists for the length of a timeout.
type until struct {
	context.Context
	deadline time.Time
}

// Deadline implements context.Context.
func (u until) Deadline() (time.Time, bool) { return u.deadline, !u.deadline.IsZero() }

// cause reports whether err is the network's own, not our deadline or an interruption.
func cause(err error) bool {
	return !errors.Is(err, ErrInterrupted) && !errors.Is(err, errTimedOut)
}

// dialTCP looks the name up, applies what is blocked and led elsewhere, and connects.
func (s *Shared) dialTCP(ctx context.Context, addr string, t *Times) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	target, err := s.target(ctx, host, port)
	connect := time.Now()
	if err != nil {
		return nil, err
	}
	var local netip.AddrPort
	if s.cfg.LocalAddr != nil {
		if ip := s.cfg.LocalAddr(); ip.IsValid() {
			local = netip.AddrPortFrom(ip, 0)
		}
	}
	nc, err := connectTCP(ctx, s.cfg.DialTimeout, local, target)
	if err != nil {
		if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) && errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, errTimedOut // it is the exchange that had no more time
		}
		return nil, err
	}
	t.Connecting = time.Since(connect)
	return nc, nil
}

// target is the address that a name and a port lead to.
func (s *Shared) target(ctx context.Context, host, port string) (netip.AddrPort, error) {
	lower := strings.ToLower(host)
	for _, p := range s.cfg.BlockedHostnames {
		if matches(p, lower) {
			return netip.AddrPort{}, &blockedHost{host, p}
		}
	}
	n, err := lookupPort(ctx, port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	to, ok := s.led(lower, port)
	if !ok {
		if d, ok := ctx.Deadline(); ok {
			var stop context.CancelFunc
			ctx, stop = context.WithDeadlineCause(ctx, d, errTimedOut)
			defer stop()
		}
		ip, err := s.dns.resolve(ctx, lower)
		if err != nil {
			return netip.AddrPort{}, err
		}
		to = netip.AddrPortFrom(ip, n)
	} else if to.Port() == 0 {
		to = netip.AddrPortFrom(to.Addr(), n)
	}
	ip := to.Addr().Unmap()
	for _, p := range s.cfg.BlockedIPs {
		if p.Contains(ip.WithZone("")) || p.Contains(to.Addr().WithZone("")) {
			return netip.AddrPort{}, &blockedIP{ip, p}
		}
	}
	return netip.AddrPortFrom(to.Addr(), to.Port()), nil
}

func lookupPort(ctx context.Context, port string) (uint16, error) {
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		return uint16(n), nil
	}
	n, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		err = &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	return uint16(n), err
}

// led finds an entry of Hosts: name with port, name, then the same for wildcards, the longest first.
func (s *Shared) led(host, port string) (netip.AddrPort, bool) {
	if len(s.hosts) == 0 {
		return netip.AddrPort{}, false
	}
	for name := host; ; {
		if to, ok := s.hosts[net.JoinHostPort(name, port)]; ok {
			return to, true
		}
		if to, ok := s.hosts[name]; ok {
			return to, true
		}
		_, rest, ok := strings.Cut(strings.TrimPrefix(name, "*."), ".")
		if !ok {
			return netip.AddrPort{}, false
		}
		name = "*." + rest
	}
}

// matches tells whether a host (in lower case) is "name" or under "*.name".
func matches(pattern, host string) bool {
	if rest, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(host, rest)
	}
	return pattern == host
}

// secure puts TLS on top of what cn is so far.
func (cn *conn) secure(name string, protocols []string, t *Times) (*tls.Conn, error) {
	cfg := &tls.Config{}
	if base := cn.s.cfg.TLS; base != nil {
		cfg = base.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = name
	}
	cfg.NextProtos = protocols
	tc := tls.Client(cn.rw, cfg)
	begun := time.Now()
	if err := tc.Handshake(); err != nil {
		return nil, err
	}
	t.TLSHandshaking += time.Since(begun)
	cn.rw = tc
	return tc, nil
}

// protocols is what is offered to a server.
func (s *Shared) protocols() []string {
	if s.cfg.DisableHTTP2 {
		return []string{"http/1.1"}
	}
	return []string{"h2", "http/1.1"}
}
