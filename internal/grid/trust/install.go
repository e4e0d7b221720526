package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"path/filepath"
)

// CSR makes a new key and returns a certificate request for it (DER). Only the newest CSR can be installed.
func (id *Identity) CSR() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	// The name is the authority's to give: it takes nothing but the key.
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{}}, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate request: %w", err)
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	id.pending = key
	return der, nil
}

// Renewal is a CSR that the present key has signed, for Authority.VerifyRenewal. An expired certificate does. No hosts means
// those of the present certificate.
func (id *Identity) Renewal(hosts ...string) (Renewal, error) {
	h, err := id.current()
	if err != nil {
		return Renewal{}, err
	}
	csr, err := id.CSR()
	if err != nil {
		return Renewal{}, err
	}
	r := Renewal{Chain: encodeCerts(h.leaf, h.ca), CSR: csr, Hosts: hosts, At: id.now().UTC()}
	if err := r.sign(h.key); err != nil {
		return Renewal{}, fmt.Errorf("sign a renewal: %w", err)
	}
	return r, nil
}

// Install puts the chain (PEM) that was signed for the newest CSR to disk and into use. It refuses a chain of another
// authority than the one before.
func (id *Identity) Install(chain []byte) error {
	if err := id.install(chain); err != nil {
		return fmt.Errorf("install the node's certificate: %w", err)
	}
	return nil
}

func (id *Identity) install(chain []byte) error {
	certs, stray, err := decodePEM(chain)
	if err != nil {
		return err
	}
	if stray != nil {
		return errors.New("a key came with it, and a key never travels")
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	next, err := hold(certs, id.pending)
	if err != nil {
		return err
	}
	if now := id.now(); now.Before(next.leaf.NotBefore) || now.After(next.leaf.NotAfter) {
		return fmt.Errorf("it is good from %s until %s, and the clock here says %s: set the clocks", stamp(next.leaf.NotBefore), stamp(next.leaf.NotAfter), stamp(now))
	}
	if id.held != nil && pinOf(id.held.ca) != pinOf(next.ca) {
		return errors.New("it is signed by another authority than this node's grid has")
	}
	// Written under the lock: disk and memory must agree on which of two came last, and a node installs once in days.
	if err := id.write(next); err != nil {
		return err
	}
	id.held, id.pending = next, nil
	close(id.changed)
	id.changed = make(chan struct{})
	return nil
}

func (id *Identity) write(h *held) error {
	key, err := encodeKey(h.key)
	if err != nil {
		return err
	}
	if err := writeSecret(filepath.Join(id.dir, caFile), encodeCerts(h.ca)); err != nil {
		return err
	}
	return writeSecret(filepath.Join(id.dir, nodeFile), append(key, encodeCerts(h.leaf, h.ca)...))
}
