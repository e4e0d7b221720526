package etcdstore

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"

	"throng/internal/grid/cluster"
)

// Watch tells of changes as cluster.Store says. It ends when the member that it hangs on has lost its leader, too: events that
// such a member cannot have are not waited for.
func (s *Store) Watch(ctx context.Context, prefix string, revision int64) <-chan []cluster.Event {
	out := make(chan []cluster.Event)
	s.mu.Lock()
	w := s.way // the present one, so that the next call of Use ends this watch
	s.mu.Unlock()
	go func() {
		defer close(out)
		if w == nil {
			var err error
			if w, err = s.current(ctx); err != nil {
				return
			}
		}
		ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
		defer cancel()
		defer context.AfterFunc(w.ctx, cancel)()
		from := w.client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(revision+1), clientv3.WithFragment())
		pass(ctx, from, out)
	}()
	return out
}

func pass(ctx context.Context, from clientv3.WatchChan, to chan<- []cluster.Event) {
	for r := range from {
		if r.Err() != nil {
			return
		}
		for _, batch := range commits(r.Events) {
			select {
			case to <- batch:
			case <-ctx.Done():
				return
			}
		}
	}
}

// commits parts events by the transaction that they belong to.
func commits(events []*clientv3.Event) [][]cluster.Event {
	var out [][]cluster.Event
	last := int64(-1)
	for _, e := range events {
		event := cluster.Event{KV: cluster.KV{Key: string(e.Kv.Key), Value: e.Kv.Value, Revision: e.Kv.ModRevision}}
		if e.Type == clientv3.EventTypeDelete {
			event.Deleted, event.Value = true, nil
		}
		if event.Revision != last {
			out, last = append(out, nil), event.Revision
		}
		out[len(out)-1] = append(out[len(out)-1], event)
	}
	return out
}
