package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
)

// ViewPath is where a node tells what it knows of the grid.
const ViewPath = "/throng/v1/view"

// Grid calls a grid. It is safe for concurrent use.
type Grid struct {
	call courier.Client
	*addresses
	// patience is how long a grid without a leader is asked again; whether one in which nobody listens is, too, says persistent.
	patience   time.Duration
	persistent bool
	perNode    time.Duration // how long one node may take to answer before another is asked
}

// Slow returns a Grid in which one node may take long to answer, because it has a lot to do first.
func (g *Grid) Slow() *Grid {
	slow := *g
	slow.perNode = 5 * time.Minute
	return &slow
}

// addresses are where the nodes are.
type addresses struct {
	mu    sync.Mutex // guards bases: the one that answered last comes first
	bases []string
}

// New returns a Grid that is reached at these addresses.
func New(c courier.Client, bases []string) *Grid {
	return &Grid{call: c, addresses: &addresses{bases: slices.Clone(bases)}, patience: patience, perNode: perNode}
}

// Patient returns a Grid that asks for longer, also where nobody listens: for who has something in the grid that goes on without him.
func (g *Grid) Patient() *Grid {
	return &Grid{call: g.call, addresses: g.addresses, patience: long, persistent: true, perNode: perNode}
}

// Learn asks for the addresses of all nodes, so that the death of the one that was named does no harm.
func (g *Grid) Learn(ctx context.Context) (cluster.View, error) {
	var v cluster.View
	if err := g.JSON(ctx, http.MethodGet, ViewPath, nil, &v); err != nil {
		return v, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range v.Nodes {
		if n.Alive && n.ClientURL != "" && !slices.Contains(g.bases, n.ClientURL) {
			g.bases = append(g.bases, n.ClientURL)
		}
	}
	return v, nil
}

func (a *addresses) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.bases)
}

// prefer puts an address first.
func (a *addresses) prefer(base string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.Index(a.bases, base); i > 0 {
		a.bases = slices.Insert(slices.Delete(a.bases, i, i+1), 0, base)
	}
}

const (
	// patience is how long a grid without a leader is asked again: an election takes less.
	patience = 15 * time.Second
	// long is patience for who has time: that of most hosts to start again.
	long    = 2 * time.Minute
	again   = 250 * time.Millisecond
	perNode = 10 * time.Second
)

// JSON calls whichever node answers. What only a leader can do is repeated until there is one; so everything that is asked must be
// safe to ask twice.
func (g *Grid) JSON(ctx context.Context, method, path string, in, out any) error {
	return g.each(ctx, func(ctx context.Context, base string) error {
		ctx, cancel := context.WithTimeoutCause(ctx, g.perNode, fmt.Errorf("%s: %w within %v", base, courier.ErrUnreachable, g.perNode))
		defer cancel()
		return g.call.JSON(ctx, method, base, path, in, out)
	})
}

// Send stores a blob at whichever node answers and returns its digest. open is called for every try.
func (g *Grid) Send(ctx context.Context, open func() (io.ReadCloser, error)) (digest string, err error) {
	err = g.each(ctx, func(ctx context.Context, base string) error {
		r, err := open()
		if err != nil {
			return err
		}
		defer r.Close()
		digest, err = g.call.Send(ctx, base, r)
		return err
	})
	return digest, err
}

// Get has f read what whichever node answers says at path. f is called for every try.
func (g *Grid) Get(ctx context.Context, path string, f func(io.Reader) error) error {
	return g.each(ctx, func(ctx context.Context, base string) error {
		res, err := g.call.Do(ctx, http.MethodGet, base, path, "", nil)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		return f(res.Body)
	})
}

// each calls f for one address after the other until one call ends with an answer.
func (g *Grid) each(ctx context.Context, f func(ctx context.Context, base string) error) error {
	end := time.Now().Add(g.patience)
	for {
		var last error
		refused := !g.persistent
		for _, base := range g.all() {
			err := f(ctx, base)
			if err == nil || !elsewhere(err) {
				g.prefer(base)
				return err
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			refused = refused && (errors.Is(err, courier.ErrRefused) || hopeless(err))
			last = err
		}
		if refused || time.Now().After(end) {
			return fault.WithHint(fault.Other, fmt.Errorf("no node of the grid answers: %w", last), "name one that runs with --grid or THRONG_GRID")
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// hopeless reports that an address will not be any better later: its host is not known, it is another grid's, or it does not speak
// TLS (as net/http words it).
func hopeless(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return true
	}
	var stranger interface{ Hopeless() bool } // as package trust's are
	if errors.As(err, &stranger) && stranger.Hopeless() {
		return true
	}
	return strings.Contains(err.Error(), "HTTP response to HTTPS client")
}

// elsewhere reports whether another node, or the same one later, may answer better.
func elsewhere(err error) bool {
	for _, e := range []error{courier.ErrRefused, courier.ErrUnreachable, courier.ErrNotLeader, courier.ErrUnavailable, cluster.ErrDeposed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
