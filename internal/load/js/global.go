package js

import (
	"fmt"

	"github.com/grafana/sobek"
)

func (in *Instance) defineRequire() error { return in.rt.Set("require", in.require) }

// defineGlobal makes the name by which k6's extended mode knows globalThis.
func (in *Instance) defineGlobal() error {
	if m := in.program.opts.CompatibilityMode; m == "base" || m == "experimental_enhanced" { // the latter is an old name
		return nil
	}
	return in.rt.Set("global", in.rt.GlobalObject())
}

// defineTraps gives the names of CommonJS, where they have no meaning, an error that says so.
func (in *Instance) defineTraps() error {
	if in.program.entry.esm == nil {
		return nil
	}
	for _, name := range []string{"module", "exports"} {
		trap := func(sobek.FunctionCall) sobek.Value {
			throw(in.rt, fmt.Errorf("you are trying to access identifier %q, this likely is due to mixing "+
				"ECMAScript Modules (ESM) and CommonJS syntax. "+
				"This isn't supported in the JavaScript standard, please use only one or the other", name))
			return nil
		}
		err := in.rt.GlobalObject().DefineAccessorProperty(name, in.rt.ToValue(trap), nil, sobek.FLAG_TRUE, sobek.FLAG_FALSE)
		if err != nil {
			return err
		}
	}
	return nil
}

func (in *Instance) importMeta(m sobek.ModuleRecord) []sobek.MetaProperty {
	r := in.program.recordOf(m)
	if r == nil {
		return nil
	}
	resolve := func(call sobek.FunctionCall) sobek.Value {
		specifier := call.Argument(0)
		if sobek.IsUndefined(specifier) || specifier.String() == "" {
			throw(in.rt, errEmptySpecifier)
		}
		u, err := in.program.loader.Resolve(r.url, specifier.String())
		if err != nil {
			throw(in.rt, err)
		}
		return in.rt.ToValue(u.String())
	}
	return []sobek.MetaProperty{{Key: "resolve", Value: in.rt.ToValue(resolve)}}
}
