package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// RenewableFor is how long after its end a certificate still proves who asks for a new one: a laptop that slept, a host
// that was down.
const RenewableFor = 90 * 24 * time.Hour

// Renewal is a node's request for a new certificate: the old chain, a request for the new key, and a signature over these, its
// hosts and the time, made with the old key. It needs no TLS certificate beside it, so that an expired one can be renewed.
type Renewal struct {
	Chain     []byte    `json:"chain"`           // PEM
	CSR       []byte    `json:"csr"`             // DER
	Hosts     []string  `json:"hosts,omitempty"` // none: those of the old certificate
	At        time.Time `json:"at"`
	Signature []byte    `json:"signature"` // ASN.1 ECDSA
}

// message is what the old key signs. It begins as TLS 1.3's own messages do (RFC 8446, 4.4.3), 64 spaces and a context, so that
// nothing that a TLS handshake makes the same key sign can pass for a renewal.
func (r Renewal) message() []byte {
	chain, csr := sha256.Sum256(r.Chain), sha256.Sum256(r.CSR)
	var b bytes.Buffer
	b.WriteString(strings.Repeat(" ", 64) + "throng, renewal of a node's certificate, 1\x00")
	b.Write(binary.BigEndian.AppendUint64(nil, uint64(r.At.Unix())))
	b.Write(chain[:])
	b.Write(csr[:])
	for _, h := range r.Hosts {
		b.WriteString(h + "\x00") // no host holds a zero, so no two lists read alike
	}
	sum := sha256.Sum256(b.Bytes())
	return sum[:]
}

func (r *Renewal) sign(key *ecdsa.PrivateKey) (err error) {
	r.Signature, err = ecdsa.SignASN1(rand.Reader, key, r.message())
	return err
}

// VerifyRenewal returns for whom a renewal asks. The certificate in it must be of this authority, of role Node, and have ended
// no longer than RenewableFor ago; its key must have signed the renewal less than Backdate from now. Whoever sends an old
// renewal once more gets a certificate for a key that he does not have.
//
// That the node is still a member is for the caller to check, before Sign.
func (a *Authority) VerifyRenewal(r Renewal, now time.Time) (Subject, error) {
	s, err := a.verifyRenewal(r, now)
	if err != nil {
		return Subject{}, unauthenticated("renew a certificate: %v", err)
	}
	return s, nil
}

func (a *Authority) verifyRenewal(r Renewal, now time.Time) (Subject, error) {
	certs, key, err := decodePEM(r.Chain)
	if err != nil {
		return Subject{}, err
	}
	if len(certs) == 0 || key != nil {
		return Subject{}, errors.New("it must show the old certificate, and no key")
	}
	leaf := certs[0]
	if end := leaf.NotAfter.Add(RenewableFor); now.After(end) {
		return Subject{}, fmt.Errorf("the old one expired at %s, and could be renewed until %s: join again, with a token", stamp(leaf.NotAfter), stamp(end))
	}
	if err := verifyLeaf(leaf, a.cert, "", within(leaf, now)); err != nil {
		return Subject{}, err
	}
	if pub := p256(leaf.PublicKey); pub == nil || !ecdsa.VerifyASN1(pub, r.message(), r.Signature) {
		return Subject{}, errors.New("it is not signed by the old certificate's key")
	}
	if apart := now.Sub(r.At).Abs(); apart > Backdate {
		return Subject{}, fmt.Errorf("it was signed at %s, and the clock here says %s: set the clocks", stamp(r.At), stamp(now))
	}
	s := subjectOf(leaf)
	if len(r.Hosts) > 0 {
		s.Hosts = r.Hosts
	}
	return s, nil
}

// within is now, or the certificate's last moment if that is over: all else about it is then checked as it was.
func within(c *x509.Certificate, now time.Time) time.Time {
	if now.After(c.NotAfter) {
		return c.NotAfter
	}
	return now
}

// verifyLeaf checks that the authority signed a certificate of role Node, that it is good at now, and, if a host is
// given, that it is for that host.
func verifyLeaf(leaf, authority *x509.Certificate, host string, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: host, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return err
	}
	if roleOf(leaf) != Node {
		return fmt.Errorf("the certificate of %.100q is not a node's", leaf.Subject.CommonName)
	}
	return nil
}
