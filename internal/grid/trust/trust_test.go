package trust

import (
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// noon is when the grids of these tests are founded.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a clock that a test sets.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func at(t time.Time) *clock { return &clock{t} }

func authority(t testing.TB) *Authority {
	t.Helper()
	a, err := NewAuthority("grid-1", noon)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// node is an identity that the authority signed for, at its clock, for 127.0.0.1 and localhost.
func node(t testing.TB, a *Authority, name string, c *clock) *Identity {
	t.Helper()
	id, err := OpenIdentity(filepath.Join(t.TempDir(), "trust"), c.now)
	if err != nil {
		t.Fatal(err)
	}
	install(t, a, id, name, c.now())
	return id
}

func install(t testing.TB, a *Authority, id *Identity, name string, now time.Time, hosts ...string) {
	t.Helper()
	if len(hosts) == 0 {
		hosts = []string{"127.0.0.1", "localhost"}
	}
	csr, err := id.CSR()
	if err != nil {
		t.Fatal(err)
	}
	chain, err := a.Sign(csr, Subject{Name: name, Role: Node, Hosts: hosts, Identity: "of-" + name}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Install(chain); err != nil {
		t.Fatal(err)
	}
}

func privateMode(t *testing.T, name string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want && runtime.GOOS != "windows" {
		t.Errorf("%s has mode %04o, want %04o", name, got, want)
	}
}

// again is the authority's certificate as if it had been founded at another time.
func again(t *testing.T, a *Authority, now time.Time) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, authorityTemplate("grid-1", now), authorityTemplate("grid-1", now), a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
