package scope

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grafana/sobek"

	"throng/internal/load/js"
	"throng/internal/load/meter"
	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/run"
)

// Module makes a module's exports for one virtual user. It is called once in each runtime that imports the module.
type Module func(*VU) (js.Exports, error)

// Phase says where in its life a runtime is.
type Phase uint8

// The phases, in the order of a run.
const (
	Init Phase = iota // top-level code
	Setup
	Iteration
	Teardown
	Summary
)

// VU is one virtual user as its modules see it.
type VU struct {
	Runtime *sobek.Runtime
	Loop    *js.Loop
	Test    *Test
	Phase   Phase
	// Context ends when the virtual user must stop what it is doing. Only valid outside Init.
	Context context.Context

	ID        uint64 // __VU and exec.vu.idInInstance; 0 in the first init
	IDInTest  uint64
	Iteration int64 // __ITER: of this VU, over all scenarios; -1 before the first
	Scenario  *Scenario
	// IterationInScenario is exec.vu.iterationInScenario: of this VU in the current scenario.
	IterationInScenario                  int64
	IterationInInstance, IterationInTest int64      // exec.scenario.iterationInInstance, .iterationInTest
	Env                                  *Env       // what __ENV begins as; nil: empty
	env                                  *envObject // __ENV; nil until it is first read

	// OpenFile is the script's open(); nil where there are no files.
	OpenFile func(sobek.FunctionCall) sobek.Value

	// Tags are what every sample gets now: run tags, scenario, group, and what the script set. BaseTags are those that
	// the current iteration began with.
	Tags     *metric.TagSet
	Metadata map[string]string // replaced on write, never changed: samples share it
	Group    string            // path of the current group, "" outside of all

	// Open says that the current iteration had a due time, and Late how many milliseconds after it the iteration began.
	Open bool
	Late float64

	// Traffic returns the bytes sent and received since the last call; nil until k6/http is used.
	Traffic func() (sent, received int64)

	// Shard is the hint for meter.Add.
	Shard uint32

	// Random is the source behind Math.random and k6's randomSeed; nil until seeded.
	// HTTP belongs to k6/http: its client, jar and caches; nil until first used.
	HTTP any
	// Timers belongs to k6/timers, which the global functions use too; nil until first used.
	Timers any
	// WebCrypto belongs to the global crypto and CryptoKey; nil until first used.
	WebCrypto any
	// OnIterationStart and OnInterrupt are called by the virtual user: the first before each iteration, on its own
	// goroutine; the second, from any goroutine, when Context has ended, to cut off I/O that does not watch a context.
	OnIterationStart []func()
	OnInterrupt      Interrupts
	// Watched says that the end of Context leads to OnInterrupt.
	Watched bool
	// OnActivate is called before the first iteration of an activation, after an interruption was cleared.
	OnActivate []func()
	// OnClose is called when the virtual user is no longer needed.
	OnClose []func()

	freeze sobek.Callable // Object.freeze, see Freeze
	timer  *time.Timer    // of Sleep, used again each time; nil until then
}

// ErrAborted is what exec.test.abort() interrupts its runtime with, after it has told Test.Abort: nothing of the script
// runs any more, and it cannot be caught.
var ErrAborted = errors.New("test aborted")

// Scenario is the running scenario of a VU as k6/execution shows it.
type Scenario struct {
	*plan.Scenario
	Started  func() time.Time
	Progress func() float64 // 0 to 1
}

// Test is what all virtual users of this process share.
type Test struct {
	Options    *plan.Options // consolidated; while the first init runs: what is known before the script's own
	Registry   *metric.Registry
	Builtin    *metric.Builtin
	TagTable   *metric.Tags
	RunTags    *metric.TagSet // on every sample; nil while the first init runs
	Meter      *meter.Meter   // nil while the first init runs
	SystemTags SystemTags
	Log        *slog.Logger
	Console    *slog.Logger // console.log and its kin
	InitLogs   atomic.Bool  // the script's top-level code has written to it

	// Abort ends the whole test with exit code 108; Fail marks it as failed (110) and lets it go on.
	Abort func(message string)
	Fail  func(message string)
	// Counts answers exec.instance; nil in the first init.
	Counts func() metric.Load
	Start  time.Time // when the run began, for exec.instance.currentTestRunDuration
	// OptionsJSON is the consolidated options, for exec.test.options.
	OptionsJSON func() []byte
	// Scenarios are the running scenarios by name; written before the first iteration.
	Scenarios            map[string]*Scenario
	MinIterationDuration time.Duration
	// Share is how much of a limit for the whole test falls to this process; 0 means all.
	Share float64

	// Once keeps what is made once for all virtual users (SharedArray): key to value.
	Once sync.Map
	// Shared is what the virtual users of all processes share, for throng/grid; Callers counts the runtimes that have asked it.
	Shared  run.Shared
	Callers atomic.Uint64
	// HTTP is what all HTTP clients share (dialer, TLS, caches); owned by k6/http.
	HTTP struct {
		sync.Once
		V   any
		Err error
	}
}

// SystemTags says which system tags samples carry (https://grafana.com/docs/k6, "Tags and groups").
type SystemTags struct {
	Proto, Subproto, Status, Method, URL, Name, Group, Check, Error, ErrorCode, TLSVersion, Scenario, Service,
	ExpectedResponse, Iter, VU, OCSPStatus, IP bool
}

// SystemTagsOf turns names into SystemTags; unknown names are left out (plan has refused them).
func SystemTagsOf(names []string) SystemTags {
	var s SystemTags
	at := map[string]*bool{
		"proto": &s.Proto, "subproto": &s.Subproto, "status": &s.Status, "method": &s.Method, "url": &s.URL,
		"name": &s.Name, "group": &s.Group, "check": &s.Check, "error": &s.Error, "error_code": &s.ErrorCode,
		"tls_version": &s.TLSVersion, "scenario": &s.Scenario, "service": &s.Service,
		"expected_response": &s.ExpectedResponse, "iter": &s.Iter, "vu": &s.VU, "ocsp_status": &s.OCSPStatus, "ip": &s.IP,
	}
	for _, n := range names {
		if b := at[n]; b != nil {
			*b = true
		}
	}
	return s
}

// Emit folds one sample with the virtual user's present time and metadata. tags nil means vu.Tags.
func (vu *VU) Emit(m *metric.Metric, value float64, tags *metric.TagSet) {
	if tags == nil {
		tags = vu.Tags
	}
	vu.Test.Meter.Add(vu.Shard, vu.Test.Meter.Series(m, tags), value, time.Now(), vu.Metadata)
}
