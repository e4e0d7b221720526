package trust

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The bounds of what a stranger may ask to be signed.
const (
	maxCSR   = 8 << 10
	maxHosts = 64
	maxName  = 253
)

// Subject is whom a certificate is for.
type Subject struct {
	Name     string   // the node's name
	Role     Role     // Node
	Hosts    []string // the hosts of the node's URLs: IP addresses and DNS names, no ports
	Identity string   // cluster.Node.Identity, optional: two nodes of one name cannot pass for one another
}

// Sign returns the certificate chain, PEM, for the key in a certificate request (DER, PKCS #10). Only the key is taken from the
// request; name, role and hosts are the caller's word. The chain ends with the authority's own certificate, so that
// whoever holds a pin can check it.
//
// It signs for role Node alone: etcd's peer port knows no roles, and lets every certificate of the authority in.
func (a *Authority) Sign(csr []byte, s Subject, now time.Time) ([]byte, error) {
	chain, err := a.sign(csr, s, now)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate for %q: %w", s.Name, err)
	}
	return chain, nil
}

func (a *Authority) sign(csr []byte, s Subject, now time.Time) ([]byte, error) {
	if s.Role != Node {
		return nil, fmt.Errorf("certificates are for nodes; who acts as %s carries a token", s.Role)
	}
	req, err := parseCSR(csr)
	if err != nil {
		return nil, err
	}
	tmpl, err := s.template(now)
	if err != nil {
		return nil, err
	}
	if now.Before(a.cert.NotBefore) || !now.Before(a.cert.NotAfter) {
		return nil, fmt.Errorf("the grid's authority is good from %s until %s, and the clock here says %s", stamp(a.cert.NotBefore), stamp(a.cert.NotAfter), stamp(now))
	}
	if tmpl.NotAfter.After(a.cert.NotAfter) {
		tmpl.NotAfter = a.cert.NotAfter
	}
	leaf, err := a.issue(tmpl, req.PublicKey)
	if err != nil {
		return nil, err
	}
	return encodeCerts(leaf, a.cert), nil
}

func (a *Authority) issue(tmpl *x509.Certificate, key any) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// parseCSR checks that a request is small, of our one kind of key, and signed by that key's owner.
func parseCSR(der []byte) (*x509.CertificateRequest, error) {
	if len(der) > maxCSR {
		return nil, fmt.Errorf("the certificate request is larger than %d bytes", maxCSR)
	}
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate request: %w", err)
	}
	if p256(req.PublicKey) == nil {
		return nil, errors.New("the certificate request is not for an ECDSA P-256 key")
	}
	if err := req.CheckSignature(); err != nil {
		return nil, fmt.Errorf("the certificate request is not signed by its key: %w", err)
	}
	return req, nil
}

func (s Subject) template(now time.Time) (*x509.Certificate, error) {
	if err := checkName("name", s.Name); err != nil {
		return nil, err
	}
	if s.Identity != "" {
		if err := checkName("identity", s.Identity); err != nil {
			return nil, err
		}
	}
	c := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{organization + string(s.Role)}, CommonName: s.Name, SerialNumber: s.Identity},
		NotBefore:             now.Add(-Backdate),
		NotAfter:              now.Add(NodeLife),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	return c, addHosts(c, s.Hosts)
}

func addHosts(c *x509.Certificate, hosts []string) error {
	if len(hosts) == 0 || len(hosts) > maxHosts {
		return fmt.Errorf("a node's certificate names 1 to %d hosts, not %d", maxHosts, len(hosts))
	}
	for _, h := range hosts {
		if err := addHost(c, h); err != nil {
			return err
		}
	}
	return nil
}

func addHost(c *x509.Certificate, host string) error {
	name := strings.ToLower(strings.TrimSuffix(bare(host), "."))
	if ip, err := netip.ParseAddr(name); err == nil {
		if ip.IsUnspecified() {
			return fmt.Errorf("%s stands for every address of a host: give the one that others reach", ip)
		}
		c.IPAddresses = append(c.IPAddresses, ip.Unmap().AsSlice())
		return nil
	}
	if len(name) > maxName || slices.ContainsFunc(strings.Split(name, "."), func(l string) bool { return !label.MatchString(l) }) {
		return fmt.Errorf("%.100q is neither an IP address nor a host name", host)
	}
	c.DNSNames = append(c.DNSNames, name)
	return nil
}

// bare is a URL's host as certificates know it: an IPv6 address without brackets and zone.
func bare(host string) string {
	host, _, _ = strings.Cut(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), "%")
	return host
}

var (
	// label is one part of a DNS name. There is no wildcard: a certificate is for the hosts that a node has.
	label    = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)
	safeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]*$`)
)

// checkName holds names to what is safe in a certificate, a key of the store, a log line and a terminal.
func checkName(what, name string) error {
	if len(name) > maxName || !safeName.MatchString(name) {
		return fmt.Errorf("the %s %.100q is not letters, digits, '.', '_', ':' and '-', at most %d of them", what, name, maxName)
	}
	return nil
}

// subjectOf reads back what Sign wrote.
func subjectOf(c *x509.Certificate) Subject {
	s := Subject{Name: c.Subject.CommonName, Role: roleOf(c), Identity: c.Subject.SerialNumber, Hosts: slices.Clone(c.DNSNames)}
	for _, ip := range c.IPAddresses {
		s.Hosts = append(s.Hosts, ip.String())
	}
	return s
}
