package trust

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// ServerTLS is for a node's listeners. A client may show a certificate, and is turned away if the authority did not sign it or
// it is not a node's; whoever shows none is left to Identify. ErrNoCertificate before the first Install.
func (id *Identity) ServerTLS() (*tls.Config, error) {
	h, err := id.current()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		Time:       id.now,
		ClientAuth: tls.VerifyClientCertIfGiven,
		ClientCAs:  poolOf(h.ca),
		// A resumed session would carry on with the certificate of an earlier one.
		SessionTicketsDisabled: true,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return id.present() },
		VerifyConnection: func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 {
				return nil
			}
			return nodeOnly(cs)
		},
	}, nil
}

// ClientTLS is for a node that calls another: it shows this node's certificate, and wants a node of the same authority at the
// host that it dialled. It is for http.Transport (with ForceAttemptHTTP2) and for gRPC, which set ServerName and protocols.
// ErrNoCertificate before the first Install.
func (id *Identity) ClientTLS() (*tls.Config, error) {
	h, err := id.current()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		Time:                 id.now,
		RootCAs:              poolOf(h.ca),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return id.present() },
		VerifyConnection:     nodeOnly,
	}, nil
}

func (id *Identity) present() (*tls.Certificate, error) {
	h, err := id.current()
	if err != nil {
		return nil, err
	}
	return h.presented, nil
}

// nodeOnly looks at a certificate that crypto/tls has verified already.
func nodeOnly(cs tls.ConnectionState) error {
	if len(cs.VerifiedChains) == 0 {
		return errors.New("the other side shows no certificate of this grid's authority")
	}
	if leaf := cs.VerifiedChains[0][0]; roleOf(leaf) != Node {
		return fmt.Errorf("the certificate of %.100q is not a node's", leaf.Subject.CommonName)
	}
	return nil
}

func poolOf(ca *x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	return pool
}
