package httpc

import (
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/proxy"
)

// conn is a connection that can carry exchanges: one at a time, or many over HTTP/2.
type conn struct {
	s    *Shared
	to   *route
	w    wire
	rw   net.Conn // w, or TLS on top of it
	peer *Peer
	h2   *http2.ClientConn // nil: HTTP/1.1
	x    exchange          // over HTTP/1.1 there is one at a time; here it need not be allocated

	// Guarded by the Client's mutex.
	busy      bool
	idleSince moment
	reuses    int   // how often it was taken out of the pool
	rested    bool  // it was idle for a while before the present exchange
	promised  bool  // the last answer said Connection: keep-alive, which HTTP/1.1 servers need not say
	unknown   uint8 // answers in a row whose head was not the one that its URL is known for
}

// prepare does everything between TCP and the first request: proxies and TLS.
func (c *Client) prepare(cn *conn, t *Times) error {
	to := cn.to
	if to.proxy != nil {
		if err := cn.throughProxy(t); err != nil {
			return err
		}
	}
	if !to.tls {
		return nil
	}
	tc, err := cn.secure(to.name, c.s.protocols(), t)
	if err != nil {
		return err
	}
	state := tc.ConnectionState()
	cn.peer.TLS = &state
	return nil
}

// throughProxy makes cn lead to the server as if there were no proxy, unless the proxy wants to see each request.
func (cn *conn) throughProxy(t *Times) error {
	to := cn.to
	switch to.proxy.Scheme {
	case "socks5", "socks5h":
		return cn.socks()
	case "https":
		var proxied Times
		if _, err := cn.secure(to.proxy.Hostname(), nil, &proxied); err != nil {
			return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err}
		}
	}
	if !to.tls {
		return nil
	}
	return cn.tunnel()
}

// tunnel asks an HTTP proxy for a connection to the server (RFC 9110, 9.3.6).
func (cn *conn) tunnel() error {
	ask := "CONNECT " + cn.to.addr + " HTTP/1.1\r\nHost: " + cn.to.addr + "\r\n"
	if cn.to.proxyAuth != "" {
		ask += "Proxy-Authorization: " + cn.to.proxyAuth + "\r\n"
	}
	if _, err := io.WriteString(cn.rw, ask+"\r\n"); err != nil {
		return err
	}
	b := cn.s.take()
	defer cn.s.give(b)
	var resp Response
	h := head{limit: maxHead}
	if err := h.read(b, cn.rw, &resp, "CONNECT"); err != nil {
		return err
	}
	if resp.Status != 200 {
		if len(resp.StatusText) <= 4 {
			return plain("unknown status code")
		}
		return plain(resp.StatusText[4:])
	}
	return nil
}

// socks asks a SOCKS5 proxy (RFC 1928) for a connection to the server.
func (cn *conn) socks() error {
	var auth *proxy.Auth
	if u := cn.to.proxy.User; u != nil {
		password, _ := u.Password()
		auth = &proxy.Auth{User: u.Username(), Password: password}
	}
	d, err := proxy.SOCKS5("tcp", cn.to.proxyAddr, auth, ready{cn})
	if err != nil {
		return err
	}
	_, err = d.Dial("tcp", cn.to.addr)
	return err
}

// ready is a dialer that has dialled already.
type ready struct{ cn *conn }

func (r ready) Dial(string, string) (net.Conn, error) { return &r.cn.w, nil }

// settle decides between HTTP/1.1 and HTTP/2 once the handshake is over.
func (c *Client) settle(cn *conn) (*conn, error) {
	if cn.peer.TLS == nil || cn.peer.TLS.NegotiatedProtocol != "h2" {
		return cn, nil
	}
	return c.upgrade(cn)
}

// restAfter is how long a connection must have been idle for its server to have closed it for that reason: no server
// that keeps connections keeps them for less.
const restAfter = 100 * time.Millisecond

// alwaysLook is for how many of its first reuses a connection is looked at however short it was idle. A server that
// closes after an answer without saying so does it after the first.
const alwaysLook = 3

// alive tells whether the server has closed an idle connection or sent something nobody asked for. A connection that is
// in steady use is not asked, since that takes as long as a tenth of a small exchange, unless the request must not fail.
func (cn *conn) alive(now time.Time, replayable bool) bool {
	cn.rested = cn.s.moment(now)-cn.idleSince >= moment(restAfter)
	cn.reuses++
	if replayable && !cn.rested && cn.reuses > alwaysLook {
		return true
	}
	return cn.quiet()
}

// idle says that nobody uses the connection. The Client's mutex is held.
func (cn *conn) idle() bool {
	if cn.h2 != nil {
		st := cn.h2.State()
		return st.StreamsActive == 0 && st.StreamsReserved == 0
	}
	return !cn.busy
}

func (cn *conn) close() {
	if cn.h2 != nil {
		_ = cn.h2.Close()
	}
	// Not through TLS: its farewell could wait for a peer that does not read.
	_ = cn.w.Conn.Close()
}
