package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"throng/internal/fault"
	"throng/internal/grid/beat"
	"throng/internal/grid/board"
	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/etcdstore"
	"throng/internal/grid/courier"
	"throng/internal/grid/desk"
	"throng/internal/grid/runner"
	"throng/internal/grid/trust"
	"throng/internal/grid/worker"
)

// Node is one node of a grid.
type Node struct {
	o        Options
	log      *slog.Logger
	life     string
	memory   *memory
	identity *trust.Identity // nil with Options.Insecure
	store    *etcdstore.Store
	tokens   *trust.Ledger
	picture  *picture
	client   *courier.Client
	clear    *http.Transport // gRPC to other nodes in the clear
	depot    *courier.Depot
	receiver *beat.Receiver
	sender   *beat.Sender
	worker   *worker.Worker
	spawner  *runner.Spawner
	room     room
	desk     *desk.Desk
	boards   *board.Boards
	seat     *seat
	auth     authority

	founder   bool          // this process founded the grid, and has not led yet
	forgotten chan struct{} // takes one word: another node says that the grid has forgotten this one
}

// Run runs a node until ctx ends.
func Run(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	until := time.Now().Add(takeOver)
	var unlock func()
	err := whenFree(ctx, o.Log, until, func() (err error) {
		unlock, err = lock(o.DataDir)
		return err
	})
	if err != nil {
		return unlessStopped(ctx, err)
	}
	defer unlock()
	n := &Node{o: o, log: o.Log, life: rand.Text()[:12], store: etcdstore.New(), forgotten: make(chan struct{}, 1)}
	if n.memory, err = recall(o.DataDir); err != nil {
		return err
	}
	if m := n.memory; m != nil && (m.Name != o.Hostname || m.Insecure != o.Insecure) {
		return fault.New(fault.InvalidConfig, fmt.Errorf("the data directory %s is that of node %q%s: give it the same --hostname and --insecure, or another directory",
			o.DataDir, m.Name, map[bool]string{true: ", which is --insecure"}[m.Insecure]))
	}
	address, err := bindTo(ctx, o.ClientURL)
	if err != nil {
		return fault.New(fault.InvalidConfig, fmt.Errorf("--client-urls: %w", err))
	}
	// Before anything else: a port that is taken must not cost a grid.
	var listener net.Listener
	err = whenFree(ctx, o.Log, until, func() (err error) {
		if listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
			return fault.New(fault.InvalidConfig, fmt.Errorf("listen at --client-urls %s: %w", o.ClientURL, err))
		}
		return nil
	})
	if err != nil {
		return unlessStopped(ctx, err)
	}
	defer func() { _ = listener.Close() }()
	if err := whenFree(ctx, o.Log, until, func() error { return n.tryServerURL(ctx) }); err != nil {
		return unlessStopped(ctx, err)
	}
	if err := turnAway(listener, func() error { return n.enter(ctx) }); err != nil {
		n.abandon()
		return unlessStopped(ctx, err)
	}
	return n.serve(ctx, listener)
}

// unlessStopped is what a node ends with that is not part of a grid yet: nil if it was told to stop.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // what came of being stopped
	}
	return err
}

// abandon stops what was started of a node that does not become part of a grid.
func (n *Node) abandon() {
	if n.seat == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopIn)
	defer cancel()
	n.seat.stop(ctx)
}

// turnAway closes every connection that comes while f runs: who asks a node that is not part of a grid yet must not wait for it.
func turnAway(l net.Listener, f func() error) error {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close() // nothing was said
		}
	})
	err := f()
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return errors.Join(err, errors.New("the node's address is no TCP address"))
	}
	stop := tcp.SetDeadline(time.Now())
	wg.Wait()
	return errors.Join(err, stop, tcp.SetDeadline(time.Time{}))
}

// enter makes the node part of a grid: of the one that it remembers, of the seeds', or of a new one.
func (n *Node) enter(ctx context.Context) error {
	interrupted := unfinished(n.o.DataDir)
	if interrupted && n.memory == nil {
		if err := n.wipe(); err != nil {
			return err
		}
	}
	if !n.o.Insecure {
		var err error
		if n.identity, err = trust.OpenIdentity(filepath.Join(n.o.DataDir, "identity"), time.Now); err != nil {
			return err
		}
	}
	n.seat = newSeat(n)
	switch {
	case n.memory != nil && interrupted:
		return errors.Join(checkKind(n.o.foreign(), n.memory.Foreign), n.founded())
	case n.memory != nil:
		return checkKind(n.o.foreign(), n.memory.Foreign)
	case len(n.o.Seeds) > 0 && interrupted:
		if err := os.Remove(markFile(n.o.DataDir)); err != nil {
			return err
		}
		return n.join(ctx)
	case len(n.o.Seeds) > 0:
		return n.join(ctx)
	}
	return n.found(ctx)
}

// name is this node's.
func (n *Node) name() string { return n.o.Hostname }

// http returns a client that proves who we are.
func (n *Node) http() (*http.Client, error) {
	dialer := &net.Dialer{Timeout: 2 * time.Second, KeepAlive: 5 * time.Second}
	t := &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute,
		HTTP2: spare(http.HTTP2Config{SendPingTimeout: 3 * time.Second, PingTimeout: 2 * time.Second}),
	}
	if n.identity != nil {
		config, err := n.identity.ClientTLS()
		if err != nil {
			return nil, err
		}
		t.DialTLSContext = dialTLS(dialer, config)
	}
	return &http.Client{Transport: t}, nil
}

// serve runs everything that a node is until ctx ends.
func (n *Node) serve(ctx context.Context, listener net.Listener) error {
	hc, err := n.http()
	if err != nil {
		return err
	}
	n.client = &courier.Client{HTTP: hc}
	n.clear = hc.Transport.(*http.Transport).Clone()
	n.clear.Protocols = new(http.Protocols)
	n.clear.Protocols.SetUnencryptedHTTP2(true)
	if n.depot, err = courier.NewDepot(filepath.Join(n.o.DataDir, "blobs")); err != nil {
		return err
	}
	n.picture = newPicture(n.name(), n.memory.Cluster, n.log)
	n.tokens = trust.NewLedger(n.store)
	n.makeServices()
	n.picture.silent = n.receiver.Silent

	// What serves must outlive what works: the last snapshots and the leadership are given away through it.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	g, gctx := errgroup.WithContext(serving)
	working, stopWorking := context.WithCancelCause(gctx)
	defer stopWorking(nil)
	server := n.server()
	g.Go(func() error { return n.listen(server, listener) })
	g.Go(func() error { n.picture.watch(gctx, n.store); return nil })
	g.Go(func() error { return n.tokens.Run(gctx) })
	g.Go(func() error { return n.seat.run(gctx) })
	g.Go(func() error { return n.sender.Run(gctx) })
	g.Go(func() error { n.spawner.Run(gctx); return nil })
	g.Go(func() error { return n.worker.Run(gctx) })
	g.Go(func() error { return n.desk.Keep(gctx) })
	g.Go(func() error { return n.register(gctx) })
	g.Go(func() error { return n.remember(gctx) })
	g.Go(func() error { return n.guardAuthority(gctx) })
	g.Go(func() error { return n.heedDrain(gctx) })
	g.Go(func() error { n.heedVersion(gctx); return nil })
	g.Go(func() error { return n.heedForgetting(gctx) })
	if n.identity != nil {
		g.Go(func() error { return n.renewer().Run(gctx) })
		g.Go(func() error { return n.renewConnections(gctx) })
	}
	var ruling sync.WaitGroup
	ruling.Go(func() { n.rule(working) })
	n.log.Info("node " + n.name() + " is up at " + n.o.ClientURL)

	select {
	case <-ctx.Done():
	case <-gctx.Done():
	}
	n.giveAway()
	stopWorking(cluster.ErrDeposed)
	ruling.Wait()
	// Others' watches go through our address: etcd would wait for them.
	_ = server.Close()
	leaving, left := context.WithTimeoutCause(serving, stopIn, fmt.Errorf("it has not ended within %v: other members may not answer", stopIn))
	n.seat.stop(leaving)
	left()
	stopServing()
	err = g.Wait()
	if cerr := n.store.Close(); err == nil && ctx.Err() == nil {
		err = cerr
	}
	return err
}

// listen serves the node's address until the server is closed.
func (n *Node) listen(s *http.Server, l net.Listener) error {
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(l, "", "")
	} else {
		err = s.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", n.o.ClientURL, err)
}

// record is what the node says of itself.
func (n *Node) record() cluster.Node {
	return cluster.Node{
		Name: n.name(), ClientURL: n.o.ClientURL, ServerURL: n.o.ServerURL, NoServer: n.o.NoServer, Labels: n.o.Labels, Capacity: n.o.Capacity,
		Version: n.o.Version, Identity: n.memory.Identity, Joined: time.Now().UTC(),
	}
}

// register keeps the node's record as its options say: they may be others than at the last start.
func (n *Node) register(ctx context.Context) error {
	for ctx.Err() == nil {
		have, revision, err := cluster.Fetch[cluster.Node](ctx, n.store, cluster.Nodes+n.name())
		if err == nil {
			if revision == 0 || have.Identity != n.memory.Identity {
				return n.errForgotten()
			}
			want := n.record()
			want.Joined, want.Drained = have.Joined, have.Drained
			err = n.put(ctx, cluster.Nodes+n.name(), want, revision)
		}
		if err == nil {
			<-ctx.Done()
			return nil
		}
		if n.forgottenBy(ctx, n.seat.others()) {
			return n.errForgotten()
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return nil
}

// heedVersion says when the leader is of another version, until ctx ends: a grid is updated one node after the other.
func (n *Node) heedVersion(ctx context.Context) {
	told := ""
	for {
		next := n.picture.next()
		leader, _, _ := n.picture.electorate()
		if l, ok := n.picture.node(leader.Name); ok && l.Name != n.name() && l.Version != n.o.Version && l.Version != told {
			told = l.Version
			n.log.Warn(fmt.Sprintf("this node is throng %s, and %s, which leads, is %s: it takes no part in runs until both are of one version", n.o.Version, l.Name, l.Version))
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// put writes a record that was last written at revision.
func (n *Node) put(ctx context.Context, key string, record any, revision int64) error {
	b, err := cluster.Encode(record)
	if err != nil {
		return err
	}
	_, err = n.store.Commit(ctx, cluster.Txn{If: []cluster.Condition{{Key: key, Revision: revision}}, Put: map[string][]byte{key: b}})
	return err
}

// remember keeps the addresses of the others on disk, for the next start.
func (n *Node) remember(ctx context.Context) error {
	for {
		next := n.picture.next()
		known := n.picture.known() // before it is looked at
		var endpoints []string
		for _, o := range n.picture.view().Nodes {
			if o.Role == cluster.Voter || o.Name == n.name() {
				endpoints = append(endpoints, o.ClientURL)
			}
		}
		// While nodes have been read and seats have not, nobody votes: what was known before is the only way back then.
		if known && !slices.Equal(endpoints, n.memory.endpoints()) {
			if err := n.memory.change(n.o.DataDir, func(m *memory) { m.Endpoints = endpoints }); err != nil {
				n.log.Warn(err.Error())
			}
		}
		select {
		case <-next:
		case <-ctx.Done():
			return nil
		}
	}
}
