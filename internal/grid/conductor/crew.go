package conductor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"throng/internal/run"
)

// crew are the parts of a run. A lost one is replaced, at most once, whoever notices.
type crew struct {
	replace func(ctx context.Context, lost Part, why error) ([]Part, error)
	missed  func(lost Part, why error)

	mu    sync.Mutex // guards parts: those that were not lost
	parts []Part
}

// all returns the parts that were not lost.
func (c *crew) all() []Part {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.parts)
}

// errNobody reports that every part was lost.
var errNobody = fmt.Errorf("nobody is left to run the test: %w", run.ErrLost)

// lead is the part that does what is done once for all; errNobody when there is none.
func (c *crew) lead() (Part, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.parts) == 0 {
		return Part{}, errNobody
	}
	return c.parts[0], nil
}

// lose takes a part out and returns those that take over from it. It returns none for a part that was out already.
func (c *crew) lose(ctx context.Context, lost Part, why error) ([]Part, error) {
	if !c.drop(lost) {
		return nil, nil
	}
	if c.replace == nil {
		return nil, why
	}
	more, err := c.replace(ctx, lost, why)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parts = append(c.parts, more...)
	if len(c.parts) == 0 {
		return nil, fmt.Errorf("%w: %w", errNobody, why)
	}
	return more, nil
}

// drop takes a part out and reports whether it was in.
func (c *crew) drop(p Part) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.parts)
	c.parts = slices.DeleteFunc(c.parts, func(o Part) bool { return o.ID == p.ID })
	return len(c.parts) < n
}

// spare takes a part out if others are left, and reports whether some are.
func (c *crew) spare(lost Part) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.parts) == 1 && c.parts[0].ID == lost.ID && c.replace != nil {
		return false
	}
	c.parts = slices.DeleteFunc(c.parts, func(o Part) bool { return o.ID == lost.ID })
	return true
}

// init prepares all parts at once, and those that replace one that is lost meanwhile.
func (c *crew) init(ctx context.Context) (ready run.Ready, err error) {
	var mu sync.Mutex // guards ready
	err = c.each(ctx, func(ctx context.Context, p Part, _ bool) error {
		r, err := p.Init(ctx)
		mu.Lock()
		defer mu.Unlock()
		if err == nil || ready.Functions == nil {
			ready = r
		}
		return err
	})
	return ready, err
}

// run has all parts run their scenarios, and those that replace one that is lost meanwhile: these must be prepared first.
func (c *crew) run(ctx context.Context, begin run.Begin) error {
	return c.each(ctx, func(ctx context.Context, p Part, fresh bool) error {
		if fresh {
			if _, err := p.Init(ctx); err != nil {
				return err
			}
		}
		begin := begin
		if p.Used != nil {
			var err error
			if begin.Used, err = p.Used(); err != nil {
				return err
			}
		}
		return p.Run(ctx, begin)
	})
}

// each calls f for all parts at once, and with fresh set for those that replace one that is lost. The first error ends the others.
func (c *crew) each(ctx context.Context, f func(ctx context.Context, p Part, fresh bool) error) error {
	g, gctx := errgroup.WithContext(ctx)
	var call func(p Part, fresh bool) error
	call = func(p Part, fresh bool) error {
		err := f(gctx, p, fresh)
		if !errors.Is(err, run.ErrLost) {
			return err
		}
		if gctx.Err() != nil { // it is over anyway
			if c.drop(p) && c.missed != nil {
				c.missed(p, err)
			}
			return nil // nobody need take over from it
		}
		more, err := c.lose(gctx, p, err)
		for _, m := range more {
			g.Go(func() error { return call(m, true) })
		}
		return err
	}
	for _, p := range c.all() {
		g.Go(func() error { return call(p, false) })
	}
	return g.Wait()
}

// once calls f with one part, and with another one if that is lost. Its share is given to others only if it is still to be run, or
// if nobody else is left.
func (c *crew) once(ctx context.Context, replace bool, f func(Part) error) error {
	for {
		lead, err := c.lead()
		if err != nil {
			return err
		}
		err = f(lead)
		if !errors.Is(err, run.ErrLost) || ctx.Err() != nil {
			return err
		}
		if !replace && c.spare(lead) {
			continue
		}
		more, err := c.lose(ctx, lead, err)
		if err != nil {
			return err
		}
		for _, m := range more {
			if _, err := m.Init(ctx); err != nil {
				return err
			}
		}
	}
}
