package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/grid/trust"
)

// A certificate proves that its owner was taken into the grid. Whether it still is part of it, the grid's records say: a node that
// was forgotten, or that lost its disk and joined anew, is nobody any more from that moment on, and not when its certificate ends.

// vouched lets nodes through only while they are part of the grid. Everybody else passes.
func (n *Node) vouched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := trust.CallerOf(r.Context()); c.Role == trust.Node {
			if err := n.vouch(r.Context(), c.Name, c.Identity); err != nil {
				courier.WriteError(w, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// vouch returns nil for a node that is part of the grid. Where this node's picture does not know it, the store is asked: the other
// may have joined a moment ago.
func (n *Node) vouch(ctx context.Context, name, identity string) error {
	if known, ok := n.picture.node(name); ok && known.Identity == identity || !n.picture.known() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	have, revision, err := cluster.Fetch[cluster.Node](ctx, n.store, cluster.Nodes+name)
	switch {
	case err != nil:
		return &courier.Status{Code: http.StatusServiceUnavailable, Err: fmt.Errorf("whether node %s is part of the grid cannot be found out: %w", name, err)}
	case revision == 0 || have.Identity != identity:
		return &courier.Status{Code: http.StatusGone, Err: fmt.Errorf("the grid has forgotten node %s", name)}
	}
	return nil
}

// errForgotten is what a node ends with that is no longer part of its grid.
func (n *Node) errForgotten() error {
	return fault.WithHint(fault.InvalidConfig, fmt.Errorf("the grid has forgotten node %s, or another one has taken its name", n.name()),
		"remove "+n.o.DataDir+" to join as a new node, with --seeds")
}

// heedForgetting ends with an error when the grid has forgotten this node: the store says so, or another node does.
func (n *Node) heedForgetting(ctx context.Context) error {
	for {
		next := n.picture.next()
		if own, ok := n.picture.node(n.name()); n.picture.known() && (!ok || own.Identity != n.memory.Identity) {
			if err := n.vouch(ctx, n.name(), n.memory.Identity); gone(err) {
				return n.errForgotten()
			}
		}
		select {
		case <-next:
		case <-n.forgotten:
			return n.errForgotten()
		case <-ctx.Done():
			return nil
		}
	}
}

// forgottenBy asks others, who let this node near the store only while it is part of the grid.
func (n *Node) forgottenBy(ctx context.Context, addresses []string) bool {
	if n.identity == nil {
		return false // nobody knows who asks
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, base := range addresses {
		if err := n.client.JSON(ctx, http.MethodGet, base, whoPath, nil, nil); gone(err) {
			return true
		}
	}
	return false
}

// gone reports whether an error says that the grid has forgotten somebody.
func gone(err error) bool {
	var here *courier.Status
	var there *courier.RemoteError
	return errors.As(err, &here) && here.Code == http.StatusGone || errors.As(err, &there) && there.Status == http.StatusGone
}

// unheard is told of beats that got no answer.
func (n *Node) unheard(voter string, err error) {
	n.log.Debug("beat to " + voter + ": " + err.Error())
	if gone(err) {
		select {
		case n.forgotten <- struct{}{}:
		default: // it is known already
		}
	}
}

// maxStranger bounds, in bytes and time, what is read of a request of which nothing is proved yet.
const (
	maxStranger     = 64 << 10
	strangerMayTake = 10 * time.Second
)

// fromStrangers guards a handler that anybody may call.
func fromStrangers(next http.Handler) http.Handler {
	next = http.MaxBytesHandler(next, maxStranger)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// An error means that the connection knows no deadlines: then its other bounds hold.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(strangerMayTake))
		next.ServeHTTP(w, r)
	})
}

// renewConnections has connections made anew once this node's certificate is another one, until ctx ends.
func (n *Node) renewConnections(ctx context.Context) error {
	for {
		changed := n.identity.Changed()
		select {
		case <-changed:
			n.client.HTTP.CloseIdleConnections()
		case <-ctx.Done():
			return nil
		}
	}
}
