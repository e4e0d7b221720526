package metric

import "throng/internal/sketch"

// Selector names a part of a metric: the samples that carry all its tags. The empty Tags select every sample.
type Selector struct {
	Metric string
	Tags   []Tag
}

// Role says why a Series is kept.
type Role uint8

// The roles. A metric's submetrics are those that thresholds name, and http_req_duration{expected_response:true}.
const (
	Total         Role = iota // all samples of a metric
	Submetric                 // the samples of a metric that carry certain tags
	CheckPart                 // metric checks, one check in one group: tags group and check
	GroupPart                 // a metric's samples in one group: tags group and, if any, scenario (full summary only)
	ScenarioPart              // a metric's samples in one scenario: tag scenario (full summary only)
	ScenarioCheck             // one check in one scenario: tags scenario, group and check (full summary only)
)

// Series is what was folded from the samples of one Selector since the run began.
type Series struct {
	Selector
	Role     Role
	Kind     Kind
	Contains Contains
	Sum      float64       // Counter
	Trues    int64         // Rate: samples that were not zero
	Count    int64         // every kind: how many samples were folded
	Last     float64       // Gauge
	LastAt   int64         // Gauge: when Last was seen, nanoseconds since 1970
	Min, Max float64       // Gauge
	Trend    *sketch.Trend // Trend; never changed once it is in a Snapshot
}

// Snapshot is all that one runner has measured since the run began: cumulative, so that a lost one is no loss and a
// repeated one is harmless.
type Snapshot struct {
	Seq    uint64
	Series []Series   // in order of first appearance; only those with samples
	Groups []string   // paths ("::a::b") of the groups entered so far, in order of first entry
	Checks []Selector // every check seen, in order of first appearance: metric "checks", tags group and check
	Load   Load
	Late   *Lateness // nil unless an arrival-rate scenario ran
	// Scenarios are what the runner's scenarios have begun of what they were to begin, in order of name; nil before Run.
	Scenarios []ScenarioCount
	// Reserved are, by scenario, numbers of the runner's share: every iteration that has begun by the time that this snapshot is
	// the newest known of the runner has a lower one. While Run goes on it never falls. Once nothing begins any more it is
	// exact: the first number that did not begin; of an arrival rate the index of the first arrival that was left to
	// others. nil before Run, and where snapshots of several runners were added up.
	Reserved map[string]int64
}

// ScenarioCount is what one runner, in this life of its share, did of one scenario.
type ScenarioCount struct {
	Name  string
	Begun int64 // iterations
	// Due are, of an arrival rate, the iterations that were due since the runner took it up: Begun, and Dropped, and those that
	// some VU is about to begin. Of other scenarios it is Begun.
	Due     int64
	Dropped int64
}

// Lateness compares an open model's promise with what the generator kept, in milliseconds.
type Lateness struct {
	Start    *sketch.Trend // start of an iteration after the moment it was due
	FromDue  *sketch.Trend // http_req_duration plus the lateness of the iteration that sent it
	FromSend *sketch.Trend // http_req_duration of the same requests
}

// Load is how much is going on in a runner right now, for progress and for the REST API.
type Load struct {
	VUs, VUsMax             int64 // active and initialised virtual users
	Iterations, Interrupted int64 // complete and cut off so far
	Dropped                 int64
}
