package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
)

// player runs a compat case on what is here alone: a console and a k6 that only knows check and group.
type player struct {
	rt      *sobek.Runtime
	loop    *js.Loop
	in      *js.Instance
	console []string
	checks  map[string][2]int
}

func (p *player) log(call sobek.FunctionCall) sobek.Value {
	var parts []string
	for _, a := range call.Arguments {
		parts = append(parts, a.String())
	}
	p.console = append(p.console, strings.Join(parts, " "))
	return sobek.Undefined()
}

func (p *player) check(call sobek.FunctionCall) sobek.Value {
	o := call.Argument(1).ToObject(p.rt)
	for _, name := range o.Keys() {
		v := o.Get(name)
		if f, ok := sobek.AssertFunction(v); ok {
			var err error
			if v, err = f(sobek.Undefined(), call.Argument(0)); err != nil {
				panic(err)
			}
		}
		n := p.checks[name]
		if v.ToBoolean() {
			n[0]++
		} else {
			n[1]++
		}
		p.checks[name] = n
	}
	return p.rt.ToValue(true)
}

func (p *player) native(name string) (js.Exports, error) {
	switch name {
	case "k6":
		return js.Exports{Named: map[string]any{
			"check": p.check, "sleep": func(float64) {}, // nothing here waits for the clock
			"fail": func(call sobek.FunctionCall) sobek.Value {
				panic(p.rt.NewGoError(errors.New(call.Argument(0).String())))
			},
			"group": func(call sobek.FunctionCall) sobek.Value {
				f, _ := sobek.AssertFunction(call.Argument(1))
				v, err := f(sobek.Undefined())
				if err != nil {
					panic(err)
				}
				return v
			},
		}}, nil
	case "k6/metrics":
		return js.Exports{Named: map[string]any{"Counter": func(sobek.ConstructorCall) *sobek.Object {
			o := p.rt.NewObject()
			_ = o.Set("add", func() {})
			return o
		}}}, nil
	default: // modules that these cases import and do not need
		return js.Exports{Named: map[string]any{}}, nil
	}
}

func (p *player) timeout(call sobek.FunctionCall) sobek.Value {
	f, _ := sobek.AssertFunction(call.Argument(0))
	done := p.loop.RegisterCallback()
	time.AfterFunc(time.Duration(call.Argument(1).ToInteger())*time.Millisecond, func() {
		done(func() error {
			_, err := f(sobek.Undefined(), call.Arguments[min(2, len(call.Arguments)):]...)
			return err
		})
	})
	return p.rt.ToValue(1)
}

// init runs the program's top-level code with vu as its __VU.
func newPlayer(s *Script, prog *js.Program, vu int) (*player, error) {
	p := &player{rt: js.NewRuntime(), checks: map[string][2]int{}}
	p.loop = js.NewLoop(p.rt)
	console := p.rt.NewObject()
	_ = console.Set("log", p.log)
	for name, v := range map[string]any{
		"console": console, "__VU": vu, "setTimeout": p.timeout, "__ENV": map[string]string{},
		"open": func(name string) (string, error) { return s.Files.OpenText(p.in.CallerURL(), name) },
	} {
		_ = p.rt.Set(name, v)
	}
	var err error
	p.in, err = prog.Instantiate(context.Background(), p.rt, p.loop, js.Host{
		IsNative: func(name string) bool { return name == "k6" || strings.HasPrefix(name, "k6/") }, Native: p.native,
		Started: func(in *js.Instance) { p.in = in },
	})
	return p, err
}

func TestCompatCasesOfTheEngine(t *testing.T) {
	root, err := filepath.Abs("../../../test/compat/cases")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"js/esm-cycles", "js/esm-paths", "js/esm-shapes", "js/ts-imports", "js/ts-stack", "js/source-maps", "js/init-syntax", "js/init-throw",
		"js/import-missing", "js/errors-rejected", "js/es-classes", "js/es-collections", "js/es-numbers", "js/es-reflect",
		"js/es-syntax", "js/es-regexp", "cli/exception-init", "cli/syntax-error",
	} {
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/full=%v", name, full), func(t *testing.T) {
				t.Parallel()
				playCase(t, filepath.Join(root, filepath.FromSlash(name)), full)
			})
		}
	}
}

func playCase(t *testing.T, dir string, full bool) {
	var want struct {
		Exit    int
		Console [][2]string
		Checks  map[string][2]int
	}
	var given struct{ Logs []string }
	readJSON(t, filepath.Join(dir, "expected.json"), &want)
	if _, err := os.Stat(filepath.Join(dir, "case.json")); err == nil {
		readJSON(t, filepath.Join(dir, "case.json"), &given)
	}
	main := "script.js"
	if _, err := os.Stat(filepath.Join(dir, "script.ts")); err == nil {
		main = "script.ts"
	}
	console, checks, logs := runCase(t, dir, main, full)
	var lines []string
	for _, line := range want.Console {
		lines = append(lines, strings.ReplaceAll(line[1], "{DIR}", "file://"+slashed(dir)))
	}
	if got, want := strings.Join(console, "\n"), strings.Join(lines, "\n"); got != want {
		t.Errorf("console\n%s\nwant\n%s\nlogs %s", got, want, logs)
	}
	for name, n := range want.Checks {
		if got := checks[strings.TrimPrefix(name, "::")]; got != n {
			t.Errorf("check %s: %v, want %v", name, got, n)
		}
	}
	for _, l := range given.Logs {
		if !strings.Contains(logs, l) {
			t.Errorf("logs lack %q: %s", l, logs)
		}
	}
}

func readJSON(t *testing.T, name string, into any) {
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// runCase is a run in small: a first init, then one virtual user that does the iterations that the options ask for.
func runCase(t *testing.T, dir, main string, full bool) (console []string, checks map[string][2]int, logs string) {
	s, err := Read(main, nil, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	prog, err := s.Compile(js.CompileOptions{FullModules: full})
	if err != nil {
		return nil, nil, js.Describe(err)
	}
	first, err := newPlayer(s, prog, 0)
	if err != nil {
		return first.console, nil, js.Describe(err)
	}
	prog.Seal()
	s.Files.Seal()
	p, err := newPlayer(s, prog, 1)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := p.in.OptionsJSON()
	if err != nil {
		t.Fatal(err)
	}
	var options struct{ Iterations int }
	if err := json.Unmarshal(raw, &options); err != nil {
		t.Fatal(err)
	}
	f, ok := sobek.AssertFunction(p.in.Export("default"))
	if !ok {
		t.Fatal("no default function")
	}
	var out strings.Builder
	for i := range max(1, options.Iterations) {
		_ = p.rt.Set("__ITER", i)
		if err := p.loop.Call(f); err != nil {
			out.WriteString(js.Describe(err) + "\n")
		}
	}
	return append(first.console, p.console...), p.checks, out.String()
}
