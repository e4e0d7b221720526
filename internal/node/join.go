package node

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/grid/trust"
)

// joinPath is where a node asks to be taken in: the leader answers, other nodes pass it on.
const joinPath = "/throng/v1/join"

// joinCall is what a node says when it asks; its token stands in the request's head.
type joinCall struct {
	Node cluster.Node `json:"node"`
	CSR  []byte       `json:"csr,omitempty"`
	Now  time.Time    `json:"now"` // its clock
	// Foreign says that it was given an external etcd.
	Foreign bool `json:"foreign,omitempty"`
}

type joinAnswer struct {
	Cluster   string    `json:"cluster"`
	Chain     []byte    `json:"chain,omitempty"` // PEM
	Endpoints []string  `json:"endpoints"`
	Now       time.Time `json:"now"`
}

const (
	joinTimeout = 5 * time.Second
	joinAgain   = 300 * time.Millisecond
	// maxSkew is how far clocks may be apart: beyond it certificates are not valid yet, or no more.
	maxSkew  = 5 * time.Minute
	warnSkew = 2 * time.Second
)

// join asks the seeds to take this node in, again and again while none of them answers. What one of the grid refuses is refused: they speak
// for the same leader. One of another grid says nothing about the rest: it ends the node once no other may still come up.
func (n *Node) join(ctx context.Context) error {
	if !slices.ContainsFunc(n.o.Seeds, func(s string) bool { return s != n.o.ClientURL }) {
		return fault.WithHint(fault.InvalidConfig, errors.New("--seeds names this node itself and no other"), "without --seeds it founds a grid")
	}
	m := &memory{Name: n.name(), Identity: rand.Text(), Insecure: n.o.Insecure}
	n.memory = m
	client, csr, err := n.asApplicant()
	if err != nil {
		return err
	}
	told := map[bool]bool{} // by whether it was of a stranger
	for {
		var strange error // of the first stranger
		waits := false    // for a seed that may be the right one
		for _, seed := range n.o.Seeds {
			if seed == n.o.ClientURL {
				continue
			}
			answer, err := n.ask(ctx, client, seed, csr)
			stranger := n.stranger(err)
			switch {
			case err == nil:
				return n.admitted(m, answer)
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case final(err):
				return n.turnedDown(seed, err)
			case stranger != nil && strange == nil:
				strange = n.turnedDown(seed, stranger)
			case stranger == nil:
				waits = true
				if !told[false] {
					n.log.Info("waiting for a seed that answers: " + err.Error())
				}
				told[false] = true
			}
		}
		switch {
		case strange != nil && !waits:
			return strange
		case strange != nil && !told[true]:
			told[true] = true
			n.log.Warn(strange.Error() + "; waiting for the other seeds")
		}
		select {
		case <-time.After(joinAgain):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// stranger is why a seed that answers is not one of the grid, and will not become one; nil where it may be.
func (n *Node) stranger(err error) error {
	var other interface {
		error
		Hopeless() bool
	}
	var name x509.HostnameError
	switch {
	case errors.As(err, &other) && other.Hopeless():
		return fault.WithHint(fault.InvalidConfig, other, "--token-file is to name a join token of the grid that the seeds are of; "+n.o.TokenFile+" is of another one")
	case errors.As(err, &name):
		return fault.WithHint(fault.InvalidConfig, fmt.Errorf("the node there has a certificate for another address: %w", name), "--seeds is to name it as its own --client-urls does")
	case err != nil && strings.Contains(err.Error(), "HTTP response to HTTPS client"): // as net/http words it
		return errors.New("it does not speak TLS: that node is --insecure, or no node of a grid")
	case err != nil && strings.Contains(err.Error(), "tls: certificate required"): // as crypto/tls words it
		return errors.New("it wants a certificate, as members do of one another: the node's --client-urls would be right")
	}
	return nil
}

// turnedDown is what a node ends with that a seed does not take in.
func (n *Node) turnedDown(seed string, err error) error {
	hint := fault.HintOf(err)
	var r *courier.RemoteError
	if errors.As(err, &r) && r.Status == http.StatusUnauthorized && hint == "" {
		hint = "a new one is made with: throng grid token create --role join"
	}
	return fault.WithHint(fault.InvalidConfig, fmt.Errorf("join the grid at %s: %w", seed, err), hint)
}

// final reports whether asking again would not help. A conflict means that it would: there is no leader now, or another node of
// that name was heard a moment ago.
func final(err error) bool {
	var r *courier.RemoteError
	return errors.As(err, &r) && r.Status >= 400 && r.Status < 500 && r.Status != http.StatusConflict
}

// asApplicant returns what a node without a certificate calls with.
func (n *Node) asApplicant() (*courier.Client, []byte, error) {
	if n.o.Insecure {
		return &courier.Client{HTTP: &http.Client{}}, nil, nil
	}
	if n.o.TokenFile == "" {
		return nil, nil, fault.WithHint(fault.InvalidConfig, errors.New("joining a grid needs its join token"), "--token-file names a copy of the file join.token that the first node wrote")
	}
	token, warning, err := trust.ReadToken(n.o.TokenFile)
	if err != nil {
		return nil, nil, fault.New(fault.InvalidConfig, err)
	}
	if warning != "" {
		n.log.Warn(warning)
	}
	if token.Role != trust.Join {
		return nil, nil, fault.New(fault.InvalidConfig, fmt.Errorf("%s holds a token for role %s: a join token would be right", n.o.TokenFile, token.Role))
	}
	csr, err := n.identity.CSR()
	return &courier.Client{HTTP: &http.Client{Transport: trust.PinnedTransport(token.Pin, time.Now)}, Token: token.Reveal}, csr, err
}

func (n *Node) ask(ctx context.Context, c *courier.Client, seed string, csr []byte) (answer joinAnswer, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, joinTimeout, fmt.Errorf("%s: %w within %v", seed, courier.ErrUnreachable, joinTimeout))
	defer cancel()
	err = c.JSON(ctx, http.MethodPost, seed, joinPath, joinCall{Node: n.record(), CSR: csr, Now: time.Now(), Foreign: n.o.foreign()}, &answer)
	return answer, err
}

// admitted takes what the grid answered.
func (n *Node) admitted(m *memory, a joinAnswer) error {
	if n.identity != nil {
		if err := n.identity.Install(a.Chain); err != nil {
			return err
		}
	}
	m.Cluster, m.Endpoints, m.Foreign = a.Cluster, a.Endpoints, n.o.foreign()
	if skew := time.Until(a.Now).Abs(); skew > warnSkew {
		n.log.Warn(fmt.Sprintf("this host's clock differs from the leader's by %v: set it by NTP, or reports of both will not match", skew.Round(time.Second)))
	}
	return m.keep(n.o.DataDir)
}

// admit is the leader's side of join.
func (n *Node) admit(r *http.Request) (any, error) {
	var call joinCall
	if err := courier.Read(r, &call); err != nil {
		return nil, err
	}
	refuse := func(format string, args ...any) error {
		return &courier.Status{Code: http.StatusForbidden, Err: fault.New(fault.InvalidConfig, fmt.Errorf(format, args...))}
	}
	if _, ok := n.leads(); !ok {
		return nil, courier.ErrNotLeader
	}
	node := call.Node
	switch skew := time.Until(call.Now).Abs(); {
	case !nameForm.MatchString(node.Name) || node.Identity == "":
		return nil, refuse("%.80q is no name for a node", node.Name)
	case node.Version != n.o.Version:
		return nil, refuse("node %s is throng %s, and this grid is %s: all nodes must be of one version", node.Name, node.Version, n.o.Version)
	case call.Foreign != n.o.foreign():
		return nil, &courier.Status{Code: http.StatusForbidden, Err: checkKind(call.Foreign, n.o.foreign())}
	case skew > maxSkew:
		return nil, refuse("the clock of node %s differs from the leader's by %v: set it by NTP, at most %v are possible", node.Name, skew.Round(time.Second), maxSkew)
	}
	if err := n.vacant(r.Context(), node); err != nil {
		return nil, err
	}
	answer := joinAnswer{Cluster: n.memory.Cluster, Now: time.Now(), Endpoints: n.endpoints()}
	if n.identity != nil {
		a, err := n.auth.get()
		if err != nil {
			return nil, err
		}
		o := Options{ClientURL: node.ClientURL, ServerURL: node.ServerURL}
		if answer.Chain, err = a.Sign(call.CSR, trust.Subject{Name: node.Name, Role: trust.Node, Hosts: o.hosts(), Identity: node.Identity}, time.Now()); err != nil {
			return nil, &courier.Status{Code: http.StatusBadRequest, Err: err}
		}
	}
	n.log.Info(fmt.Sprintf("node %s joins from %s", node.Name, node.ClientURL))
	return answer, nil
}

// vacant gives the node its name, unless another one that lives has it, or its addresses.
func (n *Node) vacant(ctx context.Context, node cluster.Node) error {
	key := cluster.Nodes + node.Name
	have, revision, err := cluster.Fetch[cluster.Node](ctx, n.store, key)
	if err != nil {
		return err
	}
	if revision > 0 && have.Identity == node.Identity { // it asks again, because our answer was lost
		return nil
	}
	for _, o := range n.picture.view().Nodes {
		same := o.ClientURL == node.ClientURL || o.ServerURL != "" && o.ServerURL == node.ServerURL
		if !o.Alive || o.Name != node.Name && !same {
			continue
		}
		if err := n.stillThere(ctx, o.Node); err != nil {
			return err
		}
		taken := fmt.Errorf("a node named %s, at %s, is part of the grid and alive: every node needs a --hostname of its own", o.Name, o.ClientURL)
		if o.Name != node.Name {
			taken = fmt.Errorf("node %s has an address of node %s: every node needs --client-urls and --server-urls of its own", node.Name, o.Name)
		}
		return &courier.Status{Code: http.StatusForbidden, Err: fault.New(fault.InvalidConfig, taken)}
	}
	node.Joined = time.Now().UTC()
	return n.put(ctx, key, node, revision)
}

// whoPath is where a node says which one it is.
const whoPath = "/throng/v1/who"

type whoAnswer struct {
	Name     string `json:"name"`
	Identity string `json:"identity"`
}

func (n *Node) who(*http.Request) (any, error) {
	return whoAnswer{n.name(), n.memory.Identity}, nil
}

// stillThere asks a node that was heard a moment ago whether it is the one that the grid knows. If it is not, because it lost its
// disk and begins anew, say, the grid will know in a moment: the error means that.
func (n *Node) stillThere(ctx context.Context, o cluster.Node) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var answer whoAnswer
	if err := n.client.JSON(ctx, http.MethodGet, o.ClientURL, whoPath, nil, &answer); err != nil || answer.Identity != o.Identity {
		return &courier.Status{Code: http.StatusConflict, Err: fmt.Errorf("node %s was heard a moment ago and does not answer now: ask again", o.Name)}
	}
	return nil
}

// endpoints are the addresses of those who vote, this node's first.
func (n *Node) endpoints() []string {
	out := []string{n.o.ClientURL}
	for _, v := range n.picture.view().Voters() {
		if v.Name != n.name() {
			out = append(out, v.ClientURL)
		}
	}
	return out
}
