package etcdstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"throng/internal/grid/cluster"
)

// patience bounds every call whose context does not end earlier.
const patience = 5 * time.Second

// Access is a way to etcd: the URLs of its client endpoints, and the proof of who we are. A unix socket is unix:// and its path.
type Access struct {
	Endpoints []string
	TLS       *tls.Config // nil: in the clear
	// Foreign is true for a store that is not made of our Servers.
	Foreign bool
}

// Store is a cluster.Store on etcd. While it has no way there its calls wait. When it is given another way, watches end, and
// writes that are under way may end with an error that leaves open whether they took place.
type Store struct {
	mu   sync.Mutex // guards what follows
	way  *way
	came chan struct{} // closed when there is a way, and replaced when there is none any more
}

// way is a connection, and the context of all that uses it.
type way struct {
	client *clientv3.Client
	silent time.Duration // how long a watch may be silent; 0: for ever
	ctx    context.Context
	cancel context.CancelCauseFunc
}

var (
	errMoved   = errors.New("the way to the store has changed")
	errNoStore = errors.New("no store is reached yet")
)

// New returns a store without a way to it.
func New() *Store { return &Store{came: make(chan struct{})} }

// Use makes the store go another way from now on. No endpoints: none, until the next call of Use.
func (s *Store) Use(a Access) error {
	var next *way
	if len(a.Endpoints) > 0 {
		client, err := dial(a)
		if err != nil {
			return fmt.Errorf("reach the store at %v: %w", a.Endpoints, err)
		}
		next = &way{client: client}
		if !a.Foreign {
			next.silent = 3 * progress
		}
		next.ctx, next.cancel = context.WithCancelCause(context.Background())
	}
	s.mu.Lock()
	last := s.way
	s.way = next
	switch {
	case last == nil && next != nil:
		close(s.came)
	case last != nil && next == nil:
		s.came = make(chan struct{})
	}
	s.mu.Unlock()
	if last == nil {
		return nil
	}
	last.cancel(errMoved) // before Close, so that watches end now and not when their streams do
	if err := last.client.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("leave the old way to the store: %w", err)
	}
	return nil
}

func dial(a Access) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: a.Endpoints, TLS: a.TLS, Logger: zap.NewNop(),
		DialTimeout: patience,
		// A host that is gone without a word is noticed after five seconds. etcd itself permits no ping more often than every
		// five seconds; who serves our endpoints (package node) does.
		DialKeepAliveTime: keepAlive(a), DialKeepAliveTimeout: 2 * time.Second,
		MaxCallSendMsgSize: maxRequest,
	})
}

// keepAlive is no ping at all over a unix socket, where a dead process is seen at once and etcd itself listens.
func keepAlive(a Access) time.Duration {
	if isSocket(a.Endpoints[0]) {
		return 0
	}
	return 3 * time.Second
}

// Close leaves the store for good.
func (s *Store) Close() error { return s.Use(Access{}) }

// on runs call over the way to the store, once there is one. Reads are run again over the next way if theirs has changed.
func (s *Store) on(ctx context.Context, again bool, call func(context.Context, *clientv3.Client) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errNoStore)
	defer cancel()
	for {
		w, err := s.current(ctx)
		if err != nil {
			return err
		}
		err = w.run(ctx, call)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case w.ctx.Err() == nil || !again:
			return err
		}
	}
}

func (s *Store) current(ctx context.Context) (*way, error) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		s.mu.Lock()
		w, came := s.way, s.came
		s.mu.Unlock()
		if w != nil {
			return w, nil
		}
		select {
		case <-came:
		case <-ctx.Done():
		}
	}
}

func (w *way) run(ctx context.Context, call func(context.Context, *clientv3.Client) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(w.ctx, func() { cancel(errMoved) })()
	err := call(ctx, w.client)
	if err != nil && w.ctx.Err() != nil {
		return errMoved
	}
	return err
}

// Get returns one key.
func (s *Store) Get(ctx context.Context, key string) (cluster.KV, error) {
	var out cluster.KV
	err := s.on(ctx, true, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
		if len(r.Kvs) == 0 {
			return fmt.Errorf("%s: %w", key, cluster.ErrNotFound)
		}
		out = cluster.KV{Key: key, Value: r.Kvs[0].Value, Revision: r.Kvs[0].ModRevision}
		return nil
	})
	return out, err
}

// List returns the keys with that prefix, and the store's revision.
func (s *Store) List(ctx context.Context, prefix string) ([]cluster.KV, int64, error) {
	var out []cluster.KV
	var revision int64
	err := s.on(ctx, true, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByKey, clientv3.SortAscend))
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		out, revision = nil, r.Header.Revision
		for _, kv := range r.Kvs {
			out = append(out, cluster.KV{Key: string(kv.Key), Value: kv.Value, Revision: kv.ModRevision})
		}
		return nil
	})
	return out, revision, err
}

// Commit writes the transaction if its conditions hold.
func (s *Store) Commit(ctx context.Context, t cluster.Txn) (int64, error) {
	if err := t.Check(); err != nil {
		return 0, err
	}
	var revision int64
	err := s.on(ctx, false, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Txn(ctx).If(conditions(t.If)...).Then(writes(t)...).Commit()
		switch {
		case err != nil:
			return fmt.Errorf("write to the store: %w", err)
		case !r.Succeeded:
			return cluster.ErrConflict
		}
		revision = r.Header.Revision
		return nil
	})
	return revision, err
}

func conditions(list []cluster.Condition) []clientv3.Cmp {
	out := make([]clientv3.Cmp, 0, len(list))
	for _, c := range list {
		out = append(out, clientv3.Compare(clientv3.ModRevision(c.Key), "=", c.Revision)) // 0 for a key that is not there
	}
	return out
}

func writes(t cluster.Txn) []clientv3.Op {
	out := make([]clientv3.Op, 0, len(t.Put)+len(t.Delete))
	for key, value := range t.Put {
		out = append(out, clientv3.OpPut(key, string(value)))
	}
	for _, key := range t.Delete {
		out = append(out, clientv3.OpDelete(key))
	}
	return out
}
