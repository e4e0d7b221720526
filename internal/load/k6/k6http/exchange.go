package k6http

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"throng/internal/load/httpc"
)

// carrier runs calls: on the virtual user's goroutine or, for batches and asyncRequest, on others.
type carrier struct {
	shared *shared
	http   *httpc.Client
	ctx    context.Context
	shard  uint32
	open   bool
	late   float64
	meta   map[string]string
	slot   *slot // nil off the virtual user's goroutine
	debug  []any // what the lines of httpDebug say of the sender
}

func (c *client) carrier() carrier {
	k := carrier{shared: c.shared, http: c.connect(), ctx: c.vu.Context, shard: c.vu.Shard, open: c.vu.Open, late: c.vu.Late, meta: c.vu.Metadata}
	if c.shared.debug != "" {
		k.debug = c.sender()
	}
	return k
}

// hop is one exchange of a call.
type hop struct {
	method  string
	target  *target
	header  []httpc.Field
	host    string
	body    []byte
	first   bool
	changed bool // it is not what the call's own request says: credentials were added
	login   bool // a 401 here asks for credentials that we have
}

// run sends the call and follows where it leads. The error has been counted and is in r as well.
func (k *carrier) run(q *call, r *response) error {
	h := hop{method: q.method, target: q.target, header: q.header, host: q.host, body: q.body, first: true}
	if h.method == "" {
		h.method = http.MethodGet
	}
	r.method, r.call = h.method, q
	deadline := time.Time{}
	for left := q.redirects; ; left-- {
		if err := k.authorized(q, &h, r, &deadline); err != nil {
			return err
		}
		next := k.redirect(q, &h, r)
		if next == nil {
			return nil
		}
		if left <= 0 {
			if !q.limited {
				k.shared.test.Log.Warn(fmt.Sprintf("Stopped after %d redirects and returned the redirection; pass { redirects: n } in request params or set global maxRedirects to silence this", q.redirects))
			}
			return nil
		}
		h = *next
	}
}

// exchange sends one hop, keeps its cookies and counts it.
func (k *carrier) exchange(q *call, h *hop, r *response, deadline *time.Time) error {
	s := k.shared
	if s.limiter != nil {
		if err := s.limiter.Wait(k.ctx); err != nil {
			return k.failed(r, h, err)
		}
	}
	r.reset(h)
	req := &q.wire
	if line, sent := q.cookieHeader(h.target, h.first); line != "" || !h.first || h.changed || !deadline.IsZero() {
		req = &httpc.Request{Method: h.method, URL: h.target.wire, Host: h.host, Header: h.header, Body: h.body,
			Timeout: q.timeout, Deadline: *deadline, Discard: q.kind == none}
		if line != "" {
			req.Header = append(req.Header[:len(req.Header):len(req.Header)], httpc.Field{Name: "Cookie", Value: line})
		}
		if h.first {
			r.sentCookie, r.sentCookies = line, sent
		}
	}
	if s.debug != "" {
		s.dumpRequest(h, req, k.debug)
	}
	var err error
	if req.Timeout <= 0 {
		err = errTimeout
	}
	if err == nil {
		err = k.http.Do(req, &r.wire)
		if deadline.IsZero() {
			*deadline = r.wire.Times.Start.Add(q.timeout) // the whole chain must end by then
		}
	}
	r.settle()
	if err == nil && r.status == http.StatusSwitchingProtocols {
		err = errSwitched
	}
	if s.debug != "" && err == nil {
		s.dumpResponse(r, k.debug)
	}
	if err == nil {
		err = k.receive(q, h, r)
	}
	f := failureOf(err, h, r.status != 0)
	r.fail(f)
	if err != errSwitched { //nolint:errorlint // this very one; k6 knows no such exchange, and counts none
		k.count(q, h, r)
	}
	if err != nil {
		return f
	}
	return nil
}

// receive keeps the cookies of a response and undoes its encoding.
func (k *carrier) receive(q *call, h *hop, r *response) error {
	if q.jar != nil {
		if r.wire.Header.SetsCookies() {
			lines := r.wire.Header.Values("Set-Cookie")
			q.jar.SetCookies(h.target.url, parseCookies(lines))
		}
	}
	if redirects(r.status) {
		where := r.wire.Header.Get("Location")
		if _, err := h.target.url.Parse(where); err != nil {
			return fmt.Errorf("failed to parse Location header %q: %w", where, err)
		}
	}
	if q.kind == none || len(r.body) == 0 || h.method == http.MethodHead {
		return nil
	}
	enc := r.wire.Header.Get("Content-Encoding")
	if enc == "" {
		return nil
	}
	body, err := decode(r.body, enc, k.shared.net.config.MaxResponseBytes)
	r.body = body
	return err
}

func parseCookies(lines []string) []*http.Cookie {
	return (&http.Response{Header: http.Header{"Set-Cookie": lines}}).Cookies()
}

// count folds the samples of one hop. What a virtual user was doing when it was stopped is not counted.
func (k *carrier) count(q *call, h *hop, r *response) {
	if k.ctx != nil && k.ctx.Err() != nil {
		return
	}
	on := &k.shared.test.SystemTags
	l := labels{base: q.base, name: q.name, url: q.name, method: h.method, status: r.status, proto: r.proto,
		tls: r.tlsVersion, error: r.error, code: r.code}
	if !q.named {
		l.name, l.url = h.target.clean, h.target.clean
	}
	if on.OCSPStatus && r.tlsVersion != "" {
		l.ocsp = r.ocsp().status
	}
	if on.IP {
		l.ip, _ = r.remote()
	}
	if !on.Error {
		l.error = ""
	}
	failed := false
	if q.callback != nil {
		l.expect = expected
		if !q.callback.expects(r.status) && !(h.login && r.status == http.StatusUnauthorized) {
			l.expect, failed = unexpected, true
		}
	}
	t := meterTimes{End: r.end, Duration: r.times.duration, Blocked: r.times.blocked, Connecting: r.times.connecting,
		TLS: r.times.tls, Sending: r.times.sending, Waiting: r.times.waiting, Receiving: r.times.receiving,
		Failed: failed, HasFailed: q.callback != nil, Open: k.open, Late: k.late}
	k.shared.test.Meter.AddRequest(k.shard, k.series(&l), &t, k.meta)
}

// failed notes an error that no exchange has counted.
func (k *carrier) failed(r *response, h *hop, err error) error {
	f := failureOf(err, h, false)
	r.fail(f)
	return f
}

// redirect returns the hop that the response asks for, or nil.
func (k *carrier) redirect(q *call, h *hop, r *response) *hop {
	if !redirects(r.status) {
		return nil
	}
	where := r.wire.Header.Get("Location")
	u, err := h.target.url.Parse(where)
	if where == "" || err != nil {
		return nil // receive has told of the error
	}
	next := &hop{method: h.method, target: targetOf(u), body: h.body}
	drop := 0
	if r.status < 307 {
		next.body = nil
		drop |= dropContent
		if h.method != http.MethodHead {
			next.method = http.MethodGet
		}
	}
	if !sameSite(q.target.url, u) {
		drop |= dropSecrets
	}
	for _, f := range h.header {
		if !dropped(f.Name, drop) {
			next.header = append(next.header, f)
		}
	}
	if ref := referer(h.target.url, u); ref != "" && !q.has("Referer") {
		next.header = setField(next.header, "Referer", ref)
	}
	if h.host != "" && !isAbsolute(where) {
		next.host = h.host
	}
	return next
}

func redirects(status int) bool {
	switch status {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}

func setField(fields []httpc.Field, name, value string) []httpc.Field {
	for i := range fields {
		if fields[i].Name == name {
			fields[i].Value = value
			return fields
		}
	}
	return append(fields, httpc.Field{Name: name, Value: value})
}

func isAbsolute(ref string) bool {
	u, err := url.Parse(ref)
	return err != nil || u.IsAbs()
}

const (
	dropContent = 1 << iota // the next request has no body
	dropSecrets             // it goes to a stranger
)

func dropped(name string, drop int) bool {
	switch name {
	case "Content-Type", "Content-Encoding", "Content-Language", "Content-Location":
		return drop&dropContent != 0
	case "Authorization", "Www-Authenticate", "Proxy-Authorization", "Proxy-Authenticate", "Cookie2":
		return drop&dropSecrets != 0
	}
	return false
}

// sameSite reports whether secrets meant for from may go to to: the same host or one below it, as net/http decides.
func sameSite(from, to *url.URL) bool {
	a, b := strings.ToLower(from.Hostname()), strings.ToLower(to.Hostname())
	return a == b || strings.HasSuffix(b, "."+a)
}

// referer is the header Referer of a request from a to b (RFC 9110, 10.1.3): no credentials, and not from https to http.
func referer(a, b *url.URL) string {
	if a.Scheme == "https" && b.Scheme == "http" {
		return ""
	}
	if a.User == nil {
		return a.String()
	}
	clean := *a
	clean.User = nil
	return clean.String()
}

var (
	errTimeout  = errors.New("request timeout")
	errSwitched = errors.New("unsupported response status: 101 Switching Protocols")
)
