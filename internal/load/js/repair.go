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

// repair is a gap of the engine, filled in JavaScript. It is applied only in programs whose source looks as if they need
// it: it costs a few objects in each runtime, and takes what it replaces off the engine's fastest path.
type repair struct {
	needed       *regexp.Regexp
	name, source string
}

// repairs lists them all. At most 32.
func repairs() []repair {
	return []repair{
		{regexp.MustCompile(`\(\?<[\p{L}_$]`), "throng:groups.js", groupsSource}, // a named group, in a literal or a string
		{regexp.MustCompile(`\.split\(\s*(''|"")`), "throng:split.js", splitSource},
	}
}

// repairSet collects what the sources of a program need. It only grows.
type repairSet struct {
	bits  atomic.Uint32
	code  [32]*sobek.Program // set before its bit is
	known []repair
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
		code, err := sobek.Compile(r.name, r.source, true)
		if err != nil {
			return err
		}
		s.code[i] = code
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
		if _, err := in.rt.RunProgram(in.program.repairs.code[i]); err != nil {
			return err
		}
	}
	return nil
}
