package k6http

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/httpc"
	"throng/internal/load/meter"
	"throng/internal/metric"
	"throng/internal/plan"
)

// kind is what becomes of a response's body.
type kind uint8

const (
	text kind = iota
	binary
	none
)

// call is one request as the script asked for it, and all that its exchanges need of the virtual user, so that they may
// run on another goroutine.
type call struct {
	hop             // the first one
	name     string // the tags name and url, where named
	named    bool
	base     *metric.TagSet
	callback *statuses // nil: responses are not judged

	cookie  string // the header Cookie
	cookies []paramCookie
	jar     *Jar // that the script gave; nil: the virtual user's

	plain     []byte // the body before compression: what res.request.body shows
	length    string // a Content-Length that the script gave
	encodings string

	auth      string
	login     *url.Userinfo // what digest authentication took out of the URL
	timeout   time.Duration
	redirects int
	limited   bool // the script has said how many redirects it wants
	throw     bool
	kind      kind
	wire      httpc.Request // the first hop, as long as no cookie goes with it

	answers atomic.Pointer[[]tallied]
}

// tallied is where the answers of one status are counted.
type tallied struct {
	status int
	series *meter.RequestSeries
}

// maxAnswers bounds what a call remembers.
const maxAnswers = 4

// plainly says that nothing but the status decides how the answer to a call's own request is counted.
func plainly(q *call, h *hop, r *response) bool {
	return h == &q.hop && r.error == "" && r.wire.Proto == "HTTP/1.1" && r.wire.Peer.TLS == nil
}

// counted is where an answer like this one was counted, nil if there was none.
func (q *call) counted(h *hop, r *response) *meter.RequestSeries {
	if all := q.answers.Load(); all != nil && plainly(q, h, r) {
		for i := range *all {
			if a := &(*all)[i]; a.status == r.wire.Status {
				return a.series
			}
		}
	}
	return nil
}

// remember keeps where an answer is counted, if there is room.
func (q *call) remember(h *hop, r *response, series *meter.RequestSeries) {
	old := q.answers.Load()
	var all []tallied
	if old != nil {
		all = *old
	}
	if plainly(q, h, r) && len(all) < maxAnswers {
		all = append(slices.Clone(all), tallied{r.wire.Status, series})
		q.answers.CompareAndSwap(old, &all)
	}
}

type paramCookie struct {
	name, value string
	replace     bool
}

const (
	defaultTimeout   = 60 * time.Second
	defaultRedirects = 10
	defaultAgent     = "throng"
)

// parse makes an empty call one of a script's arguments. Its errors make an error response; none of them reaches the wire.
func (c *client) parse(q *call, method string, target, body, params sobek.Value) error {
	s := c.shared
	q.method, q.first, q.base, q.callback = method, true, c.vu.Tags, c.callback
	q.timeout, q.redirects, q.limited, q.throw, q.kind = defaultTimeout, s.redirects, s.redirectsSet, s.throw, s.kind
	if method == "" {
		q.method = http.MethodGet
	}
	if err := c.parseURL(q, target); err != nil {
		return err
	}
	form := ""
	if !nothing(body) {
		var err error
		if form, err = c.parseBody(q, body); err != nil {
			return err
		}
	}
	if o, ok := params.(*sobek.Object); ok {
		if err := c.parseParams(q, o); err != nil {
			return err
		}
	}
	q.splitLogin()
	q.plain = q.body
	if err := s.compress(q); err != nil {
		return err
	}
	if form != "" && !q.has("Content-Type") {
		q.header = append(q.header, httpc.Field{Name: "Content-Type", Value: form})
	}
	c.finishHeader(q)
	q.wire = httpc.Request{Method: q.method, URL: q.target.wire, Host: q.host, Header: q.header, Body: q.body, Timeout: q.timeout, Discard: q.kind == none}
	return nil
}

func (c *client) finishHeader(q *call) {
	if !q.has("User-Agent") && c.shared.agent != "" {
		q.header = append(q.header, httpc.Field{Name: "User-Agent", Value: c.shared.agent})
	}
	if q.length != "" && q.length != strconv.Itoa(len(q.body)) {
		c.vu.Test.Log.Warn(fmt.Sprintf("The specified Content-Length header %q in the %s request for %s doesn't match the actual request body length of %d, so it will be ignored!",
			q.length, q.method, q.target.text, len(q.body)))
	}
}

func (c *client) parseURL(q *call, v sobek.Value) error {
	switch {
	case nothing(v):
		return badURL(errors.New("invalid URL: '#<nil>'"))
	case isString(v):
		raw := v.String()
		q.target = c.target(raw)
	default:
		var u *urlValue
		if o, ok := v.(*sobek.Object); ok {
			u, _ = o.Export().(*urlValue)
			if u == nil && o.ClassName() == "String" {
				q.target = c.target(o.String())
				break
			}
		}
		if u == nil {
			return badURL(fmt.Errorf("invalid URL: '#%v'", v.Export()))
		}
		q.target = c.target(u.url)
		q.name, q.named = u.name, u.name != u.url
	}
	if q.target.err != nil {
		return badURL(q.target.err)
	}
	return nil
}

func isString(v sobek.Value) bool {
	_, ok := v.(sobek.String)
	return ok
}

// parseParams reads a params object. It asks for each name that it knows, for a list of the keys that are there costs
// more; what it does not know it leaves alone.
func (c *client) parseParams(q *call, params *sobek.Object) error {
	rt := c.vu.Runtime
	if v := params.Get("headers"); !nothing(v) {
		q.addHeaders(v.ToObject(rt))
	}
	if v := params.Get("cookies"); !nothing(v) {
		q.addCookies(rt, v.ToObject(rt))
	}
	if v := params.Get("tags"); !nothing(v) {
		if err := c.addTags(q, v.ToObject(rt)); err != nil {
			return err
		}
	}
	if j, ok := JarOf(params.Get("jar")); ok {
		q.jar = j
	}
	if v := params.Get("compression"); v != nil {
		q.encodings = v.String()
	}
	if v := params.Get("redirects"); v != nil {
		q.redirects, q.limited = int(max(v.ToInteger(), 0)), true
	}
	if v := params.Get("auth"); v != nil {
		q.auth = v.String()
	}
	if v := params.Get("timeout"); v != nil {
		d, err := duration(v)
		if err != nil {
			return fmt.Errorf("invalid timeout value: %w", err)
		}
		q.timeout = d
	}
	if v := params.Get("throw"); v != nil {
		q.throw = v.ToBoolean()
	}
	if v := params.Get("responseType"); v != nil {
		if err := q.setKind(v.String()); err != nil {
			return err
		}
	}
	if v := params.Get("responseCallback"); v != nil {
		s, ok := callbackOf(v)
		if !ok {
			return errors.New("unsupported responseCallback")
		}
		q.callback = s
	}
	return nil
}

func (q *call) setKind(name string) error {
	switch name {
	case "text":
		q.kind = text
	case "binary":
		q.kind = binary
	case "none":
		q.kind = none
	default:
		return fmt.Errorf("%s does not belong to ResponseType values", name)
	}
	return nil
}

func (q *call) has(name string) bool {
	_, ok := q.field(name)
	return ok
}

func (q *call) field(name string) (string, bool) {
	for i := range q.header {
		if q.header[i].Name == name {
			return q.header[i].Value, true
		}
	}
	return "", false
}

// set gives the header one value; of several spellings of a name the last one counts.
func (q *call) set(name, value string) {
	for i := range q.header {
		if q.header[i].Name == name {
			q.header[i].Value = value
			return
		}
	}
	q.header = append(q.header, httpc.Field{Name: name, Value: value})
}

func (q *call) addHeaders(o *sobek.Object) {
	for _, k := range o.Keys() {
		name, value := textproto.CanonicalMIMEHeaderKey(k), o.Get(k).String()
		switch name {
		case "Host":
			q.host = value
		case "Cookie":
			q.cookie = value
		case "Content-Length":
			q.length = value
		default:
			if q.header == nil {
				q.header = make([]httpc.Field, 0, 4)
			}
			q.set(name, value)
		}
	}
}

func (q *call) addCookies(rt *sobek.Runtime, o *sobek.Object) {
	for _, k := range o.Keys() {
		v := o.Get(k)
		if nothing(v) {
			continue
		}
		ck := paramCookie{name: k}
		if co, ok := v.(*sobek.Object); ok {
			ck.value = cookieText(co.Get("value"))
			if r := co.Get("replace"); r != nil {
				ck.replace = r.ToBoolean()
			}
		} else {
			ck.value = v.String()
		}
		q.cookies = append(q.cookies, ck)
	}
}

func (c *client) addTags(q *call, o *sobek.Object) error {
	for _, k := range o.Keys() {
		v := o.Get(k)
		value, ok := tagText(v)
		if !ok {
			return fmt.Errorf("invalid HTTP request metric tags: invalid value for metric tag '%s': only String, Boolean and Number types are accepted as a metric tag values", k)
		}
		if k == "name" && c.vu.Test.SystemTags.Name {
			q.name, q.named = value, true
			continue
		}
		q.base = q.base.With(k, value)
	}
	return nil
}

func tagText(v sobek.Value) (string, bool) {
	if nothing(v) {
		return "", false
	}
	if _, object := v.(*sobek.Object); object {
		return "", false
	}
	if _, symbol := v.(*sobek.Symbol); symbol {
		return "", false
	}
	return v.String(), true
}

// duration reads k6's way to write one: a number of milliseconds, or text with units, where d is a day.
func duration(v sobek.Value) (time.Duration, error) {
	if nothing(v) {
		return 0, errors.New("unable to use type <nil> as a duration value")
	}
	switch x := v.Export().(type) {
	case int64:
		return clampMillis(float64(x)), nil
	case float64:
		return clampMillis(x), nil
	case string:
		if ms, err := strconv.ParseFloat(x, 64); err == nil {
			return clampMillis(ms), nil
		}
		return plan.ParseDuration(x)
	default:
		return 0, fmt.Errorf("unable to use type %T as a duration value", x)
	}
}

func clampMillis(ms float64) time.Duration {
	const longest = float64(1<<63-1) / float64(time.Millisecond)
	return time.Duration(max(-longest, min(ms, longest*0.999)) * float64(time.Millisecond))
}

// cookieHeader is the header Cookie for one hop: the script's header, the cookies param, and the jar's that the param
// does not replace. sent lists the cookies, for res.request.cookies.
func (q *call) cookieHeader(jar *Jar, t *target, first bool) (line string, sent []*http.Cookie) {
	own := q.cookie
	if !first {
		own = ""
	}
	if jar.empty() && len(q.cookies) == 0 {
		return own, nil
	}
	return q.joinCookies(own, jar, t)
}

func (q *call) joinCookies(own string, jar *Jar, t *target) (line string, sent []*http.Cookie) {
	for _, ck := range q.cookies {
		sent = append(sent, &http.Cookie{Name: ck.name, Value: ck.value})
	}
	for _, ck := range jar.Cookies(t.url) {
		if !q.replaces(ck.Name) {
			sent = append(sent, ck)
		}
	}
	if len(sent) == 0 {
		return own, nil
	}
	r := http.Request{Header: http.Header{}} // it knows how to quote
	if own != "" {
		r.Header.Set("Cookie", own)
	}
	for _, ck := range sent {
		r.AddCookie(ck)
	}
	return r.Header.Get("Cookie"), sent
}

func (q *call) replaces(name string) bool {
	for _, ck := range q.cookies {
		if ck.replace && ck.name == name {
			return true
		}
	}
	return false
}
