package trust

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"throng/internal/fault"
)

// Role is what somebody may do in a grid.
type Role string

// The roles. A certificate carries Node; a token carries one of the others.
const (
	Anonymous Role = ""
	Node      Role = "node"     // a member: it reaches the store, and is told what to run
	Operator  Role = "operator" // gives orders: runs, stops, sizes, drains
	Viewer    Role = "viewer"   // looks, and changes nothing
	Join      Role = "join"     // may ask for a node's certificate, and for nothing else
	// Trusted is whoever reaches a node that was started with --insecure: everything is allowed. Neither token nor certificate
	// carries it; LoopbackOnly gives it.
	Trusted Role = "trusted"
)

// tokenRoles are the roles that a token can carry.
func tokenRoles() []Role { return []Role{Operator, Viewer, Join} }

// The errors on which decisions hang; Status turns them into 401 and 403.
var (
	ErrUnauthenticated = errors.New("not authenticated")
	ErrForbidden       = errors.New("not allowed")
)

// refusal is one sentence for people, and a sentinel, which is not part of it, for whoever decides.
type refusal struct {
	text string
	kind error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

func unauthenticated(format string, args ...any) error {
	return refuse(ErrUnauthenticated, format, args...)
}

func refuse(kind error, format string, args ...any) error {
	return fault.New(fault.InvalidConfig, &refusal{fmt.Sprintf(format, args...), kind})
}

// Caller is who sends a request. The zero Caller is anonymous.
type Caller struct {
	Name     string // the node's name, or the token's note
	Role     Role
	Via      string // how we know: "certificate", "token <id>", or what a handler without trust writes here
	Identity string // of a node: the identity that its certificate was signed for
}

// String is the caller for logs; it holds no secret.
func (c Caller) String() string {
	switch {
	case c.Role == Anonymous:
		return "somebody unknown"
	case c.Name == "":
		return fmt.Sprintf("%s (%s)", c.Role, c.Via)
	}
	return fmt.Sprintf("%s %q (%s)", c.Role, c.Name, c.Via)
}

// Allow returns nil if the caller has one of the roles, or is Trusted; else ErrUnauthenticated for somebody anonymous and ErrForbidden for
// everybody else.
func Allow(c Caller, roles ...Role) error {
	switch {
	case c.Role == Anonymous:
		return unauthenticated("this needs %s, and none was given", wanted(roles))
	case c.Role == Trusted, slices.Contains(roles, c.Role):
		return nil
	}
	return refuse(ErrForbidden, "%s may not do this: it needs %s", c, wanted(roles))
}

// wanted is what would have let a caller pass. A certificate is named only where no token would do: people carry tokens.
func wanted(roles []Role) string {
	var tokens []string
	for _, r := range roles {
		if slices.Contains(tokenRoles(), r) {
			tokens = append(tokens, string(r))
		}
	}
	if len(tokens) == 0 {
		return "a node's certificate (a token is not enough)"
	}
	return "a token of role " + strings.Join(tokens, " or ")
}

type callerKey struct{}

// WithCaller returns a context that knows who called.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf is the caller that WithCaller put into ctx, else an anonymous one.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

const organization = "throng:"

// roleOf is the role that stands in a certificate, or Anonymous.
func roleOf(cert *x509.Certificate) Role {
	if len(cert.Subject.Organization) != 1 {
		return Anonymous
	}
	role, ok := strings.CutPrefix(cert.Subject.Organization[0], organization)
	if !ok || Role(role) != Node {
		return Anonymous
	}
	return Node
}
