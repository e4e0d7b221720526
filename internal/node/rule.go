package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/nominate"
)

// glance is how often a node looks whether it leads, beside being told.
const glance = 100 * time.Millisecond

// rule has the node do what a leader does, whenever and for as long as it leads, until ctx ends.
func (n *Node) rule(ctx context.Context) {
	for ctx.Err() == nil {
		if term, ok := n.leads(); ok {
			if fence, err := n.claim(ctx, term); err == nil {
				n.reign(ctx, term, fence)
				continue
			} else if ctx.Err() == nil {
				n.log.Debug("leadership could not be claimed: " + err.Error())
			}
		}
		n.pause(ctx)
	}
}

// leads reports whether this node's member leads the store, and in which term.
func (n *Node) leads() (term uint64, ok bool) {
	server, _ := n.seat.member()
	if server == nil {
		return 0, false
	}
	return server.Leading()
}

func (n *Node) pause(ctx context.Context) {
	server, changed := n.seat.member()
	told := changed
	if server != nil {
		told = server.LeaderChanged()
	}
	select {
	case <-told:
	case <-time.After(glance):
	case <-ctx.Done():
	}
}

// claim writes down that this node leads; the revision fences what it writes from now on.
func (n *Node) claim(ctx context.Context, term uint64) (fence int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, revision, err := cluster.Fetch[cluster.Leader](ctx, n.store, cluster.LeaderKey)
	if err != nil {
		return 0, err
	}
	// The store has answered, so it has a leader; who that is, and since when, a member knows a little earlier than the term.
	if now, ok := n.leads(); !ok || now != term {
		return 0, fmt.Errorf("%w: term %d is over", cluster.ErrDeposed, term)
	}
	b, err := cluster.Encode(cluster.Leader{Name: n.name(), Term: term})
	if err != nil {
		return 0, err
	}
	return n.store.Commit(ctx, cluster.Txn{
		If: []cluster.Condition{{Key: cluster.LeaderKey, Revision: revision}}, Put: map[string][]byte{cluster.LeaderKey: b},
	})
}

// reign does what a leader does until another one leads.
func (n *Node) reign(ctx context.Context, term uint64, fence int64) {
	ctx, depose := context.WithCancelCause(ctx)
	defer depose(cluster.ErrDeposed)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer depose(cluster.ErrDeposed)
	wg.Go(func() {
		if err := n.desk.Lead(ctx, term, fence); err != nil && !errors.Is(err, cluster.ErrDeposed) {
			n.log.Error("the runs are not led: " + err.Error())
		}
	})
	wg.Go(func() { n.boards.Lead(ctx) })
	if server, _ := n.seat.member(); server != nil {
		wg.Go(func() { n.chooseVoters(ctx, server, fence) })
	}
	n.log.Info("this node leads", "term", term)
	for {
		now, ok := n.leads()
		v := n.picture.view()
		if !ok || now != term || v.Fence > fence {
			n.log.Info("another node leads, or nobody")
			return
		}
		if ctx.Err() != nil {
			return
		}
		n.pause(ctx)
	}
}

// chooseVoters keeps as many nodes voting as are wanted.
func (n *Node) chooseVoters(ctx context.Context, keeper nominate.Keeper, fence int64) {
	loop := nominate.Loop{
		Self: n.name(), Store: cluster.Fenced(n.store, fence), Keeper: keeper, Log: n.log, Founder: n.founder,
		Silent: func(node string) time.Duration { return n.receiver.Silence(node) },
	}
	n.founder = false
	if err := loop.Run(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, cluster.ErrDeposed) {
		n.log.Error("the voters are not looked after: " + err.Error())
	}
}
