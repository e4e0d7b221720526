package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/grid/trust"
)

// Where a node that votes hands the authority on, and where certificates are renewed.
const (
	authorityPath = "/throng/v1/authority"
	renewPath     = "/throng/v1/renew"
)

// authority is the grid's, on a node that votes.
type authority struct {
	mu sync.Mutex
	a  *trust.Authority
}

func (k *authority) set(a *trust.Authority) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.a = a
}

// get returns the authority; courier.ErrNotLeader where this node has none, since a node that leads has it.
func (k *authority) get() (*trust.Authority, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.a == nil {
		return nil, fmt.Errorf("this node does not hold the grid's authority: %w", courier.ErrNotLeader)
	}
	return k.a, nil
}

// guardAuthority has this node hold the authority exactly while it has a seat, until ctx ends.
func (n *Node) guardAuthority(ctx context.Context) error {
	if n.identity == nil {
		return nil
	}
	for {
		next := n.picture.next()
		seat, seated, known := n.picture.seat(n.name())
		if err := n.holdAuthority(ctx, seated && !seat.Leaving, known); err != nil && ctx.Err() == nil {
			n.log.Debug("hold the grid's authority: " + err.Error())
		}
		select {
		case <-next:
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

func (n *Node) holdAuthority(ctx context.Context, seated, known bool) error {
	_, err := n.auth.get()
	switch {
	case seated && err == nil, !seated && !known:
		return nil
	case !seated:
		n.auth.set(nil)
		return trust.RemoveAuthority(n.authorityDir())
	}
	if a, err := trust.LoadAuthority(n.authorityDir()); err == nil && a.Pin() == n.identity.Pin() {
		n.auth.set(a)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	errs := []error{}
	for _, v := range n.picture.view().Voters() {
		if v.Name == n.name() {
			continue
		}
		var code []byte
		err := n.client.JSON(ctx, http.MethodGet, v.ClientURL, authorityPath, nil, &code)
		if err == nil {
			return n.takeAuthority(code)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (n *Node) takeAuthority(code []byte) error {
	a, err := trust.DecodeAuthority(code)
	if err != nil {
		return err
	}
	if a.Pin() != n.identity.Pin() {
		return errors.New("another node handed over an authority that is not this grid's")
	}
	if err := a.Save(n.authorityDir()); err != nil {
		return err
	}
	n.auth.set(a)
	return nil
}

// handAuthority hands the authority to a node that has a seat, and to no other.
func (n *Node) handAuthority(r *http.Request) (any, error) {
	caller := trust.CallerOf(r.Context())
	seat, seated, _ := n.picture.seat(caller.Name)
	if !seated || caller.Role != trust.Node || seat.Identity != caller.Identity {
		return nil, &courier.Status{Code: http.StatusForbidden, Err: fmt.Errorf("%s may not have the grid's authority: it is for nodes that vote", caller)}
	}
	a, err := n.auth.get()
	if err != nil {
		return nil, err
	}
	return a.Encode()
}

// renewer keeps this node's certificate young.
func (n *Node) renewer() *trust.Renewer {
	return &trust.Renewer{Identity: n.identity, Hosts: n.o.hosts(), Log: n.log, Renew: n.renew}
}

// renew has a node that votes sign a renewal.
func (n *Node) renew(ctx context.Context, r trust.Renewal) (chain []byte, err error) {
	c := &courier.Client{HTTP: &http.Client{Transport: trust.PinnedTransport(n.identity.Pin(), time.Now)}}
	defer c.HTTP.CloseIdleConnections()
	errs := []error{errors.New("no node that votes has signed the renewal")}
	for _, base := range append(n.endpoints(), n.memory.endpoints()...) {
		if err := c.JSON(ctx, http.MethodPost, base, renewPath, r, &chain); err == nil {
			return chain, nil
		} else {
			errs = append(errs, err)
		}
	}
	return nil, errors.Join(errs...)
}

// signRenewal signs a renewal of a node that is still part of the grid.
func (n *Node) signRenewal(r *http.Request) (any, error) {
	var in trust.Renewal
	if err := courier.Read(r, &in); err != nil {
		return nil, err
	}
	a, err := n.auth.get()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	s, err := a.VerifyRenewal(in, now)
	if err != nil {
		return nil, &courier.Status{Code: trust.Status(err), Err: err}
	}
	have, revision, err := cluster.Fetch[cluster.Node](r.Context(), n.store, cluster.Nodes+s.Name)
	if err != nil {
		return nil, err
	}
	if revision == 0 || have.Identity != s.Identity {
		return nil, &courier.Status{Code: http.StatusForbidden, Err: fmt.Errorf("the grid has forgotten node %s: it must join again", s.Name)}
	}
	return a.Sign(in.CSR, s, now)
}
