package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"throng/internal/node"
)

func newSnapshot(g *global, a *access) *cobra.Command {
	c := &cobra.Command{
		Use: "snapshot", Short: "save what a grid knows, and restore it", Args: cobra.NoArgs,
		Long: "snapshot saves everything that a grid keeps in its store, the list of its runs included, and restores it when a\n" +
			"majority of those who vote is lost for good. No part of it are the grid's authority and what the runs came to: they lie in\n" +
			"the data directories of the nodes that vote.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newSnapshotSave(g, a), newSnapshotRestore(g))
	return c
}

// snapshotMayTake bounds the download of a snapshot.
const snapshotMayTake = 10 * time.Minute

func newSnapshotSave(g *global, a *access) *cobra.Command {
	return &cobra.Command{
		Use: "save FILE", Short: "save a snapshot of the grid's store", Args: one("the name of a file"),
		Long: "save writes a snapshot of the grid's store to FILE, which nobody else can read. It is in etcd's own format.",
		RunE: func(cmd *cobra.Command, args []string) error {
			grid, err := a.dial(g)
			if err != nil {
				return err
			}
			if _, err := grid.Learn(cmd.Context()); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), snapshotMayTake, fmt.Errorf("the snapshot was not whole after %v", snapshotMayTake))
			defer cancel()
			return grid.Get(ctx, node.SnapshotPath, func(r io.Reader) error { return saveSnapshot(args[0], r) })
		},
	}
}

// saveSnapshot writes FILE whole or not at all.
func saveSnapshot(name string, r io.Reader) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".snapshot-*") // readable by nobody else
	if err != nil {
		return fmt.Errorf("save the snapshot: %w", err)
	}
	err = node.CopySnapshot(f, r)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("save the snapshot: %w", err), os.Remove(f.Name()))
	}
	return nil
}

func newSnapshotRestore(g *global) *cobra.Command {
	n := &nodeFlags{}
	c := &cobra.Command{
		Use: "restore FILE", Short: "make the data directory of a grid's first node from a snapshot", Args: one("the name of a file"),
		Long: "restore makes a data directory with which `throng node` starts as the only node of the grid that a snapshot was taken of:\n" +
			"with its id, its runs and their results. No node of the old grid may run.\n\n" +
			"In the data directory of a node that voted, certificates and tokens remain good. In an empty one they are made anew, as at\n" +
			"a founding. All other nodes join anew, with empty directories.",
		Example: "  throng grid snapshot restore grid.snapshot --data-dir /var/lib/throng\n  throng node --data-dir /var/lib/throng",
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := n.options(g)
			if err != nil {
				return err
			}
			return node.Restore(cmd.Context(), o, args[0])
		},
	}
	n.addPlace(c.Flags())
	return c
}
