package plan

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// Certificate returns the client certificate, for crypto/tls. A key with a password is one of the old kind that PEM
// headers describe (RFC 1423); nothing else with a password is readable.
func (a *TLSAuth) Certificate() (*tls.Certificate, error) {
	key := []byte(a.Key)
	if a.Password != "" {
		block, _ := pem.Decode(key)
		if block == nil {
			return nil, errors.New("failed to decode PEM key")
		}
		der, err := x509.DecryptPEMBlock(block, []byte(a.Password)) //nolint:staticcheck // scripts have such keys
		if err != nil {
			return nil, err
		}
		key = pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der})
	}
	c, err := tls.X509KeyPair([]byte(a.Cert), key)
	if err != nil {
		return nil, err
	}
	return &c, nil
}
