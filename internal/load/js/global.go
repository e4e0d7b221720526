package js

import (
	"fmt"

	"github.com/grafana/sobek"
)

// defineGlobals puts in place what belongs to modules: require, import.meta.resolve, the global named global, and in a
// program of ES modules a helpful error for the names of CommonJS.
func (in *Instance) defineGlobals() error {
	rt := in.rt
	if err := rt.Set("require", in.require); err != nil {
		return err
	}
	if in.program.opts.CompatibilityMode != "base" {
		if err := rt.Set("global", rt.GlobalObject()); err != nil {
			return err
		}
	}
	rt.SetGetImportMetaProperties(in.importMeta)
	if in.program.entry.esm == nil {
		return nil
	}
	for _, name := range []string{"module", "exports"} {
		trap := func(sobek.FunctionCall) sobek.Value {
			throw(rt, fmt.Errorf("you are trying to access identifier %q, this likely is due to mixing "+
				"ECMAScript Modules (ESM) and CommonJS syntax. "+
				"This isn't supported in the JavaScript standard, please use only one or the other", name))
			return nil
		}
		if err := rt.GlobalObject().DefineAccessorProperty(name, rt.ToValue(trap), nil, sobek.FLAG_TRUE, sobek.FLAG_FALSE); err != nil {
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
