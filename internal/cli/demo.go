package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"throng/internal/demo"
	"throng/internal/fault"
	"throng/internal/load/script"
)

func newDemo(g *global) *cobra.Command {
	var serve bool
	var addr string
	c := &cobra.Command{
		Use: "demo", Short: "run an example test against a built-in server; needs no network", Args: cobra.NoArgs,
		Long: "demo starts a small web server in this process and runs a test of five seconds against it. With --serve it\n" +
			"runs no test: the server stays, for tests of your own, until it is interrupted.",
		Example: "  throng demo\n  throng demo --serve --addr 127.0.0.1:8080",
	}
	f := addTestFlags(c, true)
	c.Flags().BoolVar(&serve, "serve", false, "only serve, until interrupted")
	c.Flags().StringVar(&addr, "addr", "127.0.0.1:0", "where the server listens; port 0 lets the system choose one")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		server, err := demo.Listen(addr)
		if err != nil {
			return fault.WithHint(fault.Other, err, "another --addr; port 0 lets the system choose a free one")
		}
		if serve {
			return g.serveDemo(cmd.Context(), server)
		}
		return g.runDemo(cmd.Context(), f, server)
	}
	return c
}

// serveDemo answers until the first SIGINT or SIGTERM: that is how it is meant to end, so it is no error.
func (g *global) serveDemo(ctx context.Context, server *demo.Server) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Fprintf(g.Stdout, "The demo server is at %s; Ctrl-C ends it.\n", server.URL())
	return server.Run(ctx)
}

// runDemo runs the example with a server beside it.
func (g *global) runDemo(ctx context.Context, f *testFlags, server *demo.Server) error {
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- server.Run(serving) }()
	err := func() error {
		if err := f.set.Set("env", "BASE_URL="+server.URL()); err != nil {
			return err
		}
		name, source := demo.Script()
		t, err := g.loadFrom(f, name, func(o script.Options) (*script.Script, error) { return script.Given(name, source, o) })
		if err != nil {
			return err
		}
		return g.runTest(ctx, t)
	}()
	stop()
	return errors.Join(err, <-served)
}
