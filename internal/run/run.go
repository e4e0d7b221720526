package run

import (
	"context"
	"time"

	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/segment"
	"throng/internal/threshold"
)

// Ready is what a runner knows once its script has been read: who else may need to know it is the conductor's business.
type Ready struct {
	Options    plan.Options    // consolidated
	Thresholds threshold.Set   // understood, with the kinds of their metrics
	Scenarios  []plan.Scenario // derived, in order of name, with work for this runner
	Metrics    []metric.Metric // every metric defined, in order of definition
	Segment    *segment.Tuple  // this runner's part
	MaxVUs     int64
	// MaxDuration is the longest that the scenarios can take, graceful stops included.
	MaxDuration time.Duration
	Functions   []string // the names of the functions that the script exports
	HasSetup    bool
	HasTeardown bool
	HasSummary  bool // the script exports handleSummary
}

// Runner is one part of a run's load. A laptop has one; a grid has one or more on every node. Snapshot, Acknowledge, Urgent,
// Yield, Progress and MarkedAsFailed may be called at any time from any goroutine.
type Runner interface {
	// Init reads the script and makes the virtual users ready.
	Init(ctx context.Context) (Ready, error)
	// Setup calls setup() and returns its result as JSON; nil when it returned nothing.
	Setup(ctx context.Context) ([]byte, error)
	// Run starts the scenarios as b says and returns when all have ended. An error is what ended them early: an exception
	// that ends a run, test.abort(), a cancelled ctx, which cuts running iterations off at once. After Yield it is nil.
	Run(ctx context.Context, b Begin) error
	// Yield ends Run so that other runners can carry on where it stops: no iteration begins any more, and those that run are
	// given until the end of ctx and then cut off. It returns the last snapshot, once Run has returned: what that one
	// reserves was used, and nothing else. Before Run it keeps Run from beginning anything; that snapshot reserves
	// nothing. An error says that nothing is known of the runner.
	Yield(ctx context.Context) (metric.Snapshot, error)
	// Teardown calls teardown() with setup's result.
	Teardown(ctx context.Context, setupData []byte) error
	// Summary calls handleSummary with data, a JSON document, and returns what it wants written where; nil when it returned
	// nothing, and the usual report is wanted.
	Summary(ctx context.Context, data []byte) (map[string][]byte, error)
	// Snapshot returns what was measured so far.
	Snapshot() metric.Snapshot
	// Acknowledge tells that the snapshots up to number seq are safe, because a second host holds them. See Begin.Reserve.
	Acknowledge(seq uint64)
	// Urgent receives when a snapshot is wanted before its time, because half of what was reserved is used. It holds one
	// token and is never closed; nothing comes unless Begin.Reserve is set.
	Urgent() <-chan struct{}
	// Progress says how far each scenario is.
	Progress() []Progress
	// MarkedAsFailed reports whether the script called exec.test.fail().
	MarkedAsFailed() bool
}

// Begin says how the scenarios start.
type Begin struct {
	Setup []byte // setup's result as JSON
	// At is the instant at which the scenarios' clocks show zero; the zero time: the call of Run. One to come is waited for.
	// What was due before the call is not caught up: a runner that takes over a share begins in the middle of its schedule.
	At time.Time
	// Used are, by scenario, how many of the share's iteration numbers a former life of it may have used: none of them is
	// used again. Of a dead life they are its newest snapshot's Reserved; Inherited says what falls to a part of its share.
	Used map[string]int64
	// Exact says that the former life has yielded, so that what Used says was used, and nothing else. Then arrival rates
	// begin there too: what became due since is begun late, at no more than twice the rate, and not left out.
	Exact bool
	// Reserve lets scenarios with a bounded number of iterations begin only what a snapshot has reserved that Acknowledge has
	// made safe, and loops only once there is such a snapshot at all. One is asked for at the call of Run, so that none of
	// them need wait for it if At is far enough ahead. Without Reserve nothing ever waits.
	Reserve bool
}

// Progress is how far one scenario is.
type Progress struct {
	Scenario string
	Executor string
	// Left is the text that describes the state in front of the bar, as the executor words it.
	State string
	// Done is the finished share, 0 to 1.
	Done    float64
	Started bool
	Ended   bool
	// Right are the columns after the bar: VUs, rate, time or iterations.
	Right []Column
}
