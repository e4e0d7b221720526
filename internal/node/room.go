package node

import (
	"slices"
	"sync"
)

// room is a host's memory, which a node's runners share.
type room struct {
	mu   sync.Mutex // guards live
	live []<-chan struct{}
}

// reserve is what is left to the node itself: its store, and the measurements that it keeps of others. A small host leaves an eighth.
const reserve = 256 << 20

// add notes a runner, which lives until done is closed.
func (r *room) add(done <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = append(r.live, done)
}

// share is how many of the free bytes the next runner may hold: four fifths of what the node does not keep, as in a local run. What those
// before it hold is not free any more; but they may grow as much again, so each of them leaves room for itself.
func (r *room) share(free uint64) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = slices.DeleteFunc(r.live, func(done <-chan struct{}) bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	return (free - min(reserve, free/8)) / 5 * 4 / uint64(len(r.live)+1)
}
