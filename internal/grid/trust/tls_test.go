package trust

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"throng/internal/grid/cluster"
)

// serve runs a handler behind a node's ServerTLS until the test ends, and returns its address.
func serve(t *testing.T, id *Identity, h http.Handler) string {
	t.Helper()
	cfg, err := id.ServerTLS()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, TLSConfig: cfg, ErrorLog: silent()}
	done := make(chan error, 1)
	go func() { done <- s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { s.Close(); <-done })
	return l.Addr().String()
}

// as is a client that shows a node's certificate.
func as(t *testing.T, id *Identity) *http.Client {
	t.Helper()
	cfg, err := id.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	return client(t, &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true})
}

// with is a client that holds nothing but a pin.
func with(t *testing.T, pin string, c *clock) *http.Client {
	t.Helper()
	return client(t, PinnedTransport(pin, c.now))
}

func client(t *testing.T, tr *http.Transport) *http.Client {
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

// noTokens knows no token.
func noTokens(context.Context, string) (cluster.Token, error) {
	return cluster.Token{}, cluster.ErrNotFound
}

// who answers with the caller.
func who(lookup Lookup, c *clock) http.Handler {
	return Authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(r.Proto + " " + CallerOf(r.Context()).String()))
	}), lookup, c.now, nil)
}

func TestClocksApartStillWork(t *testing.T) {
	a := authority(t) // at noon
	for _, apart := range []time.Duration{-30 * time.Minute, -5 * time.Minute, 5 * time.Minute, 30 * time.Minute} {
		signer, other := at(noon), at(noon.Add(apart))
		server, caller := node(t, a, "n1", signer), node(t, a, "n2", other)
		if _, err := get(as(t, caller), serve(t, server, who(noTokens, signer))); err != nil {
			t.Errorf("a caller %v apart: %v", apart, err)
		}
		if _, err := get(as(t, server), serve(t, caller, who(noTokens, other))); err != nil {
			t.Errorf("a server %v apart: %v", apart, err)
		}
		if _, err := get(with(t, a.Pin(), other), serve(t, server, who(noTokens, signer))); err != nil {
			t.Errorf("a token's holder %v apart: %v", apart, err)
		}
		req, err := caller.Renewal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.VerifyRenewal(req, signer.now()); err != nil {
			t.Errorf("a renewal %v apart: %v", apart, err)
		}
	}
}
