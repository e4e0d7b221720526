package node

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// How many handshakes a node makes at once, how long one may take, and how long it waits for its turn. A leader opens a connection to
// every node when a run begins, and each costs both ends a millisecond or more: a thousand at once would hold up the beats
// that it has to answer, and then each other until none is in time. Who has waited long enough goes on anyway: peers that hang in
// their handshakes must not keep a node from those that do not.
const (
	maxHandshakes = 16
	handshakeTime = 5 * time.Second
	handshakeTurn = time.Second
)

// dialTLS returns what opens connections with config.
func dialTLS(dialer *net.Dialer, config *tls.Config) func(ctx context.Context, network, address string) (net.Conn, error) {
	turns := make(chan struct{}, maxHandshakes)
	config = config.Clone()
	config.NextProtos = []string{"h2", "http/1.1"}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		plain, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		own := config
		if host, _, err := net.SplitHostPort(address); err == nil && config.ServerName == "" {
			own = config.Clone()
			own.ServerName = host
		}
		conn := tls.Client(plain, own)
		if err := handshake(ctx, conn, turns); err != nil {
			_ = plain.Close()
			return nil, err
		}
		return conn, nil
	}
}

func handshake(ctx context.Context, conn *tls.Conn, turns chan struct{}) error {
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-time.After(handshakeTurn):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	return conn.HandshakeContext(ctx)
}
