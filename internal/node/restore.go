package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/etcdstore"
	"throng/internal/grid/courier"
	"throng/internal/grid/trust"
)

// SnapshotPath is where a node gives a snapshot of the store.
const SnapshotPath = "/throng/v1/snapshot"

// snapshotHandler gives a snapshot by this node's member, or by a node that votes.
func (n *Node) snapshotHandler() http.Handler {
	if n.o.foreign() {
		return courier.Handler(func(*http.Request) (any, error) { return nil, bad("%w", errForeign) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		failed := func(w http.ResponseWriter, _ *http.Request, err error) { courier.WriteError(w, err) }
		if d := n.seat.enter(); d != nil {
			defer d.leave()
			w.Header().Set("Content-Type", "application/octet-stream")
			if err := d.server.Snapshot(r.Context(), w); err != nil {
				n.log.Warn(err.Error())
				panic(http.ErrAbortHandler) // so that half a snapshot does not look like a whole one
			}
			return
		}
		for _, v := range n.picture.view().Voters() {
			if v.Name != n.name() && r.Header.Get(passed) == "" {
				n.pass(v.ClientURL, failed).ServeHTTP(w, r)
				return
			}
		}
		failed(w, r, courier.ErrNotLeader)
	})
}

// CopySnapshot copies a snapshot; the error says that it is not whole.
func CopySnapshot(to io.Writer, from io.Reader) error { return etcdstore.Whole(to, from) }

// Restore makes a data directory in which a node starts as the only one of a grid with what a snapshot holds: its id, its runs and
// their results. In the directory of a node that voted, the grid's authority and its tokens remain as well; in an empty one they
// are made anew. The other nodes must join anew, with empty directories: what they still hold is of the grid that was.
func Restore(ctx context.Context, o Options, file string) error {
	if err := o.Validate(); err != nil {
		return err
	}
	if err := checkSnapshot(file); err != nil {
		return fault.New(fault.InvalidConfig, err)
	}
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	unlock, err := lock(o.DataDir)
	if err != nil {
		return err
	}
	defer unlock()
	n := &Node{o: o, log: o.Log, store: etcdstore.New()}
	if n.memory, err = recall(o.DataDir); err != nil {
		return err
	}
	if n.memory != nil && (n.memory.Insecure != o.Insecure || n.memory.Name != o.Hostname) {
		return fault.New(fault.InvalidConfig, fmt.Errorf("the data directory %s is that of node %q: give it the same --hostname and --insecure, or another directory", o.DataDir, n.memory.Name))
	}
	n.seat = newSeat(n)
	if n.memory == nil && unfinished(o.DataDir) {
		if err := errors.Join(n.wipe(), os.Remove(markFile(o.DataDir))); err != nil {
			return err
		}
	}
	if !o.Insecure {
		if n.identity, err = trust.OpenIdentity(filepath.Join(o.DataDir, "identity"), time.Now); err != nil {
			return err
		}
	}
	anew := n.memory == nil && !o.Insecure
	if err := n.restore(ctx, file); err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.Out, "%s holds grid %s as the snapshot shows it. Start this node as before, without --seeds;\n"+
		"remove the data directories of all others, and have them join anew.\n", o.DataDir, n.memory.Cluster)
	if err == nil && anew {
		_, err = fmt.Fprintf(o.Out, "No token from before is good any more: %s and %s are new.\n", n.file("join.token"), n.file("operator.token"))
	}
	return err
}

func checkSnapshot(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := etcdstore.Whole(io.Discard, f); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// restore fills the directory: beside what is there, until all is well.
func (n *Node) restore(ctx context.Context, file string) (err error) {
	c, err := n.seat.config(ctx)
	if err != nil {
		return err
	}
	c.Dir += ".new"
	if err := os.RemoveAll(c.Dir); err != nil {
		return fmt.Errorf("remove what an earlier restore left: %w", err)
	}
	if err := etcdstore.Restore(c, file, rand.Text()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.Dir)) }()
	if err := n.rewrite(ctx, c); err != nil {
		return err
	}
	if err := n.seat.putAside(); err != nil {
		return err
	}
	if err := os.Rename(c.Dir, n.seat.dir()); err != nil {
		return fmt.Errorf("put the restored member in its place: %w", err)
	}
	return n.memory.keep(n.o.DataDir)
}

// rewrite starts the restored member for as long as it takes to write this node into its records.
func (n *Node) rewrite(ctx context.Context, c etcdstore.Config) error {
	c.Peers, c.PeerURL, c.Listen = nil, "http://127.0.0.1:0", "" // it speaks to nobody yet
	server, err := etcdstore.Restart(ctx, c)
	if err != nil {
		return err
	}
	n.seat.set(server)
	defer n.seat.stop(context.WithoutCancel(ctx)) // to its end: the directory is moved then
	if err := n.store.Use(server.Access()); err != nil {
		return err
	}
	return n.begin(ctx, server)
}

// begin makes this node the only one that the restored records know.
func (n *Node) begin(ctx context.Context, server keeper) error {
	id, err := n.store.Get(ctx, cluster.IDKey)
	if err != nil {
		return fmt.Errorf("the snapshot is not that of a grid: %w", err)
	}
	drop := []string{cluster.Nodes, cluster.Seats}
	records := map[string]any{}
	switch m := n.memory; {
	case m == nil:
		n.memory = &memory{Cluster: string(id.Value), Name: n.name(), Identity: rand.Text(), Insecure: n.o.Insecure}
		drop = append(drop, cluster.Tokens) // they pin an authority that is no more
		if !n.o.Insecure {
			if err := errors.Join(n.certify(time.Now()), n.firstTokens(time.Now(), records)); err != nil {
				return err
			}
		}
	case m.Cluster != string(id.Value):
		return fault.New(fault.InvalidConfig, fmt.Errorf("the snapshot is of grid %s, and %s is of grid %s", id.Value, n.o.DataDir, m.Cluster))
	case !n.o.Insecure:
		if err := n.certifyAgain(time.Now()); err != nil {
			return err
		}
	}
	n.memory.Endpoints, n.memory.Member, n.memory.Invited = []string{n.o.ClientURL}, server.ID(), ""
	if err := n.forgetAll(ctx, drop); err != nil {
		return err
	}
	records[cluster.Nodes+n.name()] = n.record()
	records[cluster.Seats+n.name()] = cluster.Seat{Identity: n.memory.Identity, Role: cluster.Voter, Member: server.ID()}
	t := cluster.Txn{Put: map[string][]byte{}}
	for key, r := range records {
		if t.Put[key], err = cluster.Encode(r); err != nil {
			return err
		}
	}
	_, err = n.store.Commit(ctx, t)
	return err
}

// certifyAgain signs this node's certificate with the authority that is still there.
func (n *Node) certifyAgain(now time.Time) error {
	a, err := trust.LoadAuthority(n.authorityDir())
	if err != nil {
		return fault.WithHint(fault.InvalidConfig, fmt.Errorf("%s does not hold the grid's authority: %w", n.o.DataDir, err),
			"restore in the data directory of a node that voted, or in an empty one: then all tokens are made anew")
	}
	return n.sign(a, now)
}

// sign installs a certificate of this node.
func (n *Node) sign(a *trust.Authority, now time.Time) error {
	csr, err := n.identity.CSR()
	if err != nil {
		return err
	}
	chain, err := a.Sign(csr, trust.Subject{Name: n.name(), Role: trust.Node, Hosts: n.o.hosts(), Identity: n.memory.Identity}, now)
	if err != nil {
		return err
	}
	return n.identity.Install(chain)
}

// forgetAll deletes everything with these prefixes.
func (n *Node) forgetAll(ctx context.Context, prefixes []string) error {
	for _, prefix := range prefixes {
		kvs, _, err := n.store.List(ctx, prefix)
		if err != nil {
			return err
		}
		for len(kvs) > 0 {
			some := min(len(kvs), cluster.MaxTxn)
			var t cluster.Txn
			for _, kv := range kvs[:some] {
				t.Delete = append(t.Delete, kv.Key)
			}
			if _, err := n.store.Commit(ctx, t); err != nil {
				return err
			}
			kvs = kvs[some:]
		}
	}
	return nil
}
