package node

import (
	"context"
	"time"
)

// heedDrain gives the node's parts away when it is drained, and takes parts on again when that is taken back, until ctx ends.
func (n *Node) heedDrain(ctx context.Context) error {
	drained := false
	for {
		next := n.picture.next()
		if self, ok := n.picture.view().Find(n.name()); ok && self.Drained != drained {
			drained = self.Drained
			if drained {
				n.log.Info("this node is drained: it gives its parts away and takes no more")
				n.giveAway()
			} else {
				n.log.Info("this node is used again")
				n.worker.Accept(true)
			}
		}
		select {
		case <-next:
		case <-ctx.Done():
			return nil
		}
	}
}

// giveAwayIn bounds how long a node waits for its parts to be given away in good order.
const giveAwayIn = 4 * time.Second

// giveAway gives the node's parts away, and takes on no more.
func (n *Node) giveAway() {
	ctx, cancel := context.WithTimeout(context.Background(), giveAwayIn)
	defer cancel()
	if err := n.worker.Leave(ctx); err != nil {
		n.log.Warn("the node's parts of the run could not be given away in good order: " + err.Error())
	}
}
