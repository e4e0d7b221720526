package webcrypto

import (
	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
)

// operations lists the methods of crypto.subtle, sorted.
func operations() []string {
	return []string{
		"decrypt", "deriveBits", "deriveKey", "digest", "encrypt", "exportKey", "generateKey", "importKey", "sign",
		"unwrapKey", "verify", "wrapKey",
	}
}

func (a *API) method(name string) func(sobek.FunctionCall) (any, error) {
	switch name {
	case "decrypt", "encrypt":
		return func(call sobek.FunctionCall) (any, error) { return a.crypt(call, name) }
	case "deriveBits":
		return a.deriveBits
	case "deriveKey":
		return a.deriveKey
	case "digest":
		return a.digest
	case "exportKey":
		return a.exportKey
	case "generateKey":
		return a.generateKey
	case "importKey":
		return a.importKey
	case "sign":
		return a.sign
	case "unwrapKey":
		return a.unwrapKey
	case "verify":
		return a.verify
	default:
		return a.wrapKey
	}
}

// later is a result that takes long to compute, on another goroutine: it must touch nothing of JavaScript's, the bytes
// of a script's buffers included.
type later func() (any, error)

// then is f of what r is or will be.
func then(r any, f func(any) (any, error)) (any, error) {
	slow, ok := r.(later)
	if !ok {
		return f(r)
	}
	return later(func() (any, error) {
		r, err := slow()
		if err != nil {
			return nil, err
		}
		return f(r)
	}), nil
}

// safely is slow(), whose panic would end the process and not just the virtual user.
func safely(slow later) (r any, err error) {
	defer func() {
		if x := recover(); x != nil {
			err = operation("%v", x)
		}
	}()
	return slow()
}

// operation makes one method. Its promise is settled by the event loop, never at once: what a script has queued before
// with Promise.resolve().then comes first, as it does in k6, which works on another thread. Most operations take a few
// microseconds, less than it takes to hand them over, and every virtual user has a goroutine already: see later for
// those that are handed over. See TestPromisesSettleInTheLoop.
func (a *API) operation(name string) any {
	do := a.method(name)
	return func(call sobek.FunctionCall) sobek.Value {
		p, resolve, reject := a.vu.Runtime.NewPromise()
		var r any
		var err error
		if ex := a.vu.Runtime.Try(func() { r, err = do(call) }); ex != nil {
			err = ex
		}
		give := a.vu.Loop.RegisterCallback()
		settle := func(r any, err error) {
			give(func() error {
				if err != nil {
					return reject(errorValue(a.vu, err))
				}
				return resolve(a.value(r))
			})
		}
		if slow, ok := r.(later); ok && err == nil {
			go func() { settle(safely(slow)) }()
		} else {
			settle(r, err)
		}
		return a.vu.Runtime.ToValue(p)
	}
}

// value makes a JavaScript value of a result.
func (a *API) value(r any) any {
	rt := a.vu.Runtime
	switch r := r.(type) {
	case []byte:
		return rt.NewArrayBuffer(r)
	case *key:
		return a.object(r)
	case pair:
		o := rt.NewObject()
		_ = o.Set("privateKey", a.object(r.private)) // a new object refuses nothing
		_ = o.Set("publicKey", a.object(r.public))
		return o
	case *jwk:
		return r.object(rt)
	default:
		return r
	}
}

// bytesOf returns a view's bytes, not copied; what names them.
func bytesOf(v sobek.Value, what string) ([]byte, error) {
	b, ok := scope.Bytes(v)
	if !ok {
		return nil, wrongType("%s must be an ArrayBuffer, a typed array or a DataView", what)
	}
	return b, nil
}

func (a *API) digest(call sobek.FunctionCall) (any, error) {
	p, err := a.params(call.Argument(0))
	if err != nil {
		return nil, err
	}
	h, err := hashOf(p.name, "digest")
	if err != nil {
		return nil, err
	}
	data, err := bytesOf(call.Argument(1), "data")
	if err != nil {
		return nil, err
	}
	return h.sum(data), nil
}

// keyFor reads the first two arguments of an operation: an algorithm that can do op, and a key for it that may be used
// for that.
func (a *API) keyFor(call sobek.FunctionCall, op string) (params, *key, error) {
	p, err := a.algorithm(call.Argument(0), op)
	if err != nil {
		return p, nil, err
	}
	k, err := a.key(call.Argument(1))
	if err != nil {
		return p, nil, err
	}
	return p, k, k.fits(p.name, op)
}
