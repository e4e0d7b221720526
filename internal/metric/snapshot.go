package metric

import "throng/internal/sketch"

// Selector names a part of a metric: the samples that carry all its tags. The empty Tags select every sample.
type Selector struct {
	Metric string
	Tags   []Tag
}

// Series is what was folded from the samples of one Selector since the run began.
type Series struct {
	Selector
	Kind     Kind
	Contains Contains
	Sum      float64       // Counter
	Trues    int64         // Rate: samples that were not zero
	Total    int64         // Rate: samples; every kind: how many samples were folded
	Last     float64       // Gauge
	Min, Max float64       // Gauge
	Trend    *sketch.Trend // Trend; never changed once it is in a Snapshot
}

// Snapshot is all that one runner has measured since the run began: cumulative, so that a lost one is no loss and a
// repeated one is harmless.
type Snapshot struct {
	Seq    uint64
	Series []Series   // every metric that has samples; then submetrics, checks (metric "checks", tags check and group), groups' and scenarios' parts where asked for
	Groups []string   // paths ("::a::b") of the groups entered so far, in order of first entry
	Checks []Selector // every check seen, in order of first appearance: metric "checks", tags check and group
	Load   Load
}

// Load is how much is going on in a runner right now, for progress and for the REST API.
type Load struct {
	VUs, VUsMax             int64 // active and initialised virtual users
	Iterations, Interrupted int64 // complete and cut off so far
	Dropped                 int64
}
