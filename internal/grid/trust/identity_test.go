package trust

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
)

func TestAnIdentitySurvivesARestart(t *testing.T) {
	a, c := authority(t), at(noon)
	id := node(t, a, "n1", c)
	privateMode(t, id.dir, 0o700)
	privateMode(t, filepath.Join(id.dir, nodeFile), 0o600)
	c.t = noon.Add(30 * 24 * time.Hour) // long expired, and opened all the same: to be renewed
	again, err := OpenIdentity(id.dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	want := Subject{Name: "n1", Role: Node, Hosts: []string{"localhost", "127.0.0.1"}, Identity: "of-n1"}
	if got, err := again.Subject(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("it came back as %+v, %v", got, err)
	}
	if again.Pin() != a.Pin() || !again.held.key.Equal(id.held.key) || !again.RenewAt().Equal(id.RenewAt()) {
		t.Error("pin, key or end changed")
	}
	if left, _ := filepath.Glob(filepath.Join(id.dir, ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAnEmptyIdentityHasNothingToShow(t *testing.T) {
	id, err := OpenIdentity(filepath.Join(t.TempDir(), "new"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, server := id.ServerTLS()
	_, client := id.ClientTLS()
	_, renewal := id.Renewal()
	_, subject := id.Subject()
	for what, err := range map[string]error{"server": server, "client": client, "renewal": renewal, "subject": subject} {
		if !errors.Is(err, ErrNoCertificate) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if id.Pin() != "" || id.Covers("localhost") {
		t.Error("it knows an authority, or covers a host")
	}
}

func TestWhatDoesNotFitIsNotInstalled(t *testing.T) {
	a, c := authority(t), at(noon.Add(10*24*time.Hour))
	id := node(t, a, "n1", c)
	before := contents(t, id)
	sign := func(by *Authority, csr []byte, now time.Time) []byte {
		chain, err := by.Sign(csr, Subject{Name: "n1", Role: Node, Hosts: []string{"n1"}}, now)
		if err != nil {
			t.Fatal(err)
		}
		return chain
	}
	ask := func() []byte {
		csr, err := id.CSR()
		if err != nil {
			t.Fatal(err)
		}
		return csr
	}
	key, other := request(t, nil)
	older := ask()
	newest := ask()
	good := sign(a, newest, c.t)
	certs, _, err := decodePEM(good)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	viewer := forge(t, a, newest, "throng:viewer", c.t)
	for _, tt := range []struct {
		name  string
		chain []byte
		want  string
	}{
		{"nothing", nil, "needs a certificate"},
		{"text", []byte("hello"), "not PEM"},
		{"no authority", encodeCerts(certs[0]), "and that of the grid's authority"},
		{"in the wrong order", encodeCerts(certs[1], certs[0]), "and that of the grid's authority"},
		{"a key with it", append(bytes.Clone(good), keyPEM...), "a key never travels"},
		{"for an older request", sign(a, older, c.t), "not for this node's key"},
		{"for another's request", sign(a, other, c.t), "not for this node's key"},
		{"of another authority", sign(authority(t), newest, c.t), "another authority"},
		{"under another authority's name", encodeCerts(certs[0], authority(t).cert), "unknown authority"},
		{"of another role", viewer, "not a node's"},
		{"of tomorrow", sign(a, newest, c.t.Add(24*time.Hour)), "set the clocks"},
		{"of last week", sign(a, newest, noon), "set the clocks"},
	} {
		changed := id.Changed()
		if err := id.Install(tt.chain); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if after := contents(t, id); after != before || closed(changed) {
			t.Errorf("%s: what was there changed", tt.name)
		}
	}
	changed := id.Changed()
	if err := id.Install(good); err != nil || !closed(changed) || closed(id.Changed()) {
		t.Errorf("what fits: %v; told: %v, %v", err, closed(changed), closed(id.Changed()))
	}
	if err := id.Install(good); err == nil {
		t.Error("one request was installed twice")
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func contents(t *testing.T, id *Identity) string {
	t.Helper()
	b, err := os.ReadFile(id.Files().Cert)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// forge has the authority sign what Sign refuses: another role.
func forge(t *testing.T, a *Authority, csr []byte, organization string, now time.Time) []byte {
	t.Helper()
	req, err := parseCSR(csr)
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := Subject{Name: "n1", Role: Node, Hosts: []string{"127.0.0.1"}}.template(now)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.Subject.Organization = []string{organization}
	leaf, err := a.issue(tmpl, req.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return encodeCerts(leaf, a.cert)
}

func TestADamagedIdentityIsNamed(t *testing.T) {
	a, c := authority(t), at(noon)
	whole := contents(t, node(t, a, "n1", c))
	other := contents(t, node(t, a, "n2", c))
	key, _, _ := strings.Cut(whole, "-----BEGIN CERTIFICATE")
	_, certs, _ := strings.Cut(other, "-----END PRIVATE KEY-----\n")
	for name, b := range map[string]string{
		"empty": "", "half": whole[:len(whole)/2], "another's certificate": key + certs, "no key": certs, "too large": strings.Repeat(whole, 60),
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, nodeFile), []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenIdentity(dir, c.now); err == nil || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheAuthoritysFileIsMadeGoodAfterACrash(t *testing.T) {
	a, c := authority(t), at(noon)
	id := node(t, a, "n1", c)
	if err := os.Remove(id.Files().CA); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenIdentity(id.dir, c.now); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(id.Files().CA); err != nil || !bytes.Equal(b, encodeCerts(a.cert)) {
		t.Errorf("the authority's file: %v", err)
	}
}

func TestACertificateCoversItsHosts(t *testing.T) {
	a, c := authority(t), at(noon)
	id, err := OpenIdentity(t.TempDir(), c.now)
	if err != nil {
		t.Fatal(err)
	}
	csr, _ := id.CSR()
	hosts := []string{"10.1.2.3", "[fe80::1%eth0]", "Node.Example", "n1."}
	chain, err := a.Sign(csr, Subject{Name: "n1", Role: Node, Hosts: hosts}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Install(chain); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"10.1.2.3": true, "fe80::1%eth0": true, "[fe80::1]": true, "node.example": true, "n1": true, "N1.": true,
		"10.1.2.4": false, "other": false, "example": false, "x.node.example": false, "": false,
	} {
		if got := id.Covers(host); got != want {
			t.Errorf("covers %q: %v", host, got)
		}
	}
	if !id.Covers(hosts...) || !id.Covers() || id.Covers(append(hosts, "other")...) {
		t.Error("not all, and only all, of several hosts")
	}
}

// TestEtcdTakesTheFiles holds the files against etcd's own reader of them, before and after a renewal.
func TestEtcdTakesTheFiles(t *testing.T) {
	a := authority(t)
	a.cert = again(t, a, time.Now()) // etcd has no clock but the real one
	server, caller := node(t, a, "n1", at(time.Now())), node(t, a, "n2", at(time.Now()))
	info := func(id *Identity) *transport.TLSInfo {
		f := id.Files()
		return &transport.TLSInfo{CertFile: f.Cert, KeyFile: f.Key, TrustedCAFile: f.CA, ClientCertAuth: true, SkipClientSANVerify: true}
	}
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := transport.NewTLSListener(raw, info(server))
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ErrorLog: silent(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(r.TLS.VerifiedChains[0][0].SerialNumber.String()))
	})}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
	cfg, err := info(caller).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	cfg.NextProtos = nil
	dialled := func() (server, client string) {
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}}
		res, err := c.Get("https://" + raw.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.TLS.PeerCertificates[0].SerialNumber.String(), string(b)
	}
	for range 2 {
		gotServer, gotClient := dialled()
		if gotServer != server.held.leaf.SerialNumber.String() || gotClient != caller.held.leaf.SerialNumber.String() {
			t.Error("etcd shows another certificate than the present one")
		}
		install(t, a, server, "n1", time.Now())
		install(t, a, caller, "n2", time.Now())
	}
	if c, err := tls.Dial("tcp", raw.Addr().String(), &tls.Config{RootCAs: poolOf(a.cert), NextProtos: []string{"h2"}}); err == nil {
		// TLS 1.3: the server's refusal comes with its first answer.
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("etcd's peer port let somebody without a certificate in")
		}
		c.Close()
	}
}
