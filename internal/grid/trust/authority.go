package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// How long what the authority signs is good for. Certificates begin Backdate before they are signed: a clock that is late by
// less than that does not refuse them. See TestClocksApartStillWork.
const (
	AuthorityLife = 10 * 365 * 24 * time.Hour
	NodeLife      = 7 * 24 * time.Hour
	Backdate      = time.Hour
)

const (
	authorityFile = "authority.pem"
	authorityName = "throng grid "
	certBlock     = "CERTIFICATE"
	keyBlock      = "PRIVATE KEY"
)

// Authority is a grid's certificate authority: an ECDSA P-256 key and its self-signed certificate. It never changes during
// the life of a grid. Its methods may be called from any goroutine.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes the authority of a new grid.
func NewAuthority(gridID string, now time.Time) (*Authority, error) {
	if err := checkName("grid id", gridID); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, authorityTemplate(gridID, now), authorityTemplate(gridID, now), key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the authority's certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make the authority's certificate: %w", err)
	}
	return &Authority{cert: cert, key: key}, nil
}

func authorityTemplate(gridID string, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"throng"}, CommonName: authorityName + gridID},
		NotBefore:             now.Add(-Backdate),
		NotAfter:              now.Add(AuthorityLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// GridID is the id of the grid that the authority was made for.
func (a *Authority) GridID() string {
	return strings.TrimPrefix(a.cert.Subject.CommonName, authorityName)
}

// Pin is the hexadecimal SHA-256 of the authority's public key (its SubjectPublicKeyInfo, as in RFC 7469): what a token says of
// the grid that it is for.
func (a *Authority) Pin() string { return pinOf(a.cert) }

func pinOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// String names the authority and hides its key, as Format, LogValue and MarshalJSON do.
func (a Authority) String() string { return "authority of " + a.cert.Subject.CommonName }

// Format is String for every verb.
func (a Authority) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(a.String())) }

// LogValue is String for package slog.
func (a Authority) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalJSON is String for encoding/json; Encode is for the key.
func (a Authority) MarshalJSON() ([]byte, error) { return json.Marshal(a.String()) }

// Encode returns the authority, private key included, for DecodeAuthority: to be sent over TLS between nodes that vote.
func (a *Authority) Encode() ([]byte, error) {
	key, err := encodeKey(a.key)
	if err != nil {
		return nil, err
	}
	return append(encodeCerts(a.cert), key...), nil
}

// DecodeAuthority reads what Encode wrote.
func DecodeAuthority(b []byte) (*Authority, error) {
	a, err := decodeAuthority(b)
	if err != nil {
		return nil, fmt.Errorf("read the grid's authority: %w", err)
	}
	return a, nil
}

func decodeAuthority(b []byte) (*Authority, error) {
	certs, key, err := decodePEM(b)
	if err != nil {
		return nil, err
	}
	if len(certs) != 1 || key == nil {
		return nil, errors.New("it needs one certificate and one key")
	}
	if !isAuthority(certs[0]) || !key.PublicKey.Equal(certs[0].PublicKey) {
		return nil, errors.New("its certificate is not that of a grid's authority, or not that of its key")
	}
	return &Authority{cert: certs[0], key: key}, nil
}

// isAuthority reports whether a certificate could be a grid's authority. Only a pin or a file says that it is.
func isAuthority(c *x509.Certificate) bool {
	return c.IsCA && c.BasicConstraintsValid && strings.HasPrefix(c.Subject.CommonName, authorityName) && p256(c.PublicKey) != nil
}

// p256 returns a public key if it is of the one kind that a grid uses. Others are refused before any arithmetic is
// done with them: a stranger's key can be made to be slow.
func p256(key any) *ecdsa.PublicKey {
	k, ok := key.(*ecdsa.PublicKey)
	if !ok || k.Curve != elliptic.P256() {
		return nil
	}
	return k
}

// Save writes the authority into dir, certificate and key in one file, so that a crash never parts them.
func (a *Authority) Save(dir string) error {
	b, err := a.Encode()
	if err == nil {
		err = privateDir(dir)
	}
	if err == nil {
		err = writeSecret(filepath.Join(dir, authorityFile), b)
	}
	if err != nil {
		return fmt.Errorf("save the grid's authority: %w", err)
	}
	return nil
}

// LoadAuthority reads what Save wrote. The error is os.ErrNotExist where the node has none.
func LoadAuthority(dir string) (*Authority, error) {
	name := filepath.Join(dir, authorityFile)
	b, _, err := readBounded(name, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read the grid's authority: %w", err)
	}
	a, err := decodeAuthority(b)
	if err != nil {
		return nil, fmt.Errorf("read the grid's authority from %s: %w", name, err)
	}
	return a, nil
}

// RemoveAuthority deletes what Save wrote: a node that votes no longer keeps no key. It is no error if there is none.
func RemoveAuthority(dir string) error {
	if err := os.Remove(filepath.Join(dir, authorityFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete the grid's authority: %w", err)
	}
	syncDir(dir)
	return nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}), nil
}

func encodeCerts(certs ...*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, c := range certs {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: certBlock, Bytes: c.Raw}))
	}
	return out.Bytes()
}

// decodePEM reads certificates in their order and at most one key, and refuses everything else.
func decodePEM(b []byte) (certs []*x509.Certificate, key *ecdsa.PrivateKey, err error) {
	if len(b) > maxFile {
		return nil, nil, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	for len(bytes.TrimSpace(b)) > 0 {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil, nil, errors.New("it is not PEM")
		}
		switch {
		case block.Type == certBlock:
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, err
			}
			certs = append(certs, c)
		case block.Type == keyBlock && key == nil:
			if key, err = decodeKey(block.Bytes); err != nil {
				return nil, nil, err
			}
		default:
			return nil, nil, errors.New("it holds more than certificates and one key")
		}
	}
	return certs, key, nil
}

func decodeKey(der []byte) (*ecdsa.PrivateKey, error) {
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("its key cannot be read") // the cause could quote the key
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok || p256(key.Public()) == nil {
		return nil, errors.New("its key is not an ECDSA P-256 key")
	}
	return key, nil
}
