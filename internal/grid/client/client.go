package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
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

	mu    sync.Mutex // guards addresses: the one that answered last comes first
	bases []string
}

// New returns a Grid that is reached at these addresses.
func New(c courier.Client, addresses []string) *Grid {
	return &Grid{call: c, bases: slices.Clone(addresses)}
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

func (g *Grid) addresses() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.bases)
}

// prefer puts an address first.
func (g *Grid) prefer(base string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.bases, base); i > 0 {
		g.bases = slices.Insert(slices.Delete(g.bases, i, i+1), 0, base)
	}
}

const (
	// patience is how long a grid without a leader is asked again: an election takes less.
	patience = 15 * time.Second
	again    = 250 * time.Millisecond
	// perNode is how long one node may take to answer before another is asked.
	perNode = 10 * time.Second
)

// JSON calls whichever node answers. What only a leader can do is repeated until there is one; so everything that is asked must be
// safe to ask twice.
func (g *Grid) JSON(ctx context.Context, method, path string, in, out any) error {
	return g.each(ctx, func(ctx context.Context, base string) error {
		ctx, cancel := context.WithTimeoutCause(ctx, perNode, fmt.Errorf("%s: %w within %v", base, courier.ErrUnreachable, perNode))
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
	end := time.Now().Add(patience)
	for {
		var last error
		refused := true
		for _, base := range g.addresses() {
			err := f(ctx, base)
			if err == nil || !elsewhere(err) {
				g.prefer(base)
				return err
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			refused = refused && errors.Is(err, courier.ErrRefused)
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

// elsewhere reports whether another node, or the same one later, may answer better.
func elsewhere(err error) bool {
	return errors.Is(err, courier.ErrRefused) || errors.Is(err, courier.ErrUnreachable) || errors.Is(err, courier.ErrNotLeader) || errors.Is(err, cluster.ErrDeposed)
}
