package scopetest

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
	"throng/internal/load/meter"
	"throng/internal/metric"
	"throng/internal/plan"
)

// Rig is one virtual user in its first iteration, with every raw sample kept.
type Rig struct {
	*scope.VU
	T   testing.TB
	Log *bytes.Buffer // of the test and of the console, as text
}

// New returns a rig with the system tags of k6 and no scenario. A benchmark's keeps no samples.
func New(t testing.TB) *Rig {
	log := new(bytes.Buffer)
	_, bench := t.(*testing.B)
	reg := metric.NewRegistry()
	built := metric.NewBuiltin(reg)
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	test := &scope.Test{
		Options: &plan.Options{}, Registry: reg, Builtin: built, TagTable: metric.NewTags(),
		Meter: meter.New(meter.Config{Builtin: built, Raw: !bench}), SystemTags: scope.SystemTagsOf([]string{"check", "group", "scenario"}),
		Log: logger, Console: logger,
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	rt := js.NewRuntime()
	vu := &scope.VU{Runtime: rt, Loop: js.NewLoop(rt), Test: test, Phase: scope.Iteration, Context: ctx, ID: 1, IDInTest: 1}
	vu.Tags = test.TagTable.Empty().With("group", "")
	return &Rig{VU: vu, T: t, Log: log}
}

// Import makes m's exports global names.
func (r *Rig) Import(m scope.Module) {
	r.T.Helper()
	e, err := m(r.VU)
	if err != nil {
		r.T.Fatal(err)
	}
	all := e.Default.(*sobek.Object)
	for _, name := range all.Keys() {
		if err := r.Runtime.Set(name, all.Get(name)); err != nil {
			r.T.Fatal(err)
		}
	}
}

// Run runs src and the event loop, and returns what it evaluates to as JSON, or the exception's text.
func (r *Rig) Run(src string) string {
	r.T.Helper()
	var v sobek.Value
	err := r.Loop.Start(func() (err error) {
		v, err = r.Runtime.RunString(src)
		return err
	})
	if err != nil {
		text := err.Error()
		if i := strings.LastIndex(text, " at "); i > 0 {
			text = text[:i] // without the place
		}
		return "threw " + text
	}
	if v == nil || sobek.IsUndefined(v) {
		return "undefined"
	}
	text, err := js.Stringify(r.Runtime, v)
	if err != nil {
		r.T.Fatal(err)
	}
	return string(text)
}

// Samples returns what was measured since the last call, one line each: metric, value, tags.
func (r *Rig) Samples() []string {
	var lines []string
	for _, s := range r.Test.Meter.Drain() {
		line := s.Metric.Name
		if s.Metric.Contains != metric.Time {
			text, _ := json.Marshal(s.Value)
			line += " " + string(text)
		}
		for _, t := range s.Tags.All() {
			line += " " + t.Key + "=" + t.Value
		}
		lines = append(lines, line)
	}
	return lines
}

// Func compiles src to a function that can be called again and again.
func (r *Rig) Func(src string) sobek.Callable {
	r.T.Helper()
	v, err := r.Runtime.RunString(src)
	if err != nil {
		r.T.Fatal(err)
	}
	f, ok := sobek.AssertFunction(v)
	if !ok {
		r.T.Fatalf("%s is no function", src)
	}
	return f
}
