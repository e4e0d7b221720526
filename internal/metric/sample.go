package metric

import "time"

// Sample is one measured value, as streaming outputs (json, csv) want it. Samples exist only while an output has asked
// for them.
type Sample struct {
	Metric   *Metric
	Time     time.Time
	Value    float64 // time metrics in milliseconds
	Tags     *TagSet
	Metadata map[string]string // shared between samples: never written after the sample was made
}
