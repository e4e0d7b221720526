package vu

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/fault"
	"throng/internal/load/js"
	"throng/internal/load/k6/scope"
	"throng/internal/load/meter"
	"throng/internal/metric"
	"throng/internal/plan"
)

// Factory makes the virtual users of one process. All fields but Consolidated are set before the first New.
type Factory struct {
	Program *js.Program
	Test    *scope.Test
	Modules map[string]scope.Module
	// Missing is the error for a native module name that is not in Modules.
	Missing func(name string) error
	// Globals puts into a new runtime what scripts find without an import.
	Globals func(*scope.VU) error
	// Open answers the script's open(); only called while its top-level code runs.
	Open Opener
	// Env is what the script's __ENV begins as.
	Env *scope.Env
	// InitTimeout bounds the script's top-level code; 0 means no bound.
	InitTimeout time.Duration

	watches watches
	// Consolidated, a JSON object, is what the script's exported options lack of those in force, once they are known; nil
	// when no code can see them. As in k6, they are set on that object.
	Consolidated []byte
}

// Opener reads the files that the module at caller asks for. What Open returns belongs to the script, which may write to it.
type Opener interface {
	Open(caller *url.URL, path string) ([]byte, error)
	OpenText(caller *url.URL, path string) (string, error)
}

// VU is one virtual user. Its methods are called from one goroutine at a time.
type VU struct {
	scope    *scope.VU
	factory  *Factory
	instance *js.Instance

	setup      *atomic.Pointer[[]byte] // setup()'s result as JSON, shared by all; nil when there is none
	setupRead  bool
	setupValue sobek.Value

	// What follows is of the present activation.
	ctx       context.Context
	watched   watched
	fn        sobek.Callable
	args      [1]sobek.Value // of fn: here it need not be allocated each time
	start     time.Time      // of the iteration
	scenario  *plan.Scenario
	baseTags  *metric.TagSet
	series    *meter.IterationSeries
	seriesFor *metric.TagSet
	inOther   bool  // a scenario has been entered before
	shaken    bool  // the last iteration was cut off, see renew
	cutWith   error // what the last iteration that was cut off ended with
}

// New makes a virtual user: a runtime in which the script's top-level code has run. id is 0 for those that call setup,
// teardown and handleSummary.
func (f *Factory) New(ctx context.Context, id, idInTest uint64) (*VU, error) {
	rt := js.NewRuntime()
	v := &VU{factory: f}
	v.scope = &scope.VU{
		Runtime: rt, Loop: js.NewLoop(rt), Test: f.Test, Context: ctx, ID: id, IDInTest: idInTest, Iteration: -1,
		Env: f.Env, Tags: f.runTags(), Shard: uint32(id),
	}
	var opening *js.Instance
	v.scope.OpenFile = v.open(func() *url.URL { return opening.CallerURL() })
	if err := f.Globals(v.scope); err != nil {
		return nil, err
	}
	if f.InitTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, f.InitTimeout, &initTimeout{f.InitTimeout})
		defer cancel()
		defer func(whole context.Context) { v.scope.Context = whole }(v.scope.Context)
		v.scope.Context = ctx
	}
	host := js.Host{
		Native:   v.native,
		IsNative: func(name string) bool { _, ok := f.Modules[name]; return ok },
		Started:  func(in *js.Instance) { opening = in },
	}
	in, err := f.Program.Instantiate(ctx, rt, v.scope.Loop, host)
	if err == nil && ctx.Err() != nil { // an interruption may be on its way
		err = context.Cause(ctx)
	}
	if err != nil {
		v.Close()
		return nil, tooLong(ctx, err)
	}
	v.instance = in
	switch {
	case f.Consolidated != nil:
		if err := in.CompleteOptions(f.Consolidated); err != nil {
			return nil, err
		}
	case id > 0:
		in.Forget("options") // the first init has told them
	}
	return v, nil
}

type initTimeout struct{ limit time.Duration }

func (e *initTimeout) Error() string {
	return fmt.Sprintf("the script's top-level code did not end within %v", e.limit)
}

// tooLong makes of what the end of InitTimeout led to a sentence with the place that the script was at.
func tooLong(ctx context.Context, err error) error {
	var late *initTimeout
	if !errors.As(context.Cause(ctx), &late) {
		return err
	}
	text := late.Error()
	if place := js.Place(err); place != "" {
		text += "\n" + place
	}
	return fault.WithHint(fault.GenericTimeout, errors.New(text), "work for setup(), or a longer --init-timeout")
}

func (f *Factory) runTags() *metric.TagSet {
	if f.Test.RunTags != nil {
		return f.Test.RunTags
	}
	return f.Test.TagTable.Empty()
}

func (v *VU) native(name string) (js.Exports, error) {
	m, ok := v.factory.Modules[name]
	if !ok {
		return js.Exports{}, v.factory.Missing(name)
	}
	return m(v.scope)
}

func (v *VU) open(caller func() *url.URL) func(sobek.FunctionCall) sobek.Value {
	return func(call sobek.FunctionCall) sobek.Value {
		rt := v.scope.Runtime
		if v.scope.Phase != scope.Init || v.instance != nil {
			panic(rt.NewGoError(js.InitOnly("open")))
		}
		path, name := call.Argument(0), ""
		if !sobek.IsUndefined(path) && !sobek.IsNull(path) {
			name = path.String()
		}
		if mode := call.Argument(1); !sobek.IsUndefined(mode) && mode.String() == "b" {
			data, err := v.factory.Open.Open(caller(), name)
			if err != nil {
				panic(rt.NewGoError(err))
			}
			return rt.ToValue(rt.NewArrayBuffer(data))
		}
		text, err := v.factory.Open.OpenText(caller(), name)
		if err != nil {
			panic(rt.NewGoError(err))
		}
		return rt.ToValue(text)
	}
}

// Exports are the names that the script exports; Export is the value of one, nil when there is none.
func (v *VU) Exports() []string { return v.instance.Exports() }

// OptionsJSON is what the script exports as options, as JSON; nil if it exports none.
func (v *VU) OptionsJSON() ([]byte, error) { return v.instance.OptionsJSON() }

// Export is the value that the script exports under name, or nil.
func (v *VU) Export(name string) sobek.Value { return v.instance.Export(name) }

// HasFunction reports whether the script exports a function under name.
func (v *VU) HasFunction(name string) bool {
	_, ok := sobek.AssertFunction(v.instance.Export(name))
	return ok
}

// SetSetupData gives the result of setup(), as JSON, to the iterations to come: what data holds when the first one begins.
func (v *VU) SetSetupData(data *atomic.Pointer[[]byte]) {
	v.setup, v.setupRead, v.setupValue = data, false, nil
}

func (v *VU) setupData() (sobek.Value, error) {
	if v.setupRead {
		return v.setupValue, nil
	}
	v.setupRead, v.setupValue = true, sobek.Undefined()
	var data []byte
	if v.setup != nil && v.setup.Load() != nil {
		data = *v.setup.Load()
	}
	if len(data) == 0 {
		return v.setupValue, nil
	}
	val, err := js.ParseJSON(v.scope.Runtime, data)
	if err != nil {
		return nil, fmt.Errorf("read setup data: %w", err)
	}
	v.setupValue = val
	return val, nil
}

// Activate binds the virtual user to scenario s. The end of ctx cuts off a running iteration and refuses further ones.
func (v *VU) Activate(ctx context.Context, s *plan.Scenario) error {
	if err := v.renew(ctx); err != nil {
		return err
	}
	if v.fn == nil || v.scenario != s {
		var ok bool
		if v.fn, ok = sobek.AssertFunction(v.instance.Export(s.Exec)); !ok {
			return fmt.Errorf("scenario %s: function '%s' not found in exports", s.Name, s.Exec)
		}
	}
	sc := v.scope
	sc.Phase = scope.Iteration
	if v.scenario != s {
		v.enter(s)
	}
	v.ctx, sc.Context = ctx, ctx
	for _, f := range sc.OnActivate {
		f()
	}
	v.watchOver(ctx)
	return nil
}

// enter makes what a scenario gives to its virtual users: tags, environment, counters.
func (v *VU) enter(s *plan.Scenario) {
	v.scenario = s
	sc, test := v.scope, v.factory.Test
	v.baseTags = v.factory.runTags()
	for k, val := range s.Tags {
		v.baseTags = v.baseTags.With(k, val)
	}
	if test.SystemTags.Scenario {
		v.baseTags = v.baseTags.With("scenario", s.Name)
	}
	if test.SystemTags.Group {
		v.baseTags = v.baseTags.With("group", "")
	}
	sc.Tags, sc.Metadata, sc.Group, sc.IterationInScenario = v.baseTags, nil, "", -1
	sc.Scenario = test.Scenarios[s.Name]
	if v.inOther || len(s.Env) > 0 {
		sc.SetEnv(v.factory.Env.With(s.Env))
	}
	v.inOther = true
}

var errCut = errors.New("cut off")

// Interrupt ends what the script does, once the context of the activation has ended. That does the same, in a goroutine of its own, which
// among many busy scripts may have to wait long for its turn; who ends many virtual users calls Interrupt for each. It may be called from
// any goroutine while the virtual user is active.
func (v *VU) Interrupt() { v.scope.Runtime.Interrupt(errCut) }

// Deactivate ends the activation. When it returns nothing of the interruption is still under way.
func (v *VU) Deactivate() {
	v.unwatch()
	v.scope.Runtime.ClearInterrupt()
	v.scope.Loop.Reset()
}

// Close gives back what the virtual user holds outside its runtime.
func (v *VU) Close() {
	for _, f := range v.scope.OnClose {
		f()
	}
}
