package trust

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestAnAuthoritySurvivesItsCodeAndItsFile(t *testing.T) {
	a := authority(t)
	b, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	sent, err := DecodeAuthority(b)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "deep", "trust")
	if err := sent.Save(dir); err != nil {
		t.Fatal(err)
	}
	privateMode(t, dir, 0o700)
	privateMode(t, filepath.Join(dir, authorityFile), 0o600)
	loaded, err := LoadAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Pin() != a.Pin() || loaded.GridID() != "grid-1" || !loaded.key.Equal(a.key) {
		t.Errorf("another authority came back: %v", loaded)
	}
	for range 2 { // nothing to remove is no error
		if err := RemoveAuthority(dir); err != nil {
			t.Error(err)
		}
	}
	if _, err := LoadAuthority(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after it was removed: %v", err)
	}
}

func TestAFolderThatOthersReadIsTakenBack(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := authority(t).Save(dir); err != nil {
		t.Fatal(err)
	}
	privateMode(t, dir, 0o700)
}

func TestThePinIsThatOfThePublicKey(t *testing.T) {
	a := authority(t)
	der, err := x509.MarshalPKIXPublicKey(a.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	if got, want := a.Pin(), hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the pin is %s, want %s", got, want)
	}
	if authority(t).Pin() == a.Pin() {
		t.Error("two authorities have one pin")
	}
}

func TestADamagedAuthorityIsRefused(t *testing.T) {
	a, other := authority(t), authority(t)
	whole, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	key := func(k any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der})
	}
	leafKey, csr := request(t, nil)
	chain, err := a.Sign(csr, Subject{Name: "n1", Role: Node, Hosts: []string{"::1"}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _, err := decodePEM(chain)
	if err != nil {
		t.Fatal(err)
	}
	own := key(a.key)
	tmpl := authorityTemplate("grid-1", noon)
	tmpl.IsCA, tmpl.MaxPathLenZero = false, false
	called, err := a.issue(tmpl, leafKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing":                    nil,
		"text":                       []byte("hello"),
		"half":                       whole[:len(whole)/2],
		"a certificate alone":        encodeCerts(a.cert),
		"a key alone":                own,
		"two certificates":           append(encodeCerts(a.cert, other.cert), own...),
		"two keys":                   append(bytes.Clone(whole), own...),
		"another's key":              append(encodeCerts(a.cert), key(other.key)...),
		"a node's certificate":       append(encodeCerts(leaf[0]), key(leafKey)...),
		"one that is called so":      append(encodeCerts(called), key(leafKey)...),
		"text behind it":             append(bytes.Clone(whole), "more"...),
		"a block of another kind":    append(bytes.Clone(whole), pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS"})...),
		"a certificate that is none": append(pem.EncodeToMemory(&pem.Block{Type: certBlock, Bytes: []byte("x")}), own...),
		"a key that is none":         append(encodeCerts(a.cert), pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: []byte("x")})...),
		"a key of another kind":      append(encodeCerts(a.cert), key(strangeKeys(t)["P-384"])...),
		"a book":                     bytes.Repeat(whole, 100),
	} {
		if _, err := DecodeAuthority(b); err == nil || !strings.Contains(err.Error(), "authority") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// request makes a key and a request for it, as the template asks.
func request(t testing.TB, tmpl *x509.CertificateRequest) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key, requestFor(t, key, tmpl)
}

func requestFor(t testing.TB, key crypto.Signer, tmpl *x509.CertificateRequest) []byte {
	t.Helper()
	if tmpl == nil {
		tmpl = &x509.CertificateRequest{}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, tmpl, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// strangeKeys are keys of kinds that a grid does not use.
func strangeKeys(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"P-384": p384, "Ed25519": ed, "RSA": r}
}

func TestTheAuthoritySignsForNodesAlone(t *testing.T) {
	a := authority(t)
	_, csr := request(t, nil)
	for _, role := range []Role{Anonymous, Operator, Viewer, Join, Trusted, "root"} {
		if _, err := a.Sign(csr, Subject{Name: "n1", Role: role, Hosts: []string{"127.0.0.1"}}, noon); err == nil {
			t.Errorf("it signed for role %q", role)
		}
	}
	if _, err := a.Sign(csr, Subject{Name: "n1", Role: Node, Hosts: []string{"127.0.0.1"}}, noon); err != nil {
		t.Errorf("it did not sign for a node: %v", err)
	}
}

func TestARequestGivesNothingButItsKey(t *testing.T) {
	a := authority(t)
	basic, err := x509.ParseCertificate(a.cert.Raw)
	if err != nil {
		t.Fatal(err)
	}
	key, csr := request(t, &x509.CertificateRequest{
		Subject:     pkix.Name{CommonName: "leader", Organization: []string{"throng:operator"}, SerialNumber: "other"},
		DNSNames:    []string{"bank.example"},
		IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)},
		// All that makes an authority: basic constraints and key usage among them.
		ExtraExtensions: basic.Extensions,
	})
	s := Subject{Name: "n1", Role: Node, Hosts: []string{"localhost", "127.0.0.1", "[::1]", "Node.Example."}, Identity: "of-n1"}
	chain, err := a.Sign(csr, s, noon)
	if err != nil {
		t.Fatal(err)
	}
	certs, _, err := decodePEM(chain)
	if err != nil || len(certs) != 2 || !certs[1].Equal(a.cert) {
		t.Fatalf("the chain has %d certificates, %v; want the node's and the authority's", len(certs), err)
	}
	leaf := certs[0]
	want := Subject{Name: "n1", Role: Node, Hosts: []string{"localhost", "node.example", "127.0.0.1", "::1"}, Identity: "of-n1"}
	if got := subjectOf(leaf); !reflect.DeepEqual(got, want) {
		t.Errorf("the certificate is for %+v, want %+v", got, want)
	}
	if leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature || !key.PublicKey.Equal(leaf.PublicKey) {
		t.Errorf("authority: %v, usage: %b", leaf.IsCA, leaf.KeyUsage)
	}
	if len(leaf.EmailAddresses)+len(leaf.URIs)+len(leaf.UnhandledCriticalExtensions) > 0 {
		t.Error("more than hosts stand in it")
	}
}

func TestACertificateEndsInAWeekAndWithItsAuthority(t *testing.T) {
	a := authority(t)
	_, csr := request(t, nil)
	end := a.cert.NotAfter
	for _, tt := range []struct {
		name     string
		now      time.Time
		from, to time.Time
	}{
		{"at the founding", noon, noon.Add(-Backdate), noon.Add(NodeLife)},
		{"a day before the authority ends", end.Add(-24 * time.Hour), end.Add(-24*time.Hour - Backdate), end},
	} {
		chain, err := a.Sign(csr, Subject{Name: "n1", Role: Node, Hosts: []string{"n1"}}, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		certs, _, _ := decodePEM(chain)
		if got := certs[0]; !got.NotBefore.Equal(tt.from) || !got.NotAfter.Equal(tt.to) {
			t.Errorf("%s: from %v to %v, want %v to %v", tt.name, got.NotBefore, got.NotAfter, tt.from, tt.to)
		}
	}
	for _, now := range []time.Time{noon.Add(-2 * Backdate), end} {
		_, err := a.Sign(csr, Subject{Name: "n1", Role: Node, Hosts: []string{"n1"}}, now)
		if err == nil || !strings.Contains(err.Error(), "the clock here says "+stamp(now)) {
			t.Errorf("outside the authority's life: %v", err)
		}
	}
	if life := end.Sub(noon); life != AuthorityLife || !a.cert.MaxPathLenZero || !a.cert.IsCA {
		t.Errorf("an authority lives %v; it signs for other authorities: %v", life, !a.cert.MaxPathLenZero)
	}
}

func TestBadRequestsAreNotSigned(t *testing.T) {
	a := authority(t)
	_, good := request(t, nil)
	requests := map[string][]byte{
		"nothing":         nil,
		"text":            []byte("hello"),
		"cut off":         good[:len(good)-1],
		"something after": append(bytes.Clone(good), 0),
		"too large":       requestFor(t, a.key, &x509.CertificateRequest{DNSNames: []string{strings.Repeat("a", maxCSR)}}),
	}
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	requests["a signature of another"] = forged
	for kind, key := range strangeKeys(t) {
		requests["a key of kind "+kind] = requestFor(t, key, nil)
	}
	for name, csr := range requests {
		if _, err := a.Sign(csr, Subject{Name: "n1", Role: Node, Hosts: []string{"n1"}}, noon); err == nil || !strings.Contains(err.Error(), "request") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadSubjectsAreNotSigned(t *testing.T) {
	a := authority(t)
	_, csr := request(t, nil)
	for _, tt := range []struct {
		name string
		s    Subject
		want string
	}{
		{"no name", Subject{Hosts: []string{"n1"}}, "name"},
		{"a name with a slash", Subject{Name: "../n1", Hosts: []string{"n1"}}, "name"},
		{"a name with a line in it", Subject{Name: "n1\nn2", Hosts: []string{"n1"}}, "name"},
		{"a long name", Subject{Name: strings.Repeat("n", 254), Hosts: []string{"n1"}}, "name"},
		{"a strange identity", Subject{Name: "n1", Identity: "a b", Hosts: []string{"n1"}}, "identity"},
		{"no hosts", Subject{Name: "n1"}, "hosts"},
		{"many hosts", Subject{Name: "n1", Hosts: make([]string, 65)}, "hosts"},
		{"an empty host", Subject{Name: "n1", Hosts: []string{""}}, "host name"},
		{"all hosts", Subject{Name: "n1", Hosts: []string{"*.example"}}, "host name"},
		{"a port", Subject{Name: "n1", Hosts: []string{"n1:2379"}}, "host name"},
		{"a dash in front", Subject{Name: "n1", Hosts: []string{"-n1"}}, "host name"},
		{"a long host", Subject{Name: "n1", Hosts: []string{strings.Repeat("a.", 127) + "a"}}, "host name"},
		{"every address", Subject{Name: "n1", Hosts: []string{"0.0.0.0"}}, "every address"},
		{"every address of IPv6", Subject{Name: "n1", Hosts: []string{"[::]"}}, "every address"},
	} {
		tt.s.Role = Node
		if _, err := a.Sign(csr, tt.s, noon); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := NewAuthority("a grid\x1b[0m", noon); err == nil {
		t.Error("a grid's id may hold anything")
	}
}

func TestKeysAreNeverShown(t *testing.T) {
	a := authority(t)
	id := node(t, a, "n1", at(noon))
	type holder struct {
		a *Authority
		i *Identity
	}
	var shown bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&shown, strings.Repeat(verb+"\n", 4), a, *a, id, holder{a, id})
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&shown, nil), slog.NewJSONHandler(&shown, nil)} {
		slog.New(h).Info("keys", "authority", a, "identity", id, "held", holder{a, id})
	}
	b, err := json.Marshal([]any{a, id, holder{a, id}})
	if err != nil {
		t.Fatal(err)
	}
	shown.Write(b)
	for whose, key := range map[string]*ecdsa.PrivateKey{"the authority": a.key, "the node": id.held.key} {
		raw, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), fmt.Sprint(raw), new(big.Int).SetBytes(raw).String()} { //nolint:staticcheck // as numbers
			if strings.Contains(shown.String(), strings.Trim(s, "[]")) {
				t.Errorf("the key of %s was shown", whose)
			}
		}
	}
	if !strings.Contains(shown.String(), "authority of throng grid grid-1") || !strings.Contains(shown.String(), `identity of node "n1"`) {
		t.Error("nobody is named")
	}
}

// FuzzDecodeAuthority holds that what is accepted signs, and comes back the same.
func FuzzDecodeAuthority(f *testing.F) {
	a := authority(f)
	whole, err := a.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(encodeCerts(a.cert))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	_, csr := request(f, nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := DecodeAuthority(b)
		if err != nil {
			return
		}
		if _, err := a.Sign(csr, Subject{Name: "n1", Role: Node, Hosts: []string{"n1"}}, a.cert.NotBefore); err != nil {
			t.Errorf("it was read and cannot sign: %v", err)
		}
		again, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := DecodeAuthority(again); err != nil || back.Pin() != a.Pin() {
			t.Errorf("it does not come back: %v", err)
		}
	})
}

// FuzzSign holds that whatever a request says, the certificate is a node's and nobody's authority.
func FuzzSign(f *testing.F) {
	a := authority(f)
	_, csr := request(f, nil)
	_, more := request(f, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}, DNSNames: []string{"a.example"}})
	f.Add(csr)
	f.Add(more)
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		chain, err := a.Sign(der, Subject{Name: "n1", Role: Node, Hosts: []string{"n1"}}, noon)
		if err != nil {
			return
		}
		certs, _, err := decodePEM(chain)
		if err != nil || len(certs) != 2 {
			t.Fatalf("the chain: %d, %v", len(certs), err)
		}
		if s := subjectOf(certs[0]); s.Name != "n1" || s.Role != Node || len(s.Hosts) != 1 || certs[0].IsCA {
			t.Errorf("it signed for %+v", s)
		}
	})
}
