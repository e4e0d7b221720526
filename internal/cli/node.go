package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"throng/internal/fault"
	"throng/internal/node"
)

// nodeFlags are the options of a node, as flags.
type nodeFlags struct {
	o                             node.Options
	clientURLs, serverURLs, seeds []string
	labels                        map[string]string
}

func newNode(g *global) *cobra.Command {
	n := &nodeFlags{}
	c := &cobra.Command{
		Use: "node", Short: "be a node of a grid", Args: cobra.NoArgs,
		Long: "node makes this host part of a grid. Without --seeds, on a fresh data directory, it founds one, and prints the command that\n" +
			"joins another node and the one that gives orders; with --seeds it joins. A node that was part of a grid comes back without\n" +
			"seeds and token.\n\n" +
			"All others must reach the node at --client-urls, which serves everything: throng's commands, the other nodes, and etcd's own\n" +
			"clients. Those who vote reach each other at --server-urls. SIGTERM stops the node: it gives its part of a run away and remains\n" +
			"part of the grid.",
		Example: "  throng node --client-urls https://10.0.0.1:2379 --server-urls https://10.0.0.1:2380\n" +
			"  throng node --client-urls https://10.0.0.2:2379 --server-urls https://10.0.0.2:2380 --seeds https://10.0.0.1:2379 --token-file join.token",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := n.options(g)
			if err != nil {
				return err
			}
			return g.runNode(cmd.Context(), o)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	n.addPlace(f)
	f.StringSliceVar(&n.seeds, "seeds", nil, "`URLs` of nodes of the grid to join, with commas; one that answers will do")
	f.StringVar(&n.o.TokenFile, "token-file", "", "`FILE` with the join token (default: THRONG_TOKEN_FILE)")
	f.IntVar(&n.o.Ideal, "ideal-cluster-size", node.DefaultIdeal, "how many nodes, `N`, shall vote, if there are so many; counts when a grid is founded, later: throng grid size")
	f.BoolVar(&n.o.NoServer, "no-server", false, "never vote: this node takes load alone")
	f.StringSliceVar(&n.o.EtcdEndpoints, "etcd-endpoints", nil, "`URLs` of an etcd that holds the grid's store, instead of the nodes that vote; the same on every node")
	f.StringVar(&n.o.EtcdCA, "etcd-cacert", "", "`FILE` with the authority of that etcd's certificates (default: the system's)")
	f.StringVar(&n.o.EtcdCert, "etcd-cert", "", "`FILE` with the certificate by which that etcd knows the node")
	f.StringVar(&n.o.EtcdKey, "etcd-key", "", "`FILE` with that certificate's key")
	f.Float64Var(&n.o.Capacity, "capacity", 1, "how much load the node takes beside one of capacity 1, as a `NUMBER`")
	f.Var(pairs{&n.labels}, "label", "a label by which runs can choose nodes (run --where); may be repeated")
	return c
}

// addPlace adds the flags that say which node it is and where.
func (n *nodeFlags) addPlace(f *pflag.FlagSet) {
	f.StringVar(&n.o.Hostname, "hostname", "", "the node's `NAME`, which no other node has (default: the host's)")
	f.StringVar(&n.o.DataDir, "data-dir", "", "`DIR` in which the node keeps what it knows (default: "+defaultDataDir()+")")
	f.StringSliceVar(&n.clientURLs, "client-urls", nil, "`URL` at which everybody reaches the node (default: port 2379 at the name or address of the host)")
	f.StringSliceVar(&n.serverURLs, "server-urls", nil, "`URL` at which nodes that vote reach each other (default: port 2380 there)")
	f.BoolVar(&n.o.Insecure, "insecure", false, "plain text and no tokens; on loopback addresses only")
}

// options are the node's options, with what was not said.
func (n *nodeFlags) options(g *global) (node.Options, error) {
	o := n.o
	for _, u := range []struct {
		list []string
		to   *string
	}{{n.clientURLs, &o.ClientURL}, {n.serverURLs, &o.ServerURL}} {
		if len(u.list) > 1 {
			return o, fault.New(fault.InvalidConfig, fmt.Errorf("a node has one address for clients and one for members, not %s", strings.Join(u.list, ",")))
		}
		*u.to = strings.Join(u.list, "")
	}
	o.Labels, o.Seeds, o.Version, o.Log, o.Out = maps.Clone(n.labels), slices.Clone(n.seeds), Version, g.log, g.Stdout
	o.Memory = freeMemory
	if o.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return o, fault.WithHint(fault.InvalidConfig, fmt.Errorf("the host's name cannot be read: %w", err), "--hostname gives the node one")
		}
		o.Hostname = name
	}
	if o.DataDir == "" {
		o.DataDir = defaultDataDir()
	}
	if o.TokenFile == "" {
		o.TokenFile = g.setting("", "TOKEN_FILE", "")
	}
	return o, nil
}

func defaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/throng"
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "throng-data"
	}
	return filepath.Join(home, ".local", "share", "throng")
}

// runNode runs a node until a signal ends it.
func (g *global) runNode(ctx context.Context, o node.Options) error {
	command, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	o.Command = command
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(caught)
	go func() {
		<-caught
		g.log.Info("the node stops; a second signal stops it at once")
		cancel(errors.New("told to stop"))
		<-caught
		g.log.Error(errSecondSignal.Error())
		os.Exit(fault.Interrupted.ExitCode())
	}()
	g.leanCollector()
	return node.Run(ctx, o)
}
