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
	"throng/internal/load/meter"
)

// carrier runs calls: on the virtual user's goroutine or, for batches and asyncRequest, on others.
type carrier struct {
	shared *shared
	http   *httpc.Client
	jar    *Jar // of the virtual user
	ctx    context.Context
	shard  uint32
	open   bool
	late   float64
	meta   map[string]string
	slot   *slot // nil off the virtual user's goroutine
	debug  []any // what the lines of httpDebug say of the sender

	deadline time.Time // of the call that runs: from its second exchange on
}

func (c *client) carrier() carrier {
	k := carrier{shared: c.shared, http: c.connect(), jar: c.currentJar(), ctx: c.vu.Context, shard: c.vu.Shard, open: c.vu.Open, late: c.vu.Late, meta: c.vu.Metadata}
	if c.shared.debug != "" {
		k.debug = c.sender()
	}
	return k
}

// ownCarrier is the one of the virtual user's goroutine. It is kept, so it takes no stack while a call waits.
func (c *client) ownCarrier(q *call) *carrier {
	k, vu := &c.own, c.vu
	k.shared, k.http, k.jar, k.slot = c.shared, c.connect(), c.currentJar(), c.slotOf(q.target)
	k.ctx, k.shard, k.open, k.late, k.meta = vu.Context, vu.Shard, vu.Open, vu.Late, vu.Metadata
	if c.shared.debug != "" {
		k.debug = c.sender()
	}
	return k
}

// hop is one exchange of a call.
type hop struct {
	method  string
	target  *target
	header  []httpc.Field // canonical names; no Cookie, no Host
	host    string
	body    []byte
	first   bool
	changed bool // it is not what the call's own request says: credentials were added
	login   bool // a 401 here asks for credentials that we have
}

// run sends the call and follows where it leads. The error has been counted and is in r as well.
func (k *carrier) run(q *call, r *response) error {
	r.call, k.deadline = q, time.Time{}
	err := k.hop(q, &q.hop, r)
	if err == nil && redirects(r.status()) {
		return k.follow(q, r)
	}
	return err
}

// follow goes on where the first hop leads to.
func (k *carrier) follow(q *call, r *response) error {
	h := &q.hop
	for left := q.redirects; ; left-- {
		if h = k.redirect(q, h, r); h == nil {
			return nil
		}
		if left <= 0 {
			if !q.limited {
				k.shared.test.Log.Warn(fmt.Sprintf("Stopped after %d redirects and returned the redirection; pass { redirects: n } in request params or set global maxRedirects to silence this", q.redirects))
			}
			return nil
		}
		if err := k.hop(q, h, r); err != nil {
			return err
		}
	}
}

// hop sends one hop, with credentials if there are any.
func (k *carrier) hop(q *call, h *hop, r *response) error {
	if q.auth != "" || h.target.url.User != nil {
		return k.authorized(q, h, r)
	}
	return k.exchange(q, h, r)
}

// exchange sends one hop, keeps its cookies and counts it. Virtual users wait under its frame by the thousand, so it does
// little itself.
func (k *carrier) exchange(q *call, h *hop, r *response) error {
	if k.shared.limiter != nil {
		if err := k.shared.limiter.Wait(k.ctx); err != nil {
			return k.failed(r, h, err)
		}
	}
	req := k.request(q, h, r)
	if req.Timeout <= 0 {
		r.wire.Times.Start = time.Now()
		return k.conclude(q, h, r, errTimeout)
	}
	return k.conclude(q, h, r, k.http.Do(req, &r.wire))
}

// request is what h sends.
func (k *carrier) request(q *call, h *hop, r *response) *httpc.Request {
	r.reset(h)
	req := &q.wire
	if line, sent := q.cookieHeader(k.jarOf(q), h.target, h.first); line != "" || !h.first || h.changed || !k.deadline.IsZero() {
		req = &httpc.Request{Method: h.method, URL: h.target.wire, Host: h.host, Header: h.header, Body: h.body,
			Timeout: q.timeout, Deadline: k.deadline, Discard: q.kind == none}
		if line != "" {
			req.Header = append(req.Header[:len(req.Header):len(req.Header)], httpc.Field{Name: "Cookie", Value: line})
		}
		if h.first && (line != "" || r.more != nil) {
			r.rare().cookie, r.rare().cookies = line, sent
		}
	}
	if k.shared.debug != "" {
		k.shared.dumpRequest(h, req, k.debug)
	}
	return req
}

// jarOf is the jar that a call reads and fills.
func (k *carrier) jarOf(q *call) *Jar {
	if q.jar != nil {
		return q.jar
	}
	return k.jar
}

// conclude takes over what an exchange has left, and counts it.
func (k *carrier) conclude(q *call, h *hop, r *response, err error) error {
	if k.deadline.IsZero() {
		k.deadline = r.wire.Times.Start.Add(q.timeout) // the whole chain must end by then
	}
	r.settle()
	if err == nil && r.status() == http.StatusSwitchingProtocols {
		err = errSwitched
	}
	if err == nil {
		if k.shared.debug != "" {
			k.shared.dumpResponse(r, k.debug)
		}
		err = k.receive(q, h, r)
	}
	f := failureOf(err, h, r.status() != 0)
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
	if r.wire.Header.SetsCookies() {
		k.jarOf(q).SetCookies(h.target.url, parseCookies(r.wire.Header.Values("Set-Cookie")))
	}
	if redirects(r.status()) {
		where := r.wire.Header.Get("Location")
		if _, err := h.target.url.Parse(where); err != nil {
			return fmt.Errorf("failed to parse Location header %q: %w", where, err)
		}
	}
	if !r.wire.Header.Encoded() || q.kind == none || len(r.wire.Body) == 0 || h.method == http.MethodHead {
		return nil
	}
	enc := r.wire.Header.Get("Content-Encoding")
	if enc == "" {
		return nil
	}
	body, err := decode(r.wire.Body, enc, k.shared.net.config.MaxResponseBytes)
	r.wire.Body = body
	return err
}

// parseCookies has a large frame, which its callers should not have.
//
//go:noinline
func parseCookies(lines []string) []*http.Cookie {
	return (&http.Response{Header: http.Header{"Set-Cookie": lines}}).Cookies()
}

// count folds the samples of one hop. What a virtual user was doing when it was stopped is not counted.
func (k *carrier) count(q *call, h *hop, r *response) {
	if k.ctx != nil && k.ctx.Err() != nil {
		return
	}
	series := q.counted(h, r)
	if series == nil {
		series = k.find(q, h, r)
	}
	w := &r.wire.Times
	t := meterTimes{End: w.End(), Duration: milliseconds(w.Duration()), Blocked: milliseconds(w.Blocked),
		Connecting: milliseconds(w.Connecting), TLS: milliseconds(w.TLSHandshaking), Sending: milliseconds(w.Sending),
		Waiting: milliseconds(w.Waiting), Receiving: milliseconds(w.Receiving),
		Failed: q.judge(h, r.status()) == unexpected, HasFailed: q.callback != nil, Open: k.open, Late: k.late}
	k.shared.test.Meter.AddRequest(k.shard, series, &t, k.meta)
}

// judge is what the tag expected_response says of a status.
func (q *call) judge(h *hop, status int) expectation {
	switch {
	case q.callback == nil:
		return unjudged
	case q.callback.expects(status) || h.login && status == http.StatusUnauthorized:
		return expected
	}
	return unexpected
}

// find works out the tags of a hop's samples, and where those are counted.
func (k *carrier) find(q *call, h *hop, r *response) *meter.RequestSeries {
	on := &k.shared.test.SystemTags
	l := &labels{base: q.base, name: q.name, url: q.name, method: h.method, status: r.status(), proto: r.wire.Proto,
		tls: r.tlsVersion(), error: r.error, code: int(r.code), expect: q.judge(h, r.status())}
	if !q.named {
		l.name, l.url = h.target.clean, h.target.clean
	}
	if on.OCSPStatus && l.tls != "" {
		l.ocsp = r.ocsp().status
	}
	if on.IP {
		l.ip, _ = r.remote()
	}
	if !on.Error {
		l.error = ""
	}
	s := k.series(l)
	if l.ip == "" {
		q.remember(h, r, s)
	}
	return s
}

// failed notes an error that no exchange has counted.
func (k *carrier) failed(r *response, h *hop, err error) error {
	f := failureOf(err, h, false)
	r.fail(f)
	return f
}

// redirect returns the hop that the response asks for, or nil.
func (k *carrier) redirect(q *call, h *hop, r *response) *hop {
	if !redirects(r.status()) {
		return nil
	}
	where := r.wire.Header.Get("Location")
	u, err := h.target.url.Parse(where)
	if where == "" || err != nil {
		return nil // receive has told of the error
	}
	next := &hop{method: h.method, target: targetOf(u), body: h.body}
	drop := 0
	if r.status() < 307 {
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
