package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"throng/internal/fault"
	"throng/internal/grid/client"
	"throng/internal/grid/cluster"
	"throng/internal/grid/desk"
	"throng/internal/plan"
	"throng/internal/plural"
)

// runRow is one run as throng runs --json shows it.
type runRow struct {
	ID           string                `json:"id"`
	State        cluster.RunState      `json:"state"`
	ExitCode     *int                  `json:"exit_code"`
	Script       string                `json:"script"`
	By           string                `json:"by,omitempty"`
	Submitted    time.Time             `json:"submitted"`
	Started      *time.Time            `json:"started"`
	Ended        *time.Time            `json:"ended"`
	Error        string                `json:"error,omitempty"`
	OnNodeLoss   cluster.NodeLoss      `json:"on_node_loss"`
	Spread       *cluster.Spread       `json:"spread,omitempty"` // of those nodes that began it
	Parts        []cluster.Part        `json:"parts,omitempty"`
	Disturbances []cluster.Disturbance `json:"disturbances,omitempty"`
}

func rowOf(r *cluster.Run) runRow {
	row := runRow{
		ID: r.ID, State: r.State, ExitCode: r.ExitCode, Script: r.Asked.Name, By: r.By, Submitted: r.Submitted, Error: r.Error,
		OnNodeLoss: r.Asked.NodeLoss, Parts: r.Parts, Disturbances: r.Disturbances,
	}
	if s := cluster.SpreadOf(r.Parts); s.Nodes > 0 {
		row.Spread = &s
	}
	if !r.Started.IsZero() {
		row.Started = &r.Started
	}
	if !r.Ended.IsZero() {
		row.Ended = &r.Ended
	}
	return row
}

func newRuns(g *global) *cobra.Command {
	var a access
	var asJSON bool
	c := &cobra.Command{
		Use: "runs", Short: "list a grid's runs", Args: cobra.NoArgs,
		Long: "runs lists the runs of a grid, the oldest first: those that have ended, the one that is going on, and those that wait. A grid\n" +
			"carries out one run at a time, and remembers the last 500.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			grid, err := a.dial(g)
			if err != nil {
				return err
			}
			var all []*cluster.Run
			if err := grid.JSON(cmd.Context(), http.MethodGet, desk.RunsPath, nil, &all); err != nil {
				return err
			}
			if asJSON {
				return g.printRuns(all)
			}
			return g.tableOfRuns(all)
		},
	}
	a.addFlags(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, with who asked for a run, its parts and its disturbances")
	return c
}

func (g *global) printRuns(all []*cluster.Run) error {
	rows := make([]runRow, len(all))
	for i, r := range all {
		rows[i] = rowOf(r)
	}
	b, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(g.Stdout, string(b))
	return err
}

func (g *global) tableOfRuns(all []*cluster.Run) error {
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "RUN\tSTATE\tEXIT CODE\tSUBMITTED\tTOOK\tSCRIPT\tNOTE")
	for _, r := range all {
		code, took, note := "-", "-", firstLine(r.Error)
		if r.ExitCode != nil {
			code = fmt.Sprint(*r.ExitCode)
		}
		switch {
		case !r.Ended.IsZero() && !r.Started.IsZero():
			took = r.Ended.Sub(r.Started).Round(time.Second).String()
		case !r.Started.IsZero():
			took = time.Since(r.Started).Round(time.Second).String() + " so far"
		}
		if n := len(r.Disturbances); n > 0 && note == "" {
			note = plural.Of(n, "disturbance", "disturbances")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.State, code, r.Submitted.Local().Format(time.DateTime), took, r.Asked.Name, note)
	}
	return w.Flush()
}

// firstLine is what of a text fits into a row.
func firstLine(text string) string {
	line, _, more := strings.Cut(text, "\n")
	if more {
		line += " ..."
	}
	return line
}

// oneRun says what is missing in the words of a command.
func oneRun(command string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "" && !strings.ContainsAny(args[0], "/?#") {
			return nil
		}
		return fault.WithHint(fault.Other, fmt.Errorf("throng %s needs the id of one run", command), "throng runs lists them")
	}
}

// find returns the record of the run that an id, or the beginning of one, names.
func find(ctx context.Context, grid *client.Grid, id string) (*cluster.Run, error) {
	var rec cluster.Run
	err := grid.JSON(ctx, http.MethodGet, desk.RunsPath+"/"+id, nil, &rec)
	return &rec, err
}

func newAttach(g *global) *cobra.Command {
	var a access
	c := &cobra.Command{
		Use: "attach RUN", Short: "follow a run of a grid", Args: oneRun("attach"), ValidArgsFunction: cobra.NoFileCompletions,
		Long: "attach follows a run of a grid until it ends, or takes one that has ended, prints its summary and exits with its exit code.\n" +
			"RUN is an id as throng runs lists it, or the beginning of one. Ctrl-C ends the following, not the run; throng stop ends the run.",
		RunE: func(cmd *cobra.Command, args []string) error {
			grid, err := a.dial(g)
			if err != nil {
				return err
			}
			if _, err := grid.Learn(cmd.Context()); err != nil {
				return err
			}
			rec, err := find(cmd.Context(), grid, args[0])
			if err != nil {
				return err
			}
			s := &follower{global: g, grid: grid, id: rec.ID, console: g.console()}
			if err := json.Unmarshal(rec.Asked.View, &s.wish); err != nil {
				return fmt.Errorf("read how run %s wants to be summed up: %w", rec.ID, err)
			}
			s.wish.NoColor, s.wish.StdoutTTY, s.wish.StderrTTY = g.plain(), isTerminal(g.Stdout), isTerminal(g.Stderr)
			s.runtime = plan.Runtime{SummaryMode: s.wish.Mode}
			return s.follow(cmd.Context())
		},
	}
	a.addFlags(c.Flags())
	return c
}

func newStop(g *global) *cobra.Command {
	var a access
	c := &cobra.Command{
		Use: "stop RUN", Short: "end a run of a grid", Args: oneRun("stop"), ValidArgsFunction: cobra.NoFileCompletions,
		Long: "stop ends a run of a grid as Ctrl-C ends a local one: running iterations are cut off, teardown() is called, and the summary\n" +
			"tells what was measured. A run that waits is taken out of the queue.",
		RunE: func(cmd *cobra.Command, args []string) error {
			grid, err := a.dial(g)
			if err != nil {
				return err
			}
			rec, err := find(cmd.Context(), grid, args[0])
			if err != nil {
				return err
			}
			why := desk.StopCall{Why: "test run was aborted by throng stop", Kind: fault.Interrupted}
			return grid.JSON(cmd.Context(), http.MethodPost, desk.RunsPath+"/"+rec.ID+"/stop", why, nil)
		},
	}
	a.addFlags(c.Flags())
	return c
}

func newLogs(g *global) *cobra.Command {
	var a access
	c := &cobra.Command{
		Use: "logs RUN", Short: "show what the scripts of a run have written", Args: oneRun("logs"), ValidArgsFunction: cobra.NoFileCompletions,
		Long: "logs shows what the scripts of a run wrote to their consoles, and its runners to their logs, on all nodes; of a run that is\n" +
			"going on it shows more as it comes. They go to standard output, or to --log-output.",
		RunE: func(cmd *cobra.Command, args []string) error {
			grid, err := a.dial(g)
			if err != nil {
				return err
			}
			rec, err := find(cmd.Context(), grid, args[0])
			if err != nil {
				return err
			}
			out := *g // the lines are what was asked for; what there is to say about the asking goes where it always does
			out.log = g.printer()
			s := &follower{global: &out, grid: grid, id: rec.ID, console: out.console()}
			show := func(e desk.Event) {
				if e.Line != nil {
					s.line(e)
				}
			}
			if !rec.State.Over() {
				return grid.Follow(cmd.Context(), rec.ID, false, show)
			}
			var res desk.Result
			if err := grid.JSON(cmd.Context(), http.MethodGet, desk.RunsPath+"/"+rec.ID+"/result", nil, &res); err != nil {
				return err
			}
			for _, e := range res.Lines {
				show(e)
			}
			return nil
		},
	}
	a.addFlags(c.Flags())
	return c
}
