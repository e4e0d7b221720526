package httpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/net/http2"
)

// Error is why an exchange failed, in k6's words (https://grafana.com/docs/k6, "Error codes"). Every error of Do is one,
// save ErrInterrupted.
type Error struct {
	Code    int
	Message string // what a script sees as Response.error
	Cause   error  // what happened, with addresses and names
}

// Error returns the message that a script sees.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// ErrInterrupted ends every exchange of a Client that was interrupted.
var ErrInterrupted = errors.New("interrupted")

// k6's codes.
const (
	CodeDefault         = 1000
	CodeNonTCP          = 1010
	CodeInvalidURL      = 1020
	CodeTimeout         = 1050
	CodeDNS             = 1100
	CodeNoSuchHost      = 1101
	CodeBlockedIP       = 1110
	CodeBlockedHostname = 1111
	CodeTCP             = 1200
	CodeBrokenPipe      = 1201
	CodeTCPUnknown      = 1202
	CodeDial            = 1210
	CodeDialTimeout     = 1211
	CodeDialRefused     = 1212
	CodeDialUnknown     = 1213
	CodeReset           = 1220
	CodeTLS             = 1300
	CodeTLSHeader       = 1301
	CodeUnknownCA       = 1310
	CodeHostnameTLS     = 1311
	CodeHTTP2           = 1600
	CodeGoAway          = 1610
	CodeHTTP2Stream     = 1630
	CodeHTTP2Conn       = 1650
)

// plain is an error of which only the text matters.
type plain string

func (e plain) Error() string { return string(e) }

func quote(s string) string { return strconv.Quote(s) }

// errTimedOut is what a wire reports when the exchange's deadline has passed.
type timedOut struct{}

func (timedOut) Error() string   { return "request timeout" }
func (timedOut) Timeout() bool   { return true }
func (timedOut) Temporary() bool { return true }

var errTimedOut error = timedOut{}

// blockedIP and blockedHost say why a dial was not allowed.
type blockedIP struct {
	ip netip.Addr
	in netip.Prefix
}

func (e *blockedIP) Error() string {
	return fmt.Sprintf("IP (%s) is in a blacklisted range (%s)", e.ip, e.in)
}

type blockedHost struct{ name, pattern string }

func (e *blockedHost) Error() string {
	return fmt.Sprintf("hostname (%s) is in a blocked pattern (%s)", e.name, e.pattern)
}

// failure classes an error. It keeps ErrInterrupted as it is.
func failure(err error) error {
	if err == nil {
		return nil // before what follows is allocated
	}
	var done *Error
	switch {
	case errors.Is(err, ErrInterrupted):
		return ErrInterrupted
	case errors.As(err, &done):
		return done
	}
	e := classify(err)
	e.Cause = err
	var record tls.RecordHeaderError
	if errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/" {
		e.Cause = plain("http: server gave HTTP response to HTTPS client") // in the words of net/http
	}
	return e
}

func classify(err error) *Error {
	var (
		ip       *blockedIP
		host     *blockedHost
		dns      *net.DNSError
		op       *net.OpError
		hostname x509.HostnameError
		unknown  x509.UnknownAuthorityError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return &Error{Code: CodeTCP, Message: op.Error()}
	case errors.Is(err, errTimedOut), errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: CodeTimeout, Message: "request timeout"}
	case errors.As(err, &ip):
		return &Error{Code: CodeBlockedIP, Message: "ip is blacklisted"}
	case errors.As(err, &host):
		return &Error{Code: CodeBlockedHostname, Message: "hostname is blocked"}
	case errors.As(err, &dns):
		if dns.IsNotFound || dns.Err == "no such host" {
			return &Error{Code: CodeNoSuchHost, Message: "lookup: no such host"}
		}
		return &Error{Code: CodeDNS, Message: "lookup: " + dns.Err}
	case errors.As(err, &hostname):
		return &Error{Code: CodeHostnameTLS, Message: "x509: certificate doesn't match hostname"}
	case errors.As(err, &unknown):
		return &Error{Code: CodeUnknownCA, Message: "x509: unknown authority"}
	case errors.As(err, &record):
		return &Error{Code: CodeTLSHeader, Message: record.Error()}
	case errors.As(err, &verify):
		return &Error{Code: CodeDefault, Message: verify.Err.Error()}
	}
	if e := classifyHTTP2(err); e != nil {
		return e
	}
	if errors.As(err, &op) {
		return classifyOp(op)
	}
	return &Error{Code: CodeDefault, Message: err.Error()}
}

// classifyOp is for what the network reports.
func classifyOp(op *net.OpError) *Error {
	if op.Net != "tcp" && op.Net != "tcp4" && op.Net != "tcp6" {
		return &Error{Code: CodeNonTCP, Message: op.Error()}
	}
	var no syscall.Errno
	known := errors.As(op.Err, &no)
	switch {
	case op.Op == "dial" && op.Timeout():
		return &Error{Code: CodeDialTimeout, Message: "dial: i/o timeout"}
	case op.Op == "dial" && errors.Is(op.Err, syscall.ECONNREFUSED):
		return &Error{Code: CodeDialRefused, Message: "dial: connection refused"}
	case op.Op == "dial" && known:
		return &Error{Code: CodeDialUnknown, Message: fmt.Sprintf("dial: unknown errno %d on %s with message `%s`", int(no), runtime.GOOS, no)}
	case op.Op == "dial":
		return &Error{Code: CodeDial, Message: op.Error()}
	case op.Op == "write" && errors.Is(op.Err, syscall.EPIPE):
		return &Error{Code: CodeBrokenPipe, Message: "write: broken pipe"}
	case errors.Is(op.Err, syscall.ECONNRESET):
		return &Error{Code: CodeReset, Message: op.Op + ": connection reset by peer"}
	case known:
		return &Error{Code: CodeTCPUnknown, Message: fmt.Sprintf("%s: unknown errno %d on %s with message `%s`", op.Op, int(no), runtime.GOOS, no)}
	}
	return &Error{Code: CodeTCP, Message: op.Error()}
}

// classifyHTTP2 returns nil for what is none of HTTP/2's own errors.
func classifyHTTP2(err error) *Error {
	var (
		away   http2.GoAwayError
		stream http2.StreamError
		conn   http2.ConnectionError
	)
	switch {
	case errors.As(err, &away):
		return &Error{Code: CodeGoAway + http2Offset(away.ErrCode), Message: fmt.Sprintf("http2: received GoAway with http2 ErrCode %s", away.ErrCode)}
	case errors.As(err, &stream):
		return &Error{Code: CodeHTTP2Stream + http2Offset(stream.Code), Message: fmt.Sprintf("http2: stream error with http2 ErrCode %s", stream.Code)}
	case errors.As(err, &conn):
		return &Error{Code: CodeHTTP2Conn + http2Offset(http2.ErrCode(conn)), Message: fmt.Sprintf("http2: connection error with http2 ErrCode %s", http2.ErrCode(conn))}
	}
	return nil
}

// http2Offset leaves room for the codes that HTTP/2 defines; the first code of each range stands for all others.
func http2Offset(c http2.ErrCode) int {
	if c > http2.ErrCodeHTTP11Required {
		return 0
	}
	return 1 + int(c)
}

// isTimeout reports whether a deadline that was set on the connection has passed.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
