package httpc

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// connectTCP makes a TCP connection, from local if that is valid, as net.Dialer does: no delay, and keep-alive probes
// every 30 seconds. It ends early with ctx. Errors are those of net.Dialer. It needs a third of net.Dialer's stack, for at
// the start of a run thousands may wait in it at once.
func connectTCP(ctx context.Context, timeout time.Duration, local, target netip.AddrPort) (net.Conn, error) {
	refuse := func(err error) error {
		op := &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(target), Err: err}
		if local.IsValid() {
			op.Source = net.TCPAddrFromAddrPort(local)
		}
		return op
	}
	deadline := time.Now().Add(timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	family := unix.AF_INET
	if target.Addr().Is6() && !target.Addr().Is4In6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, refuse(os.NewSyscallError("socket", err))
	}
	if local.IsValid() {
		if err := unix.Bind(fd, sockaddr(family, local)); err != nil {
			_ = unix.Close(fd)
			return nil, refuse(os.NewSyscallError("bind", err))
		}
	}
	pending := unix.Connect(fd, sockaddr(family, target))
	f := os.NewFile(uintptr(fd), "tcp")
	defer f.Close()
	switch pending {
	case nil, unix.EISCONN:
	case unix.EINPROGRESS, unix.EALREADY, unix.EINTR:
		if err := connected(ctx, f, deadline); err != nil {
			return nil, refuse(err)
		}
	default:
		return nil, refuse(os.NewSyscallError("connect", pending))
	}
	nc, err := net.FileConn(f)
	if err != nil {
		return nil, refuse(err)
	}
	tc := nc.(*net.TCPConn)
	_ = tc.SetNoDelay(true) // the socket lives: neither can fail
	_ = tc.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 15 * time.Second, Count: 9})
	return tc, nil
}

// connected waits until f's connection stands.
func connected(ctx context.Context, f *os.File, deadline time.Time) error {
	if err := f.SetWriteDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(past()) })
	defer stop()
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	outcome := 0
	// The state itself is asked first, not whether it has changed: preparing to wait forgets a change that has been seen.
	err = rc.Write(func(fd uintptr) bool {
		if n, gerr := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); gerr != nil || n != 0 {
			outcome = max(n, 1)
			return true
		}
		_, gerr := unix.Getpeername(int(fd))
		return gerr == nil
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return os.ErrDeadlineExceeded
	case outcome != 0:
		return os.NewSyscallError("connect", syscall.Errno(outcome))
	}
	return nil
}

func sockaddr(family int, ap netip.AddrPort) unix.Sockaddr {
	a := ap.Addr()
	if family == unix.AF_INET {
		return &unix.SockaddrInet4{Port: int(ap.Port()), Addr: a.Unmap().As4()}
	}
	sa := &unix.SockaddrInet6{Port: int(ap.Port()), Addr: a.As16()}
	if zone := a.Zone(); zone != "" {
		if ifi, err := net.InterfaceByName(zone); err == nil {
			sa.ZoneId = uint32(ifi.Index)
		}
	}
	return sa
}
