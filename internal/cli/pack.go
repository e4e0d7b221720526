package cli

import (
	"maps"

	"throng/internal/load/script"
	"throng/internal/plan"
)

// loadToPack is load for a test that is packed and run elsewhere: its data files stay on disk.
func (g *global) loadToPack(f *testFlags, arg string) (*test, error) {
	return g.loadFrom(f, arg, func(o script.Options) (*script.Script, error) {
		o.Map = true
		return script.Read(arg, g.Stdin, o)
	})
}

// packForGrid packs the test into a temporary file and returns its name: the script, what it imports and opens, the options and
// the environment that its virtual users are to see. Call it after the first init. It takes memory for none of the data files
// of a test that came from loadToPack.
func (t *test) packForGrid(opts plan.Options) (name string, err error) {
	env, err := t.gridEnv()
	if err != nil {
		return "", err
	}
	// Encode, and not what k6's archives hold: nothing that a flag or a variable has set may get lost on the way.
	b := t.script.Pack(opts.Encode(), env, t.runtime.CompatibilityMode, "v"+K6Version)
	name, _, _, err = b.WriteFile("")
	return name, err
}

// gridEnv is __ENV on every node of a grid: what -e sets; else what an archive brought along; else those variables of the submitter's
// environment that the script or what it imports names literally (see js.Program.Properties), since a local run would see them.
// The rest of the environment is nobody's business elsewhere. HOSTNAME is each node's own, unless -e sets it.
func (t *test) gridEnv() (map[string]string, error) {
	named, err := t.program.Properties("__ENV")
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for _, name := range named {
		if v, ok := t.env[name]; ok && name != "HOSTNAME" {
			env[name] = v
		}
	}
	if b := t.script.Bundle; b != nil {
		for name, v := range b.Env {
			if _, ok := env[name]; !ok {
				env[name] = v
			}
		}
	}
	maps.Copy(env, t.runtime.Env)
	return env, nil
}
