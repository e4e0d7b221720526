package js

import (
	_ "embed" // for the scripts beside this file
	"regexp"
	"sync/atomic"

	"github.com/grafana/sobek"
)

//go:embed groups.js
var groupsSource string

//go:embed split.js
var splitSource string

//go:embed sizes.js
var sizesSource string

// repair is something that a runtime gets only if the program's source looks as if it needs it, because it costs every
// virtual user memory: a global name, or a gap of the engine filled in JavaScript, which also takes what it replaces off
// the engine's fastest path.
type repair struct {
	needed       *regexp.Regexp
	define       func(*Instance) error
	name, source string // instead of define
}

// repairs lists them all. At most 32.
func repairs() []repair {
	all := []repair{
		{needed: regexp.MustCompile(`\brequire\b`), define: (*Instance).defineRequire},
		{needed: regexp.MustCompile(`\bglobal\b`), define: (*Instance).defineGlobal},
		{needed: regexp.MustCompile(`\b(module|exports)\b`), define: (*Instance).defineTraps},
		{needed: regexp.MustCompile(`\(\?<[\p{L}_$]`), name: "throng:groups.js", source: groupsSource}, // in a literal or a string
		{needed: regexp.MustCompile(`\.split\(\s*(''|"")`), name: "throng:split.js", source: splitSource},
		{needed: regexp.MustCompile(`\.(repeat|padStart|padEnd)\b`), name: "throng:sizes.js", source: sizesSource},
	}
	for name, size := range bounded() {
		all = append(all, bufferRepair(name, size))
	}
	return all
}

// repairSet collects what the sources of a program need. It only grows.
type repairSet struct {
	bits  atomic.Uint32
	known []repair
	code  [32]*sobek.Program // of known; set before its bit is
}

// look adds what src needs. It is called by one goroutine at a time.
func (s *repairSet) look(src []byte) error {
	if s.known == nil {
		s.known = repairs()
	}
	for i, r := range s.known {
		if s.bits.Load()&(1<<i) != 0 || !r.needed.Match(src) {
			continue
		}
		if r.define == nil {
			code, err := sobek.Compile(r.name, r.source, true)
			if err != nil {
				return err
			}
			s.code[i] = code
		}
		s.bits.Or(1 << i)
	}
	return nil
}

// repair applies to the runtime what the program needs and was not applied before.
func (in *Instance) repair() error {
	need := in.program.repairs.bits.Load() &^ in.repaired
	in.repaired |= need
	for i := 0; need>>i != 0; i++ {
		if need&(1<<i) == 0 {
			continue
		}
		var err error
		if r := in.program.repairs.known[i]; r.define != nil {
			err = r.define(in)
		} else {
			_, err = in.rt.RunProgram(in.program.repairs.code[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}
