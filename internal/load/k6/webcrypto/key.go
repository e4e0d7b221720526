package webcrypto

import (
	"slices"

	"github.com/grafana/sobek"
)

// key is a CryptoKey. Nothing of it changes once it is made.
type key struct {
	kind        string // secret, private or public
	extractable bool
	alg         algorithm
	usages      []string
	material    any // []byte, *rsa.PrivateKey, *rsa.PublicKey, *ecdsa.PrivateKey or *ecdsa.PublicKey
}

// pair is a CryptoKeyPair.
type pair struct{ public, private *key }

func (k *key) can(usage string) bool { return slices.Contains(k.usages, usage) }

// fits reports why k cannot be used for usage by the algorithm of that name.
func (k *key) fits(name, usage string) error {
	if k.alg.name != name {
		return invalidAccess("the key is for %s, not for %s", k.alg.name, name)
	}
	if !k.can(usage) {
		return invalidAccess("the key's usages do not include %s", usage)
	}
	return nil
}

// restricted returns those of usages that are in allowed.
func restricted(usages []string, allowed ...string) []string {
	out := []string{}
	for _, u := range usages {
		if slices.Contains(allowed, u) {
			out = append(out, u)
		}
	}
	return out
}

// usages reads a list of key usages; each counts once, in the order of the list.
func (a *API) usages(v sobek.Value) ([]string, error) {
	if _, ok := v.(*sobek.Object); !ok {
		return nil, wrongType("key usages must be an array of names")
	}
	list, known := []string{}, knownUsages()
	var err error
	a.vu.Runtime.ForOf(v, func(v sobek.Value) bool {
		u := v.String()
		if !slices.Contains(known, u) {
			err = syntax("there is no key usage %q", u)
			return false
		}
		if !slices.Contains(list, u) {
			list = append(list, u)
		}
		return true
	})
	return list, err
}

// allowed refuses usages that keys of the algorithm never have, and a list without any.
func allowed(name string, usages []string) error {
	_, can := abilities(name)
	for _, u := range usages {
		if !slices.Contains(can, u) {
			return syntax("a key for %s cannot have the usage %s", name, u)
		}
	}
	return some(usages)
}

func some(usages []string) error {
	if len(usages) == 0 {
		return syntax("a secret or private key must have at least one usage")
	}
	return nil
}

// CryptoKey is the global class of that name, which no script can make an instance of.
func (a *API) CryptoKey() *sobek.Object {
	if a.class == nil {
		a.class, _ = a.vu.Runtime.ToValue(func(sobek.ConstructorCall) *sobek.Object {
			panic(a.vu.Runtime.NewTypeError("Illegal constructor"))
		}).(*sobek.Object)
		// A new function refuses nothing.
		_ = a.class.DefineDataProperty("name", a.vu.Runtime.ToValue("CryptoKey"), sobek.FLAG_FALSE, sobek.FLAG_TRUE, sobek.FLAG_FALSE)
	}
	return a.class
}

// object makes the JavaScript side of k.
func (a *API) object(k *key) *sobek.Object {
	o := a.vu.Runtime.NewDynamicObject(&keyObject{a: a, k: k})
	if proto, ok := a.CryptoKey().Get("prototype").(*sobek.Object); ok {
		_ = o.SetPrototype(proto) // a new object takes any
	}
	return o
}

// key returns what is behind a CryptoKey.
func (a *API) key(v sobek.Value) (*key, error) {
	if o, ok := v.(*sobek.Object); ok {
		if k, ok := o.Export().(*keyObject); ok {
			return k.k, nil
		}
	}
	return nil, wrongType("a CryptoKey is expected")
}

// keyObject shows a key to the script, and keeps what the script adds to it. What the key is cannot be written to.
type keyObject struct {
	a                 *API
	k                 *key
	algorithm, usages *sobek.Object
	own               *sobek.Object // nil until the script adds something
}

func (o *keyObject) names() []string { return []string{"type", "extractable", "algorithm", "usages"} }

// Get returns a member of the key.
func (o *keyObject) Get(name string) sobek.Value {
	rt := o.a.vu.Runtime
	switch name {
	case "type":
		return rt.ToValue(o.k.kind)
	case "extractable":
		return rt.ToValue(o.k.extractable)
	case "algorithm":
		if o.algorithm == nil {
			o.algorithm = o.a.describe(o.k)
		}
		return o.algorithm
	case "usages":
		if o.usages == nil {
			all := make([]any, len(o.k.usages))
			for i, u := range o.k.usages {
				all[i] = u
			}
			o.usages = rt.NewArray(all...)
		}
		return o.usages
	}
	if o.own == nil {
		return nil
	}
	return o.own.Get(name)
}

// Set keeps what the script adds.
func (o *keyObject) Set(name string, v sobek.Value) bool {
	if slices.Contains(o.names(), name) {
		return false
	}
	if o.own == nil {
		o.own = o.a.vu.Runtime.NewObject()
	}
	return o.own.Set(name, v) == nil
}

// Has reports whether there is a member of that name.
func (o *keyObject) Has(name string) bool {
	return slices.Contains(o.names(), name) || o.own != nil && o.own.Get(name) != nil
}

// Delete removes what the script has added.
func (o *keyObject) Delete(name string) bool {
	return !slices.Contains(o.names(), name) && (o.own == nil || o.own.Delete(name) == nil)
}

// Keys are the key's own and then the script's.
func (o *keyObject) Keys() []string {
	if o.own == nil {
		return o.names()
	}
	return append(o.names(), o.own.Keys()...)
}

// describe makes the object algorithm of a key.
func (a *API) describe(k *key) *sobek.Object {
	o := a.vu.Runtime.NewObject()
	// A new object refuses nothing.
	_ = o.Set("name", k.alg.name)
	switch {
	case k.alg.curve != "":
		_ = o.Set("namedCurve", k.alg.curve)
	case k.kind == "secret" && k.alg.length >= 0:
		_ = o.Set("length", k.alg.length)
	case k.kind != "secret":
		_ = o.Set("modulusLength", k.alg.length)
		if e, err := a.vu.Uint8Array(exponentOf(k.material)); err == nil {
			_ = o.Set("publicExponent", e)
		}
	}
	if k.alg.hash.name != "" {
		h := a.vu.Runtime.NewObject()
		_ = h.Set("name", k.alg.hash.name)
		_ = o.Set("hash", h)
	}
	return o
}
