package trust

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// How a Renewer spends its time.
const (
	// glance is how often it looks at the clock: timers stand still while a machine sleeps, certificates do not.
	glance       = time.Minute
	renewTimeout = 30 * time.Second
	firstRetry   = 15 * time.Second
	lastRetry    = 15 * time.Minute
)

// Renewer keeps an Identity's certificate young.
type Renewer struct {
	Identity *Identity
	// Renew has a node that votes sign a renewal, and returns the chain. Where the certificate has expired it must use
	// PinnedTransport(Identity.Pin()), which shows none.
	Renew func(ctx context.Context, r Renewal) (chain []byte, err error)
	// Hosts are those of the node's URLs. Where the present certificate lacks one, a node that moved, it is renewed at once.
	Hosts []string
	Log   *slog.Logger
}

// Run renews after a third of each certificate's life until ctx ends; it returns nil then. What fails is tried again, at first
// after 15 s, in the end every 15 min; a warning is logged once less than a third is left.
func (r *Renewer) Run(ctx context.Context) error {
	next, wait := time.Time{}, firstRetry // no attempt before next
	for ctx.Err() == nil {
		now := r.Identity.now().Round(0) // the wall clock, which went on while the machine slept
		if now.Before(r.due(next)) {
			pause(ctx, min(r.due(next).Sub(now), glance))
			continue
		}
		if err := r.attempt(ctx); err == nil {
			wait = firstRetry
			next = now.Add(lastRetry) // a signer with a slow clock gives certificates that are due at once
			continue
		}
		next, wait = now.Add(wait), min(2*wait, lastRetry)
	}
	return nil
}

// due is when the next attempt is to be made, but not before next.
func (r *Renewer) due(next time.Time) time.Time {
	if due := r.Identity.RenewAt(); next.Before(due) && r.Identity.Covers(r.Hosts...) {
		return due
	}
	return next
}

func (r *Renewer) attempt(ctx context.Context) error {
	err := r.renew(ctx)
	from, to := r.Identity.Span()
	now := r.Identity.now()
	switch {
	case err == nil:
		r.Log.Info("the node's certificate was renewed", "until", stamp(to))
	case ctx.Err() != nil: // the node stops
	case now.After(to):
		r.Log.Error("the node's certificate has expired and could not be renewed: other nodes refuse this one", "expired", stamp(to), "error", err)
	case to.Sub(now) < to.Sub(from)/3:
		r.Log.Warn("the node's certificate ends soon and could not be renewed", "ends", stamp(to), "left", to.Sub(now).Round(time.Minute), "error", err)
	default:
		r.Log.Info("the node's certificate could not be renewed yet", "ends", stamp(to), "error", err)
	}
	return err
}

func (r *Renewer) renew(ctx context.Context) error {
	req, err := r.Identity.Renewal(r.Hosts...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	chain, err := r.Renew(ctx, req)
	if err != nil {
		return fmt.Errorf("renew the node's certificate: %w", err)
	}
	return r.Identity.Install(chain)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
