package plan

import "time"

// The executors' names, as scripts write them.
const (
	SharedIterations     = "shared-iterations"
	PerVUIterations      = "per-vu-iterations"
	ConstantVUs          = "constant-vus"
	RampingVUs           = "ramping-vus"
	ConstantArrivalRate  = "constant-arrival-rate"
	RampingArrivalRate   = "ramping-arrival-rate"
	ExternallyControlled = "externally-controlled"
)

// Stage is one leg of a ramp: reach Target after Duration, linearly.
type Stage struct {
	Duration time.Duration
	Target   int64
}

// Scenario is one scenario with every default filled in: what an executor works from. A field that its executor does
// not know is zero.
type Scenario struct {
	Name         string
	Executor     string
	StartTime    time.Duration
	GracefulStop time.Duration
	Exec         string // the exported function to call: "default" unless told
	Env          map[string]string
	Tags         map[string]string
	Browser      map[string]any // options.browser as the script wrote it; nil unless given

	VUs         int64
	Iterations  int64
	MaxDuration time.Duration // shared- and per-vu-iterations
	Duration    time.Duration // constant-vus, constant-arrival-rate, externally-controlled (0: without end)

	StartVUs         int64 // ramping-vus
	GracefulRampDown time.Duration
	Stages           []Stage // ramping-vus, ramping-arrival-rate

	Rate            int64 // constant-arrival-rate: iterations per TimeUnit
	StartRate       int64 // ramping-arrival-rate
	TimeUnit        time.Duration
	PreAllocatedVUs int64
	MaxVUs          int64 // arrival rates and externally-controlled
}

// StageConfig is one stage as it was written.
type StageConfig struct {
	Duration Opt[time.Duration]
	Target   Opt[int64]
}

// ScenarioConfig is one scenario as it was written, fields unset until given. A field that its executor does not know
// stays unset; see Validate for what is refused and Derive for the defaults.
type ScenarioConfig struct {
	Executor                string
	StartTime, GracefulStop Opt[time.Duration]
	Env, Tags               map[string]string // nil: unset
	Exec                    Opt[string]
	Options                 *ScenarioOptions // nil: unset

	VUs, Iterations, StartVUs               Opt[int64]
	MaxDuration, Duration, GracefulRampDown Opt[time.Duration]
	Stages                                  []StageConfig // nil: unset
	Rate, StartRate                         Opt[int64]
	TimeUnit                                Opt[time.Duration]
	PreAllocatedVUs, MaxVUs                 Opt[int64]
}

// ScenarioOptions is the options object of a scenario.
type ScenarioOptions struct {
	Browser map[string]any `json:"browser"`
}
