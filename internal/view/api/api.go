package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"throng/internal/metric"
	"throng/internal/threshold"
)

// Status is how a run stands.
type Status struct {
	Phase       int  // 0 created to 10 interrupted, as k6 numbers them
	Paused      bool // waits before its setup, or its scenarios are held
	VUs, VUsMax int64
	Stopped     bool // somebody asked for the end through this API
	Running     bool // has started and not ended
	Tainted     bool // a threshold is crossed
}

// ErrFixed is what Scale returns where the numbers of virtual users cannot be changed.
var ErrFixed = errors.New("live VU configuration updates are not supported")

// Run is what is shown and asked of a run. Its methods may be called from many goroutines and return at once.
type Run interface {
	Status() Status
	// Stop ends the run; a second call changes nothing.
	Stop()
	// Pause holds the run, or lets it start or go on. Its error is told to the client.
	Pause(paused bool) error
	// Scale changes the numbers of virtual users; nil leaves one as it is. ErrFixed, or what is wrong with the numbers.
	Scale(vus, vusMax *int64) error
}

// Setup is what is asked about setup() and teardown().
type Setup interface {
	// SetupData is setup's result as JSON, empty when there is none.
	SetupData() []byte
	SetSetupData(data []byte)
	// RunSetup calls setup() and keeps its result; RunTeardown calls teardown() with it. Both return when that is done,
	// or soon after ctx has ended.
	RunSetup(ctx context.Context) error
	RunTeardown(ctx context.Context) error
}

// Measured is what a run has measured so far.
type Measured struct {
	Snapshot   metric.Snapshot
	Elapsed    time.Duration // since setup began: counters' rates are over it
	Thresholds threshold.Set
	Verdicts   threshold.Verdicts // of the last time the thresholds were judged
}

// Config is what the API is made of.
type Config struct {
	Run      Run
	Setup    Setup
	Measured func() Measured
	// Profiling serves Go's profiles under /debug/pprof/.
	Profiling bool
}

// The bounds of a request: setup data is the only thing that may be large.
const (
	maxPatch     = 1 << 20
	maxSetupData = 64 << 20
	answerWithin = 30 * time.Second // of writing the answer
)

type server struct {
	Config
	turn chan struct{} // holds a token while setup() or teardown() runs for somebody: one at a time
}

// New returns the API. Every path that it does not know answers ok, as k6's does: whoever waits for it may ask for any.
func New(cfg Config) http.Handler {
	s := &server{Config: cfg, turn: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	for path, m := range s.routes() {
		mux.Handle(path, m)
	}
	mux.Handle("/v1/", http.NotFoundHandler())
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, textPlain, []byte("ok")) })
	addProcess(mux, cfg.Profiling)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The deadline of the answer before this one, on the same connection, is not this one's: see write.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
		mux.ServeHTTP(w, r)
	})
}

// routes are all paths of version 1; one that ends in a slash is followed by an id.
func (s *server) routes() map[string]methods {
	return map[string]methods{
		"/v1/status":   {http.MethodGet: s.getStatus, http.MethodPatch: s.patchStatus},
		"/v1/metrics":  {http.MethodGet: s.getMetrics},
		"/v1/metrics/": {http.MethodGet: s.getMetric},
		"/v1/groups":   {http.MethodGet: s.getGroups},
		"/v1/groups/":  {http.MethodGet: s.getGroup},
		"/v1/setup":    {http.MethodGet: s.getSetup, http.MethodPut: s.putSetup, http.MethodPost: s.runSetup},
		"/v1/teardown": {http.MethodPost: s.runTeardown},
	}
}

// methods answers by the request's method and refuses those it does not have.
type methods map[string]http.HandlerFunc

// ServeHTTP implements http.Handler.
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, ok := m[r.Method]
	if !ok {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	h(w, r)
}
