package trust

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
)

// Identify says who sends a request. Somebody with neither token nor certificate is anonymous, and no error. A token that is
// given counts alone, whatever certificate stands beside it: a node that passes a request on must not lend its sender the
// rights of a node. See TestATokenCountsBeforeACertificate.
//
// The error is ErrUnauthenticated for a bad token or certificate; any other means that the token could not be looked up.
func Identify(r *http.Request, lookup Lookup, now time.Time) (Caller, error) {
	if headers := r.Header.Values("Authorization"); len(headers) > 0 {
		// "Connection: Authorization" has a proxy drop the token (RFC 9110, 7.6.1): a node that passes the request on would then
		// be left with its own certificate.
		dropped := strings.Contains(strings.ToLower(strings.Join(r.Header["Connection"], ",")), "authorization")
		return byToken(r.Context(), headers, dropped, lookup, now)
	}
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return Caller{}, nil
	}
	leaf := r.TLS.VerifiedChains[0][0]
	if now.After(leaf.NotAfter) { // it was good when the connection was opened
		return Caller{}, unauthenticated("the certificate of node %q expired at %s: connect anew", leaf.Subject.CommonName, stamp(leaf.NotAfter))
	}
	s := subjectOf(leaf)
	if s.Role != Node {
		return Caller{}, unauthenticated("the certificate of %q is not a node's", s.Name)
	}
	return Caller{Name: s.Name, Role: Node, Via: "certificate", Identity: s.Identity}, nil
}

func byToken(ctx context.Context, headers []string, dropped bool, lookup Lookup, now time.Time) (Caller, error) {
	scheme, text, _ := strings.Cut(headers[0], " ")
	if len(headers) > 1 || !strings.EqualFold(scheme, "Bearer") || dropped {
		return Caller{}, unauthenticated("the Authorization header must be one bearer token")
	}
	t, err := ParseToken(text)
	if err != nil {
		return Caller{}, unauthenticated("%v", err)
	}
	rec, err := lookup(ctx, t.ID)
	if errors.Is(err, cluster.ErrNotFound) {
		return Caller{}, unknownToken(t.ID)
	}
	if err != nil {
		return Caller{}, fault.New(fault.Other, fmt.Errorf("look up the token %s: %w", t.ID, err))
	}
	if err := Verify(rec, t, now); err != nil {
		return Caller{}, err
	}
	return Caller{Name: rec.Note, Role: t.Role, Via: "token " + t.ID}, nil
}

// Status is the HTTP status for an error of Identify or Allow: 401, 403, or 503 where the store could not be asked.
func Status(err error) int {
	switch {
	case errors.Is(err, ErrUnauthenticated):
		return http.StatusUnauthorized
	case errors.Is(err, ErrForbidden):
		return http.StatusForbidden
	}
	return http.StatusServiceUnavailable
}

// Authenticate identifies who calls, for CallerOf, before next is asked; a bad token or certificate ends there, with the answer
// that refuse gives (nil: plain text). It allows nothing by itself: an anonymous caller reaches next.
//
// Connections outlive certificates. Once two thirds of a client certificate's life are over its owner should have a newer one;
// it is then asked, request by request, to open a new connection.
func Authenticate(next http.Handler, lookup Lookup, now func() time.Time, refuse func(http.ResponseWriter, error)) http.Handler {
	if refuse == nil {
		refuse = Refuse
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if old(r, now()) {
			w.Header().Set("Connection", "close") // HTTP/2: GOAWAY; what runs on the connection may end
		}
		c, err := Identify(r, lookup, now())
		if err != nil {
			refuse(w, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), c)))
	})
}

// Refuse answers with an error of Identify or Allow as plain text.
func Refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, ErrUnauthenticated) {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	http.Error(w, err.Error(), Status(err))
}

func old(r *http.Request, now time.Time) bool {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return false
	}
	leaf := r.TLS.VerifiedChains[0][0]
	return now.After(leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / 3))
}
