package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/grid/trust"
)

// Where orders about the grid itself, and about its tokens, are taken.
const (
	gridPath   = "/throng/v1/grid/{order}"
	tokensPath = "/throng/v1/tokens"
)

// GridCall is the body of an order about the grid: size needs Size; drain, undrain and forget need Node.
type GridCall struct {
	Size int    `json:"size,omitempty"`
	Node string `json:"node,omitempty"`
}

// GridPath is where an order about the grid is given: size, drain, undrain or forget.
func GridPath(order string) string { return "/throng/v1/grid/" + order }

// TokensPath is where tokens are listed and made; below it one is revoked by its id.
const TokensPath = tokensPath

func bad(format string, args ...any) error {
	return &courier.Status{Code: http.StatusBadRequest, Err: fault.New(fault.InvalidConfig, fmt.Errorf(format, args...))}
}

func (n *Node) gridHandler() http.Handler {
	return courier.Handler(func(r *http.Request) (any, error) {
		var call GridCall
		if err := courier.Read(r, &call); err != nil {
			return nil, err
		}
		switch order := r.PathValue("order"); order {
		case "size":
			return struct{}{}, n.setSize(r.Context(), call.Size)
		case "drain", "undrain":
			return struct{}{}, n.setDrained(r.Context(), call.Node, order == "drain")
		case "forget":
			return struct{}{}, n.forget(r.Context(), call.Node)
		default:
			return nil, bad("there is no order %q: size, drain, undrain and forget there are", order)
		}
	})
}

func (n *Node) setSize(ctx context.Context, size int) error {
	if size < 1 || size > 9 {
		return bad("the ideal size is %d: 1 to 9, best an odd number, would be right", size)
	}
	_, err := n.store.Commit(ctx, cluster.Txn{Put: map[string][]byte{cluster.IdealKey: []byte(strconv.Itoa(size))}})
	return err
}

// known returns a node's record.
func (n *Node) known(ctx context.Context, name string) (cluster.Node, int64, error) {
	node, revision, err := cluster.Fetch[cluster.Node](ctx, n.store, cluster.Nodes+name)
	if err == nil && revision == 0 {
		err = bad("the grid has no node %q", name)
	}
	return node, revision, err
}

// anew makes a change of a record again from what the record has become, if somebody else wrote it meanwhile: a node that starts writes its own.
func anew(ctx context.Context, change func() error) error {
	for {
		if err := change(); !errors.Is(err, cluster.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}

func (n *Node) setDrained(ctx context.Context, name string, drained bool) error {
	return anew(ctx, func() error {
		node, revision, err := n.known(ctx, name)
		if err != nil || node.Drained == drained {
			return err
		}
		node.Drained = drained
		return n.put(ctx, cluster.Nodes+name, node, revision)
	})
}

// forget drops a node that is gone for good: its seat is given to another one.
func (n *Node) forget(ctx context.Context, name string) error {
	return anew(ctx, func() error {
		if o, ok := n.picture.view().Find(name); ok && o.Alive {
			return bad("node %s is alive: stop it first, or drain it", name)
		}
		_, revision, err := n.known(ctx, name)
		if err != nil {
			return err
		}
		n.receiver.ForgetNode(name)
		_, err = n.store.Commit(ctx, cluster.Txn{If: []cluster.Condition{{Key: cluster.Nodes + name, Revision: revision}}, Delete: []string{cluster.Nodes + name}})
		return err
	})
}

// TokenCall is what a new token is to be.
type TokenCall struct {
	Role trust.Role    `json:"role"`
	Life time.Duration `json:"life"`
	Note string        `json:"note,omitempty"`
}

// TokenAnswer is a new token: the only time that its secret is told.
type TokenAnswer struct {
	Token  string        `json:"token"`
	Record cluster.Token `json:"record"`
}

func (n *Node) createToken(r *http.Request) (any, error) {
	var call TokenCall
	if err := courier.Read(r, &call); err != nil {
		return nil, err
	}
	if n.identity == nil {
		return nil, bad("a grid that runs with --insecure knows no tokens")
	}
	token, record, err := trust.NewToken(call.Role, n.identity.Pin(), time.Now(), call.Life, call.Note)
	if err != nil {
		return nil, &courier.Status{Code: http.StatusBadRequest, Err: err}
	}
	if err := n.put(r.Context(), cluster.Tokens+record.ID, record, 0); err != nil {
		return nil, err
	}
	record.Hash = "" // nobody needs it
	return TokenAnswer{token.Reveal(), record}, nil
}

func (n *Node) listTokens(r *http.Request) (any, error) {
	kvs, _, err := n.store.List(r.Context(), cluster.Tokens)
	if err != nil {
		return nil, err
	}
	out := []cluster.Token{}
	for _, kv := range kvs {
		var t cluster.Token
		if err := cluster.Decode(kv, &t); err != nil {
			return nil, err
		}
		t.Hash = ""
		out = append(out, t)
	}
	return out, nil
}

func (n *Node) revokeToken(r *http.Request) (any, error) {
	key := cluster.Tokens + r.PathValue("id")
	return struct{}{}, anew(r.Context(), func() error {
		t, revision, err := cluster.Fetch[cluster.Token](r.Context(), n.store, key)
		if err == nil && revision == 0 {
			err = &courier.Status{Code: http.StatusNotFound, Err: errors.New("there is no such token")}
		}
		if err != nil {
			return err
		}
		t.Revoked = time.Now().UTC()
		return n.put(r.Context(), key, t, revision)
	})
}
