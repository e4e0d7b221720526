package run

import (
	"encoding/json"
	"fmt"
	"time"

	"throng/internal/metric"
	"throng/internal/plan"
	"throng/internal/segment"
	"throng/internal/threshold"
)

// readyJSON is a Ready as it travels. Thresholds are in the options; they are read again where it arrives.
type readyJSON struct {
	Options     json.RawMessage `json:"options"`
	Judged      bool            `json:"judged"` // the thresholds were read
	Scenarios   []plan.Scenario `json:"scenarios"`
	Metrics     []metric.Metric `json:"metrics"`
	Share       segment.Share   `json:"share"` // of what the options leave
	MaxVUs      int64           `json:"maxVUs"`
	MaxDuration time.Duration   `json:"maxDuration"`
	Functions   []string        `json:"functions"`
	HasSetup    bool            `json:"hasSetup"`
	HasTeardown bool            `json:"hasTeardown"`
	HasSummary  bool            `json:"hasSummary"`
}

// MarshalJSON writes all of r.
func (r Ready) MarshalJSON() ([]byte, error) {
	out := readyJSON{
		Options: r.Options.Encode(), Judged: r.Thresholds.Entries != nil, Scenarios: r.Scenarios, Metrics: r.Metrics, MaxVUs: r.MaxVUs,
		MaxDuration: r.MaxDuration, Functions: r.Functions, HasSetup: r.HasSetup, HasTeardown: r.HasTeardown, HasSummary: r.HasSummary,
	}
	outer, err := r.Options.Tuple()
	if err != nil {
		return nil, err
	}
	share := r.Segment.Share()
	out.Share = share[min(len(outer.Share()), len(share)):]
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Ready) UnmarshalJSON(data []byte) error {
	var in readyJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	out := Ready{
		Scenarios: in.Scenarios, Metrics: in.Metrics, MaxVUs: in.MaxVUs, MaxDuration: in.MaxDuration, Functions: in.Functions,
		HasSetup: in.HasSetup, HasTeardown: in.HasTeardown, HasSummary: in.HasSummary,
	}
	var err error
	if out.Options, err = plan.Decode(in.Options); err != nil {
		return err
	}
	outer, err := out.Options.Tuple()
	if err != nil {
		return err
	}
	if out.Segment, err = in.Share.In(outer); err != nil {
		return err
	}
	if in.Judged {
		if out.Thresholds, err = out.thresholds(); err != nil {
			return fmt.Errorf("read the thresholds: %w", err)
		}
	}
	*r = out
	return nil
}

// thresholds reads those of the options.
func (r *Ready) thresholds() (threshold.Set, error) {
	set, err := threshold.ParseSet(r.Options.Thresholds)
	if err != nil {
		return set, err
	}
	return set.Resolve(func(name string) *metric.Metric {
		for i := range r.Metrics {
			if r.Metrics[i].Name == name {
				return &r.Metrics[i]
			}
		}
		return nil
	})
}
