package trust

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"
)

// PinnedTLS is for somebody who has only a token: it accepts a server at host (an IP address or a DNS name, no port) whose
// chain holds the authority with this pin, and whose own certificate that authority signed, for a node, for that host, and
// for this time. now nil means time.Now.
//
// The host is an argument because crypto/tls tells VerifyConnection no host that is an IP address.
func PinnedTLS(pin, host string, now func() time.Time) *tls.Config {
	if now == nil {
		now = time.Now
	}
	host = bare(host)
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		Time:       now,
		ServerName: host,
		// Not insecure: what crypto/tls would check against the system's authorities, VerifyConnection checks against the pin.
		InsecureSkipVerify: true,
		VerifyConnection:   func(cs tls.ConnectionState) error { return verifyPinned(cs, pin, host, now()) },
	}
}

func verifyPinned(cs tls.ConnectionState, pin, host string, now time.Time) error {
	if len(cs.PeerCertificates) == 0 || host == "" {
		return errors.New("the server shows no certificate")
	}
	leaf, rest := cs.PeerCertificates[0], cs.PeerCertificates[1:]
	i := slices.IndexFunc(rest, func(c *x509.Certificate) bool { return isAuthority(c) && pinOf(c) == pin })
	if i < 0 {
		return otherGrid{fmt.Errorf("the server at %s is not of the grid that the token is for: it shows no authority with the token's pin %.12s", host, pin)}
	}
	if err := verifyLeaf(leaf, rest[i], host, now); err != nil {
		return fmt.Errorf("the server at %s: %w", host, err)
	}
	return nil
}

// otherGrid is the error of who has found a server of another grid.
type otherGrid struct{ error }

// Hopeless says that asking again is of no use.
func (otherGrid) Hopeless() bool { return true }

// PinnedTransport makes requests to the nodes of one grid: over TLS alone, HTTP/2 where it can, through no proxy.
func PinnedTransport(pin string, now func() time.Time) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	return &http.Transport{
		ForceAttemptHTTP2:      true,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("a token travels over https alone")
		},
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialPinned(ctx, dialer, network, address, pin, now)
		},
	}
}

const dialTimeout = 10 * time.Second

func dialPinned(ctx context.Context, dialer *net.Dialer, network, address, pin string, now func() time.Time) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	raw, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	cfg := PinnedTLS(pin, host, now)
	cfg.NextProtos = []string{"h2", "http/1.1"}
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}
