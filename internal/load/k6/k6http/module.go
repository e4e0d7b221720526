package k6http

import (
	"errors"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
)

// New makes the exports of 'k6/http' for one virtual user. Functions are made when a script first touches them.
func New(vu *scope.VU) (js.Exports, error) {
	c := of(vu)
	m := &module{c: c}
	return js.Exports{Default: vu.Runtime.NewDynamicObject(m)}, nil
}

// module is the default export. Every runtime of a run has one, so it holds nothing until it is used: a function object
// costs 600 bytes, and most scripts call one or two. See TestModuleStaysLight.
type module struct {
	c    *client
	made []property // what was touched or assigned; overlaid on members
	gone map[string]bool
}

type property struct {
	name  string
	value sobek.Value
}

type member struct {
	name string
	text string // a constant
	verb string // a request of this method
	body bool   // whose second argument is a body
	call func(*client, sobek.FunctionCall) sobek.Value
}

// members lists the module's exports in the order that Object.keys(http) shows.
func members() []member { return memberTable[:] }

var memberTable = [...]member{
	{name: "TLS_1_0", text: "tls1.0"},
	{name: "TLS_1_1", text: "tls1.1"},
	{name: "TLS_1_2", text: "tls1.2"},
	{name: "TLS_1_3", text: "tls1.3"},
	{name: "OCSP_STATUS_GOOD", text: "good"},
	{name: "OCSP_STATUS_REVOKED", text: "revoked"},
	{name: "OCSP_STATUS_SERVER_FAILED", text: "server_failed"},
	{name: "OCSP_STATUS_UNKNOWN", text: "unknown"},
	{name: "OCSP_REASON_UNSPECIFIED", text: "unspecified"},
	{name: "OCSP_REASON_KEY_COMPROMISE", text: "key_compromise"},
	{name: "OCSP_REASON_CA_COMPROMISE", text: "ca_compromise"},
	{name: "OCSP_REASON_AFFILIATION_CHANGED", text: "affiliation_changed"},
	{name: "OCSP_REASON_SUPERSEDED", text: "superseded"},
	{name: "OCSP_REASON_CESSATION_OF_OPERATION", text: "cessation_of_operation"},
	{name: "OCSP_REASON_CERTIFICATE_HOLD", text: "certificate_hold"},
	{name: "OCSP_REASON_REMOVE_FROM_CRL", text: "remove_from_crl"},
	{name: "OCSP_REASON_PRIVILEGE_WITHDRAWN", text: "privilege_withdrawn"},
	{name: "OCSP_REASON_AA_COMPROMISE", text: "aa_compromise"},
	{name: "url", call: (*client).urlTag},
	{name: "CookieJar"},
	{name: "cookieJar", call: (*client).cookieJar},
	{name: "file", call: (*client).file},
	{name: "get", verb: "GET"},
	{name: "head", verb: "HEAD"},
	{name: "post", verb: "POST", body: true},
	{name: "put", verb: "PUT", body: true},
	{name: "patch", verb: "PATCH", body: true},
	{name: "del", verb: "DELETE", body: true},
	{name: "options", verb: "OPTIONS", body: true},
	{name: "request", call: (*client).request},
	{name: "asyncRequest", call: (*client).asyncRequest},
	{name: "batch", call: (*client).batch},
	{name: "setResponseCallback", call: (*client).setResponseCallback},
	{name: "expectedStatuses", call: (*client).expectedStatuses},
}

func memberOf(key string) *member {
	for i := range memberTable {
		if memberTable[i].name == key {
			return &memberTable[i]
		}
	}
	return nil
}

// Get implements sobek.DynamicObject.
func (m *module) Get(key string) sobek.Value {
	for i := range m.made {
		if m.made[i].name == key {
			return m.made[i].value
		}
	}
	mb := memberOf(key)
	if mb == nil || m.gone[key] {
		return nil
	}
	return m.keep(mb)
}

func (m *module) keep(mb *member) (v sobek.Value) {
	m.c.vu.Apart(func() { v = m.make(mb) })
	m.made = append(m.made, property{mb.name, v})
	return v
}

func (m *module) make(mb *member) sobek.Value {
	rt, c := m.c.vu.Runtime, m.c
	switch {
	case mb.text != "":
		return rt.ToValue(mb.text)
	case mb.verb != "":
		return rt.ToValue(c.requester(mb.verb, mb.body))
	case mb.call == nil:
		return c.jarConstructor()
	}
	call := mb.call
	return rt.ToValue(func(f sobek.FunctionCall) sobek.Value { return call(c, f) })
}

// Set implements sobek.DynamicObject: scripts may replace functions, for instance to add a header to every request.
func (m *module) Set(key string, v sobek.Value) bool {
	for i := range m.made {
		if m.made[i].name == key {
			m.made[i].value = v
			return true
		}
	}
	m.made = append(m.made, property{key, v})
	return true
}

// Has implements sobek.DynamicObject.
func (m *module) Has(key string) bool {
	for i := range m.made {
		if m.made[i].name == key {
			return true
		}
	}
	return memberOf(key) != nil && !m.gone[key]
}

// Delete implements sobek.DynamicObject.
func (m *module) Delete(key string) bool {
	for i := range m.made {
		if m.made[i].name == key {
			m.made = append(m.made[:i], m.made[i+1:]...)
			break
		}
	}
	if memberOf(key) != nil {
		if m.gone == nil {
			m.gone = map[string]bool{}
		}
		m.gone[key] = true
	}
	return true
}

// Keys implements sobek.DynamicObject.
func (m *module) Keys() []string {
	keys := make([]string, 0, len(memberTable))
	for _, mb := range members() {
		if m.Has(mb.name) {
			keys = append(keys, mb.name)
		}
	}
	for i := range m.made {
		if memberOf(m.made[i].name) == nil {
			keys = append(keys, m.made[i].name)
		}
	}
	return keys
}

// The texts that scripts see when they use the network in init code.
var (
	errInitRequest = errors.New("Making http requests in the init context is not supported")
	errInitBatch   = errors.New("Using batch in the init context is not supported")
	errInitJar     = errors.New("Making cookie jars in the init context is not supported")
)

// throw raises err in the script, as k6 raises errors of its modules.
func (c *client) throw(err error) { panic(c.vu.Runtime.NewGoError(err)) }
