package order

import (
	"encoding/json"
	"time"

	"throng/internal/grid/courier"
)

// Path begins the paths of orders: Path + run + "/" + part + "/" + the order's name, by POST.
const Path = "/throng/v1/parts/"

// The orders, by name.
const (
	Prepare  = "prepare" // start a runner and have it read the script
	Setup    = "setup"
	Run      = "run"
	Teardown = "teardown"
	Summary  = "summary"
	Yield    = "yield"   // stop in good order, with exact numbers
	Stop     = "stop"    // end what goes on, for a reason
	Drain    = "drain"   // nothing more will be measured: outputs that write to servers shall come to their end
	Release  = "release" // the run is over: the runner may go
)

// Known reports whether there is an order of that name.
func Known(name string) bool {
	switch name {
	case Prepare, Setup, Run, Teardown, Summary, Yield, Stop, Drain, Release:
		return true
	}
	return false
}

// Job is what a part is made from.
type Job struct {
	Bundle string   `json:"bundle"` // digest
	From   []string `json:"from"`   // addresses of nodes that have it
	Share  string   `json:"share"`
	// Of is the lost part that this one takes over from.
	Of string `json:"of,omitempty"`
	// Life is the node's process that the part was given to: one that started since knows nothing of it.
	Life string `json:"life"`
	// Full keeps groups and scenarios apart, for the full summary.
	Full         bool `json:"full,omitempty"`
	NoThresholds bool `json:"no_thresholds,omitempty"`
	// Outputs are what samples are written to.
	Outputs   []string          `json:"outputs,omitempty"`
	OutputEnv map[string]string `json:"output_env,omitempty"`
	// Env are variables of outputs and scripts that every node sees.
	Env map[string]string `json:"env,omitempty"`
	// InitTimeout bounds the script's top-level code.
	InitTimeout time.Duration `json:"init_timeout,omitempty"`
	Verbose     bool          `json:"verbose,omitempty"` // debug messages are wanted
}

// Begin is run.Begin on its way.
type Begin struct {
	Setup   []byte           `json:"setup,omitempty"`
	At      time.Time        `json:"at"`  // in the leader's clock
	Now     time.Time        `json:"now"` // what that showed when the order was sent
	Used    map[string]int64 `json:"used,omitempty"`
	Exact   bool             `json:"exact,omitempty"`
	Reserve bool             `json:"reserve,omitempty"`
}

// Request is the body of every order; each order reads what it needs.
type Request struct {
	Term   uint64 `json:"term"`
	Leader string `json:"leader"`
	Job    *Job   `json:"job,omitempty"`
	Begin  *Begin `json:"begin,omitempty"`
	Data   []byte `json:"data,omitempty"`
	// Cause is why a Stop ends what goes on; Of names the order that it ends.
	Cause *courier.Fault `json:"cause,omitempty"`
	Of    string         `json:"of,omitempty"`
}

// Reply is the answer to every order that went well.
type Reply struct {
	Ready json.RawMessage   `json:"ready,omitempty"`
	Data  []byte            `json:"data,omitempty"`
	Files map[string][]byte `json:"files,omitempty"`
	// Skew is the error that the measured difference between the leader's clock and the node's may have.
	Skew time.Duration `json:"skew,omitempty"`
}

// LinesPath begins the paths where a node brings lines of outputs to the leader: LinesPath + run.
const LinesPath = "/throng/v1/lines/"

// Lines are whole lines of one output of a part. N counts those of the part, so that the same ones may come twice.
type Lines struct {
	Part   string `json:"part"`
	N      int64  `json:"n"`
	Output int    `json:"output"`
	Lines  []byte `json:"lines"`
}
