package k6http

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/grafana/sobek"
	"golang.org/x/crypto/ocsp"

	"throng/internal/load/httpc"
)

// reset makes room for the next hop.
func (r *response) reset(h *hop) {
	if !r.wire.Times.Start.IsZero() { // else it is new
		r.wire, r.error, r.code = httpc.Response{}, "", 0
	}
	r.at, r.asked = h.target, h.first
}

// settle takes over what an exchange has left.
func (r *response) settle() {
	w := &r.wire
	switch {
	case r.call.kind == none || w.Status == http.StatusNoContent || w.Status == http.StatusNotModified:
		w.Body = nil
	case w.Body == nil && w.Status != 0:
		w.Body = []byte{}
	}
	if w.Status >= 400 {
		r.code = codeStatus + int32(w.Status)
	}
}

// fail turns the response into that of a request that did not work.
func (r *response) fail(f *failure) {
	if f == nil {
		r.asked = false
		return
	}
	r.wire.Status, r.wire.Proto = 0, ""
	r.error, r.code = f.short, int32(f.code)
	if len(r.wire.Body) == 0 {
		r.wire.Body = nil
	}
}

func (r *response) remote() (ip string, port int) {
	if p := r.wire.Peer; p != nil && p.Addr.IsValid() {
		return p.Addr.Addr().Unmap().String(), int(p.Addr.Port())
	}
	return "", 0
}

// secured is the TLS connection that the answer came over, or nil.
func (r *response) secured() *tls.ConnectionState {
	if r.wire.Peer == nil || r.status() == 0 {
		return nil
	}
	return r.wire.Peer.TLS
}

func (r *response) cipher() string {
	if r.secured() == nil {
		return ""
	}
	return tls.CipherSuiteName(r.secured().CipherSuite)
}

func tlsVersionName(v uint16) string {
	switch v {
	case tls.VersionTLS10:
		return "tls1.0"
	case tls.VersionTLS11:
		return "tls1.1"
	case tls.VersionTLS12:
		return "tls1.2"
	case tls.VersionTLS13:
		return "tls1.3"
	}
	return ""
}

// stapled is what res.ocsp tells: the certificate's status as the server stapled it to the handshake.
type stapled struct {
	produced, this, next, revoked int64 // seconds since 1970
	reason, status                string
}

func (r *response) ocsp() (s stapled) {
	state := r.secured()
	if state == nil {
		return s
	}
	s.status = "unknown"
	if len(state.OCSPResponse) == 0 {
		return s
	}
	o, err := ocsp.ParseResponse(state.OCSPResponse, nil)
	if err != nil {
		return s
	}
	switch o.Status {
	case ocsp.Good:
		s.status = "good"
	case ocsp.Revoked:
		s.status = "revoked"
	case ocsp.ServerFailed:
		s.status = "server_failed"
	}
	if o.Status == ocsp.Revoked {
		reasons := [...]string{
			ocsp.Unspecified: "unspecified", ocsp.KeyCompromise: "key_compromise", ocsp.CACompromise: "ca_compromise",
			ocsp.AffiliationChanged: "affiliation_changed", ocsp.Superseded: "superseded",
			ocsp.CessationOfOperation: "cessation_of_operation", ocsp.CertificateHold: "certificate_hold",
			ocsp.RemoveFromCRL: "remove_from_crl", ocsp.PrivilegeWithdrawn: "privilege_withdrawn", ocsp.AACompromise: "aa_compromise",
		}
		if o.RevocationReason >= 0 && o.RevocationReason < len(reasons) {
			s.reason = reasons[o.RevocationReason]
		}
		s.revoked = o.RevokedAt.Unix()
	}
	s.produced, s.this, s.next = o.ProducedAt.Unix(), o.ThisUpdate.Unix(), o.NextUpdate.Unix()
	return s
}

func (s stapled) object(rt *sobek.Runtime) *sobek.Object {
	o := rt.NewObject()
	_ = o.Set("produced_at", s.produced)
	_ = o.Set("this_update", s.this)
	_ = o.Set("next_update", s.next)
	_ = o.Set("revoked_at", s.revoked)
	_ = o.Set("revocation_reason", s.reason)
	_ = o.Set("status", s.status)
	return o
}

// The error codes that do not come from an exchange (https://grafana.com/docs/k6, "Error codes").
const (
	codeOther      = 1000
	codeURL        = 1020
	codeTimeout    = 1050
	codeDecompress = 1701
	codeStatus     = 1000 // and the status
)

// failure is why a request did not work: code and short text for the response and the tags, and the long text for the
// log and for scripts that want exceptions.
type failure struct {
	code  int
	short string
	long  error
}

// Error returns the long text.
func (f *failure) Error() string { return f.long.Error() }

// Unwrap returns the error behind it.
func (f *failure) Unwrap() error { return f.long }

// badURL marks an error as that of a URL.
func badURL(err error) error { return &failure{code: codeURL, short: err.Error(), long: err} }

// failureOf classes an error of a hop; started says that a response had begun.
func failureOf(err error, h *hop, started bool) *failure {
	if err == nil {
		return nil
	}
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	f = &failure{code: codeOther, short: err.Error(), long: err}
	var wire *httpc.Error
	switch {
	case errors.As(err, &wire):
		f.code, f.short = wire.Code, wire.Message
		if wire.Cause != nil {
			f.long = wire.Cause
		}
		if started {
			return f // net/http tells what fails in a body without method and URL
		}
	case errors.Is(err, errDecompress):
		f.code = codeDecompress
		return f
	case errors.Is(err, errSwitched):
		return f
	case errors.Is(err, errTimeout):
		f.code = codeTimeout
	}
	f.long = &url.Error{Op: title(h.method), URL: withoutPassword(h.target.url), Err: f.long}
	return f
}

// title writes a method as net/http does in its errors.
func title(method string) string {
	if method == "" {
		return "Get"
	}
	return method[:1] + strings.ToLower(method[1:])
}

func withoutPassword(u *url.URL) string { return u.Redacted() }
