package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"throng/internal/fault"
	"throng/internal/grid/client"
	"throng/internal/grid/cluster"
	"throng/internal/grid/trust"
	"throng/internal/node"
	"throng/internal/plural"
)

func newGrid(g *global) *cobra.Command {
	a := &access{}
	c := &cobra.Command{
		Use: "grid", Short: "look at a grid and look after it",
		Long: "grid shows and changes a grid. Any node of it will do for --grid. Who asks is proved by a token in a file; the first node of a grid\n" +
			"wrote operator.token into its data directory.",
		Example: "  export THRONG_GRID=https://h1:2379 THRONG_TOKEN_FILE=operator.token\n" +
			"  throng grid status\n" +
			"  throng grid token create --role operator --note ana --out ana.token",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fault.WithHint(fault.Other, fmt.Errorf("unknown command %q for throng grid", args[0]), "throng help grid lists the commands")
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	a.addFlags(c.PersistentFlags())
	c.AddCommand(newStatus(g, a), newSize(g, a),
		newNodeOrder(g, a, "drain", "give a node's load and its vote to others, and give it no more"),
		newNodeOrder(g, a, "undrain", "use a node again that was drained"),
		newNodeOrder(g, a, "forget", "drop a node that is dead and will not come back"), newToken(g, a), newSnapshot(g, a))
	return c
}

// statusJSON is what grid status --json prints.
type statusJSON struct {
	ClusterID string       `json:"cluster_id"`
	Term      uint64       `json:"term"`
	Leader    string       `json:"leader"`
	IdealSize int          `json:"ideal_size"`
	Nodes     []statusNode `json:"nodes"`
}

type statusNode struct {
	Name      string            `json:"name"`
	Role      cluster.Role      `json:"role"`
	Alive     bool              `json:"alive"`
	Drained   bool              `json:"drained"`
	ClientURL string            `json:"client_url"`
	ServerURL string            `json:"server_url,omitempty"`
	Capacity  float64           `json:"capacity"`
	Labels    map[string]string `json:"labels,omitempty"`
	Version   string            `json:"version"`
	Joined    time.Time         `json:"joined"`
}

func statusOf(v cluster.View) statusJSON {
	s := statusJSON{ClusterID: v.ClusterID, Term: v.Leader.Term, Leader: v.Leader.Name, IdealSize: v.Ideal, Nodes: []statusNode{}}
	for _, n := range v.Nodes {
		s.Nodes = append(s.Nodes, statusNode{
			Name: n.Name, Role: n.Role, Alive: n.Alive, Drained: n.Drained, ClientURL: n.ClientURL, ServerURL: n.ServerURL, Capacity: n.Capacity,
			Labels: n.Labels, Version: n.Version, Joined: n.Joined,
		})
	}
	return s
}

func newStatus(g *global, a *access) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "status", Short: "show who is there, who votes and who leads", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			grid, err := a.dial(g)
			if err != nil {
				return err
			}
			v, err := grid.Learn(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				b, err := json.MarshalIndent(statusOf(v), "", "  ")
				if err == nil {
					_, err = fmt.Fprintln(g.Stdout, string(b))
				}
				return err
			}
			return g.tableOfNodes(v)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (g *global) tableOfNodes(v cluster.View) error {
	leader := v.Leader.Name
	if leader == "" {
		leader = "nobody"
	}
	voters := len(v.Voters())
	fmt.Fprintf(g.Stdout, "grid %s: %s, %s (ideal %d), led by %s in term %d\n\n", v.ClusterID, plural.Of(len(v.Nodes), "node", "nodes"),
		plural.Of(voters, "votes", "vote"), v.Ideal, leader, v.Leader.Term)
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NODE\tROLE\tSTATE\tADDRESS\tCAPACITY\tLABELS\tVERSION")
	for _, n := range v.Nodes {
		role := string(n.Role)
		if n.Name == v.Leader.Name {
			role += ", leads"
		}
		state := "alive"
		switch {
		case !n.Alive:
			state = "not heard"
		case n.Drained:
			state = "drained"
		}
		var labels []string
		for _, k := range slices.Sorted(maps.Keys(n.Labels)) {
			labels = append(labels, k+"="+n.Labels[k])
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%v\t%s\t%s\n", n.Name, role, state, n.ClientURL, n.Capacity, strings.Join(labels, ","), n.Version)
	}
	return w.Flush()
}

// one says what is missing in the words of a command.
func one(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return fault.WithHint(fault.Other, fmt.Errorf("%s needs %s", cmd.CommandPath(), what), cmd.UseLine())
	}
}

func newSize(g *global, a *access) *cobra.Command {
	return &cobra.Command{
		Use: "size N", Short: "set how many nodes shall vote", Args: one("a number of voters"),
		Long: "size sets the ideal number of voters. The grid follows one step at a time: the largest odd number not above it, nor above the\n" +
			"number of nodes that can vote.",
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[0])
			if err != nil {
				return fault.New(fault.InvalidConfig, fmt.Errorf("%q is no number of voters: 1, 3 or 5 would be right", args[0]))
			}
			return g.order(cmd.Context(), a, "size", node.GridCall{Size: n})
		},
	}
}

func newNodeOrder(g *global, a *access, order, short string) *cobra.Command {
	return &cobra.Command{
		Use: order + " NODE", Short: short, Args: one("the name of a node"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.order(cmd.Context(), a, order, node.GridCall{Node: args[0]})
		},
	}
}

// order gives the grid an order.
func (g *global) order(ctx context.Context, a *access, order string, call node.GridCall) error {
	grid, err := a.dial(g)
	if err != nil {
		return err
	}
	if _, err := grid.Learn(ctx); err != nil {
		return err
	}
	return grid.JSON(ctx, http.MethodPost, node.GridPath(order), call, nil)
}

func newToken(g *global, a *access) *cobra.Command {
	c := &cobra.Command{Use: "token", Short: "make, list and revoke tokens", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(newTokenCreate(g, a), newTokenList(g, a), newTokenRevoke(g, a))
	return c
}

func newTokenCreate(g *global, a *access) *cobra.Command {
	var role, note, out string
	var life time.Duration
	c := &cobra.Command{
		Use: "create", Short: "make a token", Args: cobra.NoArgs,
		Long: "create makes a token: for role join, with which a node joins; operator, which gives orders; or viewer, which looks.\n" +
			"It is written to --out, which nobody else can read, or to standard output. It is told once.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			grid, err := a.dial(g)
			if err != nil {
				return err
			}
			var answer node.TokenAnswer
			if err := grid.JSON(cmd.Context(), http.MethodPost, node.TokensPath, node.TokenCall{Role: trust.Role(role), Life: life, Note: note}, &answer); err != nil {
				return err
			}
			if out == "" {
				_, err := fmt.Fprintln(g.Stdout, answer.Token)
				return err
			}
			token, err := trust.ParseToken(answer.Token)
			if err != nil {
				return err
			}
			if err := trust.WriteToken(out, token); err != nil { // nobody has it now
				return errors.Join(err, grid.JSON(cmd.Context(), http.MethodDelete, node.TokensPath+"/"+token.ID, nil, nil))
			}
			return nil
		},
	}
	c.Flags().StringVar(&role, "role", "join", "the `ROLE` that it is for: join, operator or viewer")
	c.Flags().DurationVar(&life, "expires-in", 24*time.Hour, "for how long it is good, such as 720h")
	c.Flags().StringVar(&note, "note", "", "`TEXT` that says who has it; shown in lists and in the records of runs")
	c.Flags().StringVar(&out, "out", "", "`FILE` to write it to")
	offer(c, "role", string(trust.Join), string(trust.Operator), string(trust.Viewer))
	return c
}

func newTokenList(g *global, a *access) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "list tokens, without their secrets", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			grid, err := a.dial(g)
			if err != nil {
				return err
			}
			return g.listTokens(cmd.Context(), grid, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (g *global) listTokens(ctx context.Context, grid *client.Grid, asJSON bool) error {
	var all []cluster.Token
	if err := grid.JSON(ctx, http.MethodGet, node.TokensPath, nil, &all); err != nil {
		return err
	}
	if asJSON {
		b, err := json.MarshalIndent(all, "", "  ")
		if err == nil {
			_, err = fmt.Fprintln(g.Stdout, string(b))
		}
		return err
	}
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "TOKEN\tROLE\tCREATED\tEXPIRES\tSTATE\tNOTE")
	for _, t := range all {
		state := "good"
		switch {
		case !t.Revoked.IsZero():
			state = "revoked"
		case time.Now().After(t.Expires):
			state = "expired"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Role, t.Created.Local().Format(time.DateTime), t.Expires.Local().Format(time.DateTime), state, t.Note)
	}
	return w.Flush()
}

func newTokenRevoke(g *global, a *access) *cobra.Command {
	return &cobra.Command{
		Use: "revoke TOKEN", Short: "make a token worthless", Args: one("the id of a token"),
		Long: "revoke makes a token worthless at once; TOKEN is its id, as throng grid token list shows it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" || strings.ContainsAny(args[0], "/?#.") {
				return fault.New(fault.InvalidConfig, fmt.Errorf("%.20q is no token's id: throng grid token list shows them", args[0]))
			}
			grid, err := a.dial(g)
			if err != nil {
				return err
			}
			return grid.JSON(cmd.Context(), http.MethodDelete, node.TokensPath+"/"+args[0], nil, nil)
		},
	}
}
