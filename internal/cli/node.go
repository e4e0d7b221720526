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
		Long: "node makes this host part of a grid. Without --seeds, on a fresh data directory, it founds one and prints the command that\n" +
			"joins another node; with --seeds it joins. A node that was part of a grid needs no seeds to come back.\n\n" +
			"The address of --client-urls serves everything: throng's commands, the other nodes, and etcd's own clients. Members of the\n" +
			"store reach each other at --server-urls. SIGTERM stops the node: it gives its work away and remains a member.",
		Example: "  throng node --data-dir /var/lib/throng\n" +
			"  throng node --seeds https://h1:2379 --token-file join.token",
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
	f.StringSliceVar(&n.seeds, "seeds", nil, "`URLs` of nodes of the grid to join; the first one that answers will do")
	f.StringVar(&n.o.TokenFile, "token-file", "", "file with the join token (default: THRONG_TOKEN_FILE)")
	f.IntVar(&n.o.Ideal, "ideal-cluster-size", node.DefaultIdeal, "how many nodes shall vote, if there are so many; counts when a grid is founded")
	f.BoolVar(&n.o.NoServer, "no-server", false, "never vote")
	f.StringSliceVar(&n.o.EtcdEndpoints, "etcd-endpoints", nil, "`URLs` of an etcd that holds the grid's store, instead of the nodes that vote; the same on every node")
	f.StringVar(&n.o.EtcdCA, "etcd-cacert", "", "`FILE` with the authority of that etcd's certificates (default: the system's)")
	f.StringVar(&n.o.EtcdCert, "etcd-cert", "", "`FILE` with the certificate by which that etcd knows the node")
	f.StringVar(&n.o.EtcdKey, "etcd-key", "", "`FILE` with that certificate's key")
	f.Float64Var(&n.o.Capacity, "capacity", 1, "how much load the node takes beside one of capacity 1")
	f.StringToStringVar(&n.labels, "label", nil, "`KEY=VALUE` by which runs can choose nodes; may be repeated")
	return c
}

// addPlace adds the flags that say which node it is and where.
func (n *nodeFlags) addPlace(f *pflag.FlagSet) {
	f.StringVar(&n.o.Hostname, "hostname", "", "the node's `NAME`, which no other node has (default: the host's)")
	f.StringVar(&n.o.DataDir, "data-dir", "", "where the node keeps what it knows (default: "+defaultDataDir()+")")
	f.StringSliceVar(&n.clientURLs, "client-urls", nil, "`URL` at which everybody reaches the node (default: https://HOSTNAME:2379)")
	f.StringSliceVar(&n.serverURLs, "server-urls", nil, "`URL` at which members of the store reach each other (default: https://HOSTNAME:2380)")
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
	return node.Run(ctx, o)
}
