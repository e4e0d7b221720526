package trust

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throng/internal/grid/cluster"
)

// serve runs a handler behind a TLS configuration until the test ends, and returns its address.
func serve(t *testing.T, cfg *tls.Config, h http.Handler) string {
	t.Helper()
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

// serving is a node that answers who called.
func serving(t *testing.T, id *Identity, lookup Lookup, c *clock) string {
	t.Helper()
	cfg, err := id.ServerTLS()
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, cfg, Authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serial := ""
		if len(r.TLS.PeerCertificates) > 0 {
			serial = " " + r.TLS.PeerCertificates[0].SerialNumber.String()
		}
		fmt.Fprint(w, r.Proto, " ", CallerOf(r.Context()), serial)
	}), lookup, c.now, nil))
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

func serial(id *Identity) string { return id.held.leaf.SerialNumber.String() }

func TestClocksApartStillWork(t *testing.T) {
	a := authority(t) // at noon
	for _, apart := range []time.Duration{-30 * time.Minute, -5 * time.Minute, 5 * time.Minute, 30 * time.Minute} {
		signer, other := at(noon), at(noon.Add(apart))
		server, caller := node(t, a, "n1", signer), joined(t, a, "n2", other, signer)
		if _, err := get(as(t, caller), serving(t, server, noTokens, signer)); err != nil {
			t.Errorf("a caller %v apart: %v", apart, err)
		}
		if _, err := get(as(t, server), serving(t, caller, noTokens, other)); err != nil {
			t.Errorf("a server %v apart: %v", apart, err)
		}
		if _, err := get(with(t, a.Pin(), other), serving(t, server, noTokens, signer)); err != nil {
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

// joined is a node with a clock of its own, signed for by another's.
func joined(t *testing.T, a *Authority, name string, own, signer *clock) *Identity {
	t.Helper()
	id, err := OpenIdentity(filepath.Join(t.TempDir(), "trust"), own.now)
	if err != nil {
		t.Fatal(err)
	}
	install(t, a, id, name, signer.now())
	return id
}

// stranger is an identity that has the right authority's certificate for its own, and a leaf of that other one.
func stranger(t *testing.T, a *Authority, chain []byte, id *Identity) *Identity {
	t.Helper()
	certs, _, err := decodePEM(chain)
	if err != nil {
		t.Fatal(err)
	}
	key := id.pending
	id.held = &held{key: key, leaf: certs[0], ca: a.cert, presented: &tls.Certificate{Certificate: [][]byte{certs[0].Raw, a.cert.Raw}, PrivateKey: key}}
	return id
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// strangers are identities that a grid must refuse, whichever side they take.
func strangers(t *testing.T, a *Authority, c *clock) map[string]*Identity {
	t.Helper()
	out := map[string]*Identity{}
	begin := func(name string, chain func(csr []byte) []byte) {
		id, err := OpenIdentity(t.TempDir(), c.now)
		if err != nil {
			t.Fatal(err)
		}
		csr, err := id.CSR()
		if err != nil {
			t.Fatal(err)
		}
		out[name] = stranger(t, a, chain(csr), id)
	}
	sign := func(by *Authority, now time.Time) func([]byte) []byte {
		return func(csr []byte) []byte {
			chain, err := by.Sign(csr, Subject{Name: "n1", Role: Node, Hosts: []string{"127.0.0.1"}}, now)
			if err != nil {
				t.Fatal(err)
			}
			return chain
		}
	}
	begin("of another grid", sign(authority(t), c.now()))
	begin("expired", sign(a, c.now().Add(-NodeLife-time.Minute)))
	begin("of the future", sign(a, c.now().Add(Backdate+time.Minute)))
	for _, organization := range []string{"throng:operator", "throng:trusted", "throng:", "node", "Throng:node", ""} {
		begin("of organization "+organization, func(csr []byte) []byte { return forge(t, a, csr, organization, c.now()) })
	}
	begin("signed by a node", func(csr []byte) []byte {
		by := node(t, a, "n9", c)
		return sign(&Authority{cert: by.held.leaf, key: by.held.key}, c.now())(csr)
	})
	return out
}

func TestStrangersAreRefused(t *testing.T) {
	c := at(noon.Add(20 * 24 * time.Hour))
	a := authority(t)
	friend := node(t, a, "n2", c)
	addr := serving(t, friend, noTokens, c)
	if got, err := get(as(t, friend), addr); err != nil || !strings.Contains(got, `node "n2"`) {
		t.Fatalf("a friend: %q, %v", got, err)
	}
	strangers := strangers(t, a, c)
	certs, _, _ := decodePEM(forge(t, a, must(friend.CSR()), "throng:node", c.now()))
	if len(certs) != 2 || verifyLeaf(certs[0], a.cert, "127.0.0.1", c.now()) != nil {
		t.Fatal("what is forged is refused for another reason than its role")
	}
	for name, id := range strangers {
		t.Run(name, func(t *testing.T) {
			if got, err := get(as(t, id), addr); err == nil {
				t.Errorf("as a client: %q", got)
			}
			cfg, err := id.ServerTLS()
			if err != nil {
				t.Fatal(err)
			}
			cfg.ClientAuth = tls.NoClientCert
			there := serve(t, cfg, http.NotFoundHandler())
			if got, err := get(as(t, friend), there); err == nil {
				t.Errorf("as a server, to a node: %q", got)
			}
			if got, err := get(with(t, a.Pin(), c), there); err == nil {
				t.Errorf("as a server, to a token: %q", got)
			}
		})
	}
}

func TestSomebodyWithoutACertificateIsAnonymous(t *testing.T) {
	a, c := authority(t), at(noon)
	addr := serving(t, node(t, a, "n1", c), noTokens, c)
	if got, err := get(with(t, a.Pin(), c), addr); err != nil || got != "HTTP/2.0 somebody unknown" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAPinFitsOneAuthority(t *testing.T) {
	a, other, c := authority(t), authority(t), at(noon)
	id := node(t, a, "n1", c)
	here := serving(t, id, noTokens, c)
	_, port, _ := net.SplitHostPort(here)
	elsewhere := node(t, a, "n2", c)
	install(t, a, elsewhere, "n2", noon, "10.0.0.1", "n2.example")
	for _, tt := range []struct{ name, pin, addr, want string }{
		{"the right one", a.Pin(), here, ""},
		{"by name", a.Pin(), "localhost:" + port, ""},
		{"of another grid", other.Pin(), here, "not of the grid that the token is for"},
		{"none", "", here, "not of the grid that the token is for"},
		{"that of the node's own key", pinOf(id.held.leaf), here, "not of the grid that the token is for"},
		{"at an address that the node does not have", a.Pin(), serving(t, elsewhere, noTokens, c), "not 127.0.0.1"},
	} {
		_, err := get(with(t, tt.pin, c), tt.addr)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := get(as(t, id), serving(t, elsewhere, noTokens, c)); err == nil || !strings.Contains(err.Error(), "not 127.0.0.1") {
		t.Errorf("a node, at an address that the other does not have: %v", err)
	}
}

func TestAServerWithoutItsAuthorityCannotBePinned(t *testing.T) {
	a, c := authority(t), at(noon)
	id := node(t, a, "n1", c)
	cfg, err := id.ServerTLS()
	if err != nil {
		t.Fatal(err)
	}
	cfg.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: id.held.presented.Certificate[:1], PrivateKey: id.held.key}, nil
	}
	if _, err := get(with(t, a.Pin(), c), serve(t, cfg, http.NotFoundHandler())); err == nil || !strings.Contains(err.Error(), "shows no authority") {
		t.Errorf("%v", err)
	}
}

func TestATokenTravelsOverTLSAlone(t *testing.T) {
	tok, _ := token(t, Operator, 0)
	req, _ := http.NewRequest(http.MethodGet, "http://127.0.0.1:1/", http.NoBody)
	tok.Authorize(req.Header)
	if _, err := with(t, tok.Pin, at(noon)).Do(req); err == nil || !strings.Contains(err.Error(), "https alone") {
		t.Errorf("%v", err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	a, c := authority(t), at(noon)
	addr := serving(t, node(t, a, "n1", c), noTokens, c)
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		cfg := PinnedTLS(a.Pin(), "127.0.0.1", c.now)
		cfg.MinVersion, cfg.MaxVersion = version, version
		conn, err := tls.Dial("tcp", addr, cfg)
		if (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestRenewedCertificatesAreUsedByLaterConnections(t *testing.T) {
	a, c := authority(t), at(noon)
	server, caller := node(t, a, "n1", c), node(t, a, "n2", c)
	addr := serving(t, server, noTokens, c)
	cfg, err := caller.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	var seen *x509.Certificate
	own := cfg.VerifyConnection
	cfg.VerifyConnection = func(cs tls.ConnectionState) error { seen = cs.PeerCertificates[0]; return own(cs) }
	hc := client(t, &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true})
	for range 3 {
		got, err := get(hc, addr)
		if err != nil || !strings.HasSuffix(got, serial(caller)) || seen.SerialNumber.String() != serial(server) {
			t.Errorf("not the present certificates: %q, %v", got, err)
		}
		c.t = c.t.Add(5 * 24 * time.Hour) // in the end, all that was there at first has expired
		install(t, a, server, "n1", c.t)
		install(t, a, caller, "n2", c.t)
	}
}

func TestAConnectionIsGivenUpBeforeItsCertificateEnds(t *testing.T) {
	for _, http2 := range []bool{true, false} {
		a, c := authority(t), at(noon)
		server, caller := node(t, a, "n1", c), node(t, a, "n2", c)
		addr, hc := serving(t, server, noTokens, c), as(t, caller)
		hc.Transport.(*http.Transport).ForceAttemptHTTP2 = http2
		first := serial(caller)
		ask := func() string {
			got, err := get(hc, addr)
			if err != nil {
				t.Fatal(err)
			}
			return got[strings.LastIndexByte(got, ' ')+1:]
		}
		ask()
		c.t = noon.Add(3 * 24 * time.Hour)
		install(t, a, caller, "n2", c.t)
		if got := ask(); got != first {
			t.Error("a connection was given up early")
		}
		c.t = noon.Add(5 * 24 * time.Hour)
		ask() // over the old connection, which is asked to close
		if got := ask(); got != serial(caller) {
			t.Errorf("HTTP/2 %v: the old certificate is still used", http2)
		}
	}
}

func TestAnExpiredCertificateIsNobodysOnAnOldConnection(t *testing.T) {
	a, c := authority(t), at(noon)
	addr, hc := serving(t, node(t, a, "n1", c), noTokens, c), as(t, node(t, a, "n2", c))
	if _, err := get(hc, addr); err != nil {
		t.Fatal(err)
	}
	c.t = noon.Add(NodeLife + time.Second)
	if got, err := get(hc, addr); err != nil || !strings.HasPrefix(got, `401 the certificate of node "n2" expired at 2026-03-08T12:00:00Z`) {
		t.Errorf("%q, %v", got, err)
	}
}
