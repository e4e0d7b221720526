package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"time"

	"throng/internal/fault"
)

// takeOver is how long a node waits for the directory and the ports of one that is about to end: the process before it, say, to which
// somebody has just sent SIGTERM, and which gives its parts away in giveAwayIn and leaves in stopIn.
const takeOver = giveAwayIn + 2*stopIn

// errInUse reports that another process has what is this node's.
var errInUse = errors.New("in use")

// whenFree takes what another process may have until now, once it lets go, and gives up at until.
func whenFree(ctx context.Context, log *slog.Logger, until time.Time, take func() error) error {
	told := false
	for {
		err := take()
		taken := errors.Is(err, errInUse) || errors.Is(err, syscall.EADDRINUSE)
		if !taken || ctx.Err() != nil || time.Now().After(until) {
			return err
		}
		if !told {
			told = true
			log.Info(fmt.Sprintf("%v; waiting %v for it to end", err, time.Until(until).Round(time.Second)))
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// inUse is the error of lock where another process has the directory.
func inUse(dir string) error {
	return fault.New(fault.InvalidConfig, fmt.Errorf("the data directory %s is %w by another process: every node needs one of its own", dir, errInUse))
}

// tryServerURL listens where the node's member will, for a moment: the member is started when the grid needs it, and what is wrong is to
// be said now. A node that votes on nothing yet may come back all the same.
func (n *Node) tryServerURL(ctx context.Context) error {
	if n.o.foreign() || n.o.NoServer {
		return nil
	}
	if n.memory != nil {
		if member, _ := n.memory.member(); member == "" {
			return nil
		}
	}
	address, err := bindTo(ctx, n.o.ServerURL)
	if err != nil {
		return fault.New(fault.InvalidConfig, fmt.Errorf("--server-urls: %w", err))
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fault.New(fault.InvalidConfig, fmt.Errorf("listen at --server-urls %s: %w", n.o.ServerURL, err))
	}
	return l.Close()
}
