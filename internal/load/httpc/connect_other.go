//go:build !linux

package httpc

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// connectTCP is net.Dialer's way.
func connectTCP(ctx context.Context, timeout time.Duration, local, target netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}
	nc, err := d.DialTCP(ctx, "tcp", local, target)
	if err != nil {
		return nil, err
	}
	return nc, nil
}
