package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"throng/internal/plural"
)

// Text writes findings for people: a line each, and under what is short, why and the line to run. The error is w's.
func Text(w io.Writer, n Need, all []Finding) error {
	fmt.Fprintf(w, "planned: %s, %g requests/s, %g new connections/s, %s\n\n",
		plural.Of(n.VUs, "VU", "VUs"), n.RatePerSecond, n.ConnectionsPerSecond, plural.Of(max(1, n.Targets), "target", "targets"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\twhat\there\twanted")
	for _, f := range all {
		mark := "ok"
		if f.Short {
			mark = "SHORT"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", mark, f.What, f.Have, f.Want)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if !Short(all) {
		_, err := fmt.Fprintln(w, "\nThis host is fit for the test.")
		return err
	}
	for _, f := range all {
		if f.Short {
			if _, err := fmt.Fprintf(w, "\n%s: %s\n  %s\n", f.What, f.Why, f.Mend); err != nil {
				return err
			}
		}
	}
	return nil
}

// JSON writes what was asked, what the host has and what was found, as one indented object. The error is w's.
func JSON(w io.Writer, n Need, h Host, all []Finding) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Fit      bool      `json:"fit"`
		Need     Need      `json:"need"`
		Host     Host      `json:"host"`
		Findings []Finding `json:"findings"`
	}{!Short(all), n, h, all})
}
