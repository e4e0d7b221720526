package etcdstore

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"throng/internal/grid/cluster"
)

// progress is how often our Servers tell a watch that nothing has happened.
const progress = 4 * time.Second

// Watch tells of changes as cluster.Store says. It ends when the member that it hangs on has lost its leader, too, and when not
// even progress is told of: whatever lies between may have lost the stream, and would never say so.
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
		from := w.client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(revision+1), clientv3.WithFragment(), clientv3.WithProgressNotify())
		pass(ctx, from, out, w.silent)
	}()
	return out
}

func pass(ctx context.Context, from clientv3.WatchChan, to chan<- []cluster.Event, silent time.Duration) {
	timer := time.NewTimer(silent)
	defer timer.Stop()
	if silent == 0 {
		timer.Stop()
	}
	for {
		var r clientv3.WatchResponse
		var ok bool
		select {
		case r, ok = <-from:
		case <-timer.C:
		}
		if !ok || r.Err() != nil {
			return
		}
		if silent > 0 {
			timer.Reset(silent)
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
