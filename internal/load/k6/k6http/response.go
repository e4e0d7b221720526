package k6http

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/grafana/sobek"

	"throng/internal/load/httpc"
	"throng/internal/load/meter"
)

type meterTimes = meter.RequestTimes

// response is what a script gets for a request. Its fields become JavaScript values when they are first touched.
type response struct {
	c    *client
	call *call          // what was asked for; nil when nothing could be
	at   *target        // of the last hop
	wire httpc.Response // of the last hop; the body is decoded, and nil where there is none

	error string
	code  int32

	asked   bool       // url is as the script wrote it
	bodySet bool       // a script has assigned body
	made    []property // fields that were touched and cost something, or were assigned
	more    *rarities  // nil until something of it is needed
}

// rarities are what few responses have. Virtual users hold a response each while they wait.
type rarities struct {
	cookie  string // sent by the first hop
	cookies []*http.Cookie
	doc     *document
	gone    map[string]bool // fields that a script has deleted
	times   *timings        // where a script has written to them
}

func (r *response) rare() *rarities {
	if r.more == nil {
		r.more = &rarities{}
	}
	return r.more
}

func (r *response) gone(key string) bool { return r.more != nil && r.more.gone[key] }

func (r *response) status() int { return r.wire.Status }

// url is that of the last hop: as net/url writes it, or as the script did if that is all that is known.
func (r *response) url() string {
	switch {
	case r.at == nil:
		return ""
	case r.asked:
		return r.at.raw
	}
	return r.at.text
}

func (r *response) tlsVersion() string {
	if s := r.secured(); s != nil {
		return tlsVersionName(s.Version)
	}
	return ""
}

func (r *response) times() timings {
	if r.more != nil && r.more.times != nil {
		return *r.more.times
	}
	return timingsOf(&r.wire.Times)
}

// fieldNames is the order of JSON.stringify and Object.keys.
var fieldNames = [...]string{
	"remote_ip", "remote_port", "url", "status", "status_text", "proto", "headers", "cookies", "body", "timings",
	"tls_version", "tls_cipher_suite", "ocsp", "error", "error_code", "request", "clickLink", "html", "json", "submitForm",
}

func isField(key string) bool {
	for _, n := range fieldNames {
		if n == key {
			return true
		}
	}
	return false
}

// Get implements sobek.DynamicObject.
func (r *response) Get(key string) sobek.Value {
	if v := r.assigned(key); v != nil {
		return v
	}
	if r.gone(key) {
		return nil
	}
	rt := r.c.vu.Runtime
	switch key {
	case "status":
		return rt.ToValue(r.status())
	case "error":
		return rt.ToValue(r.error)
	case "error_code":
		return rt.ToValue(int64(r.code))
	case "url":
		return rt.ToValue(r.url())
	case "proto":
		return rt.ToValue(r.wire.Proto)
	case "status_text":
		return rt.ToValue(r.statusText())
	case "remote_ip":
		ip, _ := r.remote()
		return rt.ToValue(ip)
	case "remote_port":
		_, port := r.remote()
		return rt.ToValue(port)
	case "tls_version":
		return rt.ToValue(r.tlsVersion())
	case "tls_cipher_suite":
		return rt.ToValue(r.cipher())
	case "json", "html", "submitForm", "clickLink":
		return r.c.method(r, key)
	case "toJSON":
		return r.c.plainMethod()
	}
	var v sobek.Value
	switch key {
	case "body":
		v = r.bodyValue()
	case "headers":
		v = r.headers()
	case "cookies":
		v = r.cookies()
	case "timings":
		v = rt.NewDynamicObject((*timingsObject)(r))
	case "ocsp":
		v = r.ocsp().object(rt)
	case "request":
		v = r.request()
	default:
		return nil
	}
	r.made = append(r.made, property{key, v})
	return v
}

// Set implements sobek.DynamicObject.
func (r *response) Set(key string, v sobek.Value) bool {
	r.bodySet = r.bodySet || key == "body"
	for i := range r.made {
		if r.made[i].name == key {
			r.made[i].value = v
			return true
		}
	}
	if r.more != nil {
		delete(r.more.gone, key)
	}
	r.made = append(r.made, property{key, v})
	return true
}

// Has implements sobek.DynamicObject.
func (r *response) Has(key string) bool {
	if isField(key) {
		return !r.gone(key)
	}
	for i := range r.made {
		if r.made[i].name == key {
			return true
		}
	}
	return false
}

// Delete implements sobek.DynamicObject.
func (r *response) Delete(key string) bool {
	for i := range r.made {
		if r.made[i].name == key {
			r.made = append(r.made[:i], r.made[i+1:]...)
			break
		}
	}
	if isField(key) {
		more := r.rare()
		if more.gone == nil {
			more.gone = map[string]bool{}
		}
		more.gone[key] = true
	}
	return true
}

// Keys implements sobek.DynamicObject.
func (r *response) Keys() []string {
	keys := make([]string, 0, len(fieldNames)+len(r.made))
	for _, n := range fieldNames {
		if !r.gone(n) {
			keys = append(keys, n)
		}
	}
	for i := range r.made {
		if !isField(r.made[i].name) {
			keys = append(keys, r.made[i].name)
		}
	}
	return keys
}

// assigned returns what a script has put in the place of a field, or nil.
func (r *response) assigned(key string) sobek.Value {
	for i := range r.made {
		if r.made[i].name == key {
			return r.made[i].value
		}
	}
	return nil
}

func (r *response) statusText() string {
	if r.status() == 0 {
		return ""
	}
	return r.wire.StatusText
}

// bodyValue is text as a string without a copy, bytes as an ArrayBuffer, and null where there is none.
func (r *response) bodyValue() sobek.Value {
	rt := r.c.vu.Runtime
	switch {
	case r.call == nil:
		return rt.ToValue([]any{}) // nothing was sent
	case r.wire.Body == nil || r.call.kind == none:
		return sobek.Null()
	case r.call.kind == binary:
		return rt.ToValue(rt.NewArrayBuffer(r.wire.Body))
	}
	return rt.ToValue(r.text())
}

// text is the body as a string that shares its bytes: nobody writes to a body. A binary one is an ArrayBuffer that
// scripts may write to, so that is copied.
func (r *response) text() string {
	if r.call.kind == binary {
		return string(r.wire.Body)
	}
	s := unsafe.String(unsafe.SliceData(r.wire.Body), len(r.wire.Body))
	if !utf8.ValidString(s) {
		return validText(s)
	}
	return s
}

// validText puts U+FFFD for each byte that is not UTF-8, as many as there are such bytes.
func validText(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/2)
	for _, c := range s {
		b.WriteRune(c)
	}
	return b.String()
}

// headers joins the values of each name; names are canonical.
func (r *response) headers() sobek.Value {
	rt := r.c.vu.Runtime
	out := rt.NewObject()
	if r.status() == 0 {
		return out
	}
	var names, values []string
next:
	for name, value := range r.wire.Header.Each() {
		for i := range names {
			if names[i] == name {
				values[i] += ", " + value
				continue next
			}
		}
		names, values = append(names, name), append(values, value)
	}
	for i := range names {
		_ = out.Set(names[i], values[i])
	}
	return out
}

func (r *response) cookies() sobek.Value {
	rt := r.c.vu.Runtime
	out := rt.NewObject()
	if r.status() == 0 {
		return out
	}
	lists := map[string]*sobek.Object{}
	for _, ck := range parseCookies(r.wire.Header.Values("Set-Cookie")) {
		o := rt.NewObject()
		_ = o.Set("name", ck.Name)
		_ = o.Set("value", ck.Value)
		_ = o.Set("domain", ck.Domain)
		_ = o.Set("path", ck.Path)
		_ = o.Set("http_only", ck.HttpOnly)
		_ = o.Set("secure", ck.Secure)
		_ = o.Set("max_age", ck.MaxAge)
		expires := int64(0)
		if !ck.Expires.IsZero() {
			expires = ck.Expires.UnixMilli()
		}
		_ = o.Set("expires", expires)
		pushTo(rt, out, lists, ck.Name, o)
	}
	return out
}

func pushTo(rt *sobek.Runtime, out *sobek.Object, lists map[string]*sobek.Object, name string, v sobek.Value) {
	list := lists[name]
	if list == nil {
		list = rt.NewArray()
		lists[name] = list
		_ = out.Set(name, list)
	}
	_ = list.Set(strconv.Itoa(length(list)), v)
}

// request is what the script asked for, as the first hop sent it.
func (r *response) request() sobek.Value {
	if r.call == nil {
		return sobek.Null()
	}
	rt, q := r.c.vu.Runtime, r.call
	headers := rt.NewObject()
	list := func(name, value string) { _ = headers.Set(name, rt.NewArray(value)) }
	for _, f := range q.header {
		if f.Name != "User-Agent" || f.Value != "" {
			list(f.Name, f.Value)
		}
	}
	if q.host != "" {
		list("Host", q.host)
	}
	if r.more != nil && r.more.cookie != "" {
		list("Cookie", r.more.cookie)
	}
	cookies, lists := rt.NewObject(), map[string]*sobek.Object{}
	if r.more != nil {
		for _, ck := range r.more.cookies {
			o := rt.NewObject()
			_ = o.Set("name", ck.Name)
			_ = o.Set("value", ck.Value)
			_ = o.Set("replace", false)
			pushTo(rt, cookies, lists, ck.Name, o)
		}
	}
	out := rt.NewObject()
	_ = out.Set("method", q.method)
	_ = out.Set("url", q.target.text)
	_ = out.Set("headers", headers)
	_ = out.Set("body", string(q.plain))
	_ = out.Set("cookies", cookies)
	return out
}

// timingsObject is res.timings: a response seen from another side.
type timingsObject response

var timingNames = [...]string{"duration", "blocked", "looking_up", "connecting", "tls_handshaking", "sending", "waiting", "receiving"}

func (t *timings) part(key string) *float64 {
	switch key {
	case "duration":
		return &t.duration
	case "blocked":
		return &t.blocked
	case "connecting":
		return &t.connecting
	case "tls_handshaking":
		return &t.tls
	case "sending":
		return &t.sending
	case "waiting":
		return &t.waiting
	case "receiving":
		return &t.receiving
	case "looking_up":
		return &t.lookingUp
	}
	return nil
}

// Get implements sobek.DynamicObject.
func (t *timingsObject) Get(key string) sobek.Value {
	times := (*response)(t).times()
	if p := times.part(key); p != nil {
		return t.c.vu.Runtime.ToValue(*p)
	}
	return nil
}

// Set implements sobek.DynamicObject.
func (t *timingsObject) Set(key string, v sobek.Value) bool {
	times := (*response)(t).times()
	p := times.part(key)
	if p != nil {
		*p = v.ToFloat()
		(*response)(t).rare().times = &times
	}
	return p != nil
}

// Has implements sobek.DynamicObject.
func (t *timingsObject) Has(key string) bool { return slices.Contains(timingNames[:], key) }

// Delete implements sobek.DynamicObject.
func (t *timingsObject) Delete(key string) bool { return !t.Has(key) }

// Keys implements sobek.DynamicObject.
func (t *timingsObject) Keys() []string { return timingNames[:] }
