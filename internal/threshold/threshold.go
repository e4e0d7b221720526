package threshold

import "time"

// Threshold is one expression that a metric must satisfy.
type Threshold struct {
	Source         string
	AbortOnFail    bool
	DelayAbortEval time.Duration
}
