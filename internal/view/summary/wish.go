package summary

import (
	"time"

	"throng/internal/grid/conductor"
)

// Wish is how whoever started a run wants it summed up. It travels to the grid with the run, because handleSummary is called there.
type Wish struct {
	Mode    string `json:"mode,omitempty"`    // compact, full, legacy or disabled
	Machine bool   `json:"machine,omitempty"` // the machine readable layout
	NoColor bool   `json:"no_color,omitempty"`
	// StdoutTTY and StderrTTY say whether the streams are terminals.
	StdoutTTY bool   `json:"stdout_tty,omitempty"`
	StderrTTY bool   `json:"stderr_tty,omitempty"`
	Script    string `json:"script,omitempty"` // its source, for the machine readable layout
	Version   string `json:"version,omitempty"`
}

// Report returns what a summary of the outcome is made from.
func (w Wish) Report(out conductor.Outcome) Report {
	opts := out.Ready.Options
	return Report{
		Snapshot: out.Snapshot, Verdicts: out.Verdicts, Thresholds: out.Ready.Thresholds, Elapsed: out.Elapsed,
		TrendStats: opts.SummaryTrendStats, TimeUnit: opts.SummaryTimeUnit.Or(""), Full: w.Mode == "full",
		NoColor: w.NoColor, StdoutTTY: w.StdoutTTY, StderrTTY: w.StderrTTY,
		SetupData: out.SetupData, Lateness: out.Snapshot.Late, Script: w.Script, Version: w.Version, GeneratedAt: time.Now(),
	}
}

// Data returns what handleSummary is called with, as JSON.
func (w Wish) Data(r Report) ([]byte, error) {
	if w.Machine {
		return MachineData(r)
	}
	return Data(r)
}
