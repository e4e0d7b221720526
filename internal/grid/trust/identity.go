package trust

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// ErrNoCertificate reports an Identity into which nothing was installed yet.
var ErrNoCertificate = errors.New("this node has no certificate yet")

const (
	nodeFile = "node.pem"
	caFile   = "ca.pem"
)

// Identity is a node's key and certificate chain: in a folder, and in use. Its methods may be called from any goroutine; what
// Install puts in is used by every connection that is opened afterwards.
//
// Key and chain stand in one file, so that neither a crash nor a reader ever sees the one without the other; every new
// certificate has a new key, so that an old copy of the folder is worth nothing after RenewableFor.
type Identity struct {
	dir string
	now func() time.Time

	mu      sync.Mutex
	held    *held             // nil until the first Install
	pending *ecdsa.PrivateKey // of the newest CSR
	changed chan struct{}     // closed, and made anew, by Install
}

// held is never changed, only replaced.
type held struct {
	key       *ecdsa.PrivateKey
	leaf, ca  *x509.Certificate
	presented *tls.Certificate
}

// OpenIdentity opens the identity in dir, or begins an empty one. now is the clock by which certificates are judged; nil means
// time.Now.
func OpenIdentity(dir string, now func() time.Time) (*Identity, error) {
	if now == nil {
		now = time.Now
	}
	id := &Identity{dir: dir, now: now, changed: make(chan struct{})}
	if err := id.load(); err != nil {
		return nil, fmt.Errorf("open the node's certificate in %s: %w", dir, err)
	}
	return id, nil
}

// String names the identity and hides its key, as Format and LogValue do.
func (id *Identity) String() string {
	s, err := id.Subject()
	if err != nil {
		return "identity without a certificate"
	}
	return fmt.Sprintf("identity of %s %q", s.Role, s.Name)
}

// Format is String for every verb.
func (id *Identity) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(id.String())) }

// LogValue is String for package slog.
func (id *Identity) LogValue() slog.Value { return slog.StringValue(id.String()) }

func (id *Identity) load() error {
	if err := privateDir(id.dir); err != nil {
		return err
	}
	b, _, err := readBounded(filepath.Join(id.dir, nodeFile), maxFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	certs, key, err := decodePEM(b)
	if err != nil {
		return err
	}
	if id.held, err = hold(certs, key); err != nil {
		return err
	}
	return writeSecret(filepath.Join(id.dir, caFile), encodeCerts(id.held.ca)) // a crash may have come between the two
}

// hold checks that a chain is a leaf and its authority, and that the key is the leaf's. It asks for no time: a node starts with an
// expired certificate too, to renew it.
func hold(certs []*x509.Certificate, key *ecdsa.PrivateKey) (*held, error) {
	if len(certs) != 2 || !isAuthority(certs[1]) {
		return nil, errors.New("it needs a certificate and that of the grid's authority")
	}
	leaf, ca := certs[0], certs[1]
	if key == nil || !key.PublicKey.Equal(leaf.PublicKey) {
		return nil, errors.New("the certificate is not for this node's key")
	}
	if err := verifyLeaf(leaf, ca, "", leaf.NotAfter); err != nil {
		return nil, err
	}
	presented := &tls.Certificate{Certificate: [][]byte{leaf.Raw, ca.Raw}, PrivateKey: key, Leaf: leaf}
	return &held{key: key, leaf: leaf, ca: ca, presented: presented}, nil
}

func (id *Identity) current() (*held, error) {
	id.mu.Lock()
	defer id.mu.Unlock()
	if id.held == nil {
		return nil, ErrNoCertificate
	}
	return id.held, nil
}

// Changed returns a channel that is closed by the next Install: time to close idle connections.
func (id *Identity) Changed() <-chan struct{} {
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.changed
}

// Subject is whom the present certificate is for.
func (id *Identity) Subject() (Subject, error) {
	h, err := id.current()
	if err != nil {
		return Subject{}, err
	}
	return subjectOf(h.leaf), nil
}

// Pin is the pin of the grid's authority, or "" before the first Install.
func (id *Identity) Pin() string {
	h, err := id.current()
	if err != nil {
		return ""
	}
	return pinOf(h.ca)
}

// Span is from when until when the present certificate is good, and RenewAt when a new one should be asked for: after a third
// of its life, so that two thirds are left for what may go wrong.
func (id *Identity) Span() (from, to time.Time) {
	h, err := id.current()
	if err != nil {
		return time.Time{}, time.Time{}
	}
	return h.leaf.NotBefore, h.leaf.NotAfter
}

// RenewAt: see Span.
func (id *Identity) RenewAt() time.Time {
	from, to := id.Span()
	return from.Add(to.Sub(from) / 3)
}

// Covers reports whether the present certificate is good for these hosts, whenever it ends.
func (id *Identity) Covers(hosts ...string) bool {
	h, err := id.current()
	return err == nil && !slices.ContainsFunc(hosts, func(host string) bool { return h.leaf.VerifyHostname(bare(host)) != nil })
}

// Files are the paths for programs that read certificates by themselves: etcd does so at every handshake. Cert and Key are one
// file, which holds key and chain.
type Files struct{ Cert, Key, CA string }

// Files are there after the first Install. For etcd's peers: TrustedCAFile is CA, ClientCertAuth is true, and
// SkipClientSANVerify too, since a node's packets need not come from the address that it listens on.
func (id *Identity) Files() Files {
	node := filepath.Join(id.dir, nodeFile)
	return Files{Cert: node, Key: node, CA: filepath.Join(id.dir, caFile)}
}
