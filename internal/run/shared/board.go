package shared

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"throng/internal/run"
)

// The bounds of a Board. What is beyond is refused.
const (
	maxBytes = 64 << 20 // of all values and names
	maxThing = 100_000  // values, barriers, counters and queues
	maxCount = 1<<53 - 1
	itemCost = 64 // bytes that anything costs beside its value
)

// Board is safe for concurrent use. It implements run.Shared.
type Board struct {
	mu       sync.Mutex // guards what follows
	once     map[string]*once
	barriers map[string]*barrier
	counters map[string]int64
	queues   map[string]*queue
	callers  map[caller]*call
	bytes    int
}

// caller is one virtual user's runtime.
type caller struct {
	runner string
	id     uint64
}

// call is the last Ask of a caller. An Ask that changes anything is known again by it.
type call struct {
	number uint64
	done   bool
	answer run.Answer // if done
	held   int        // bytes of what was taken for it from a queue, in case that it is asked for again
}

// once is a value that is made once.
type once struct {
	owner   caller
	made    bool
	value   json.RawMessage
	changed chan struct{} // closed when it is made, or given up
}

// barrier is one that has not opened. Open ones are gone.
type barrier struct {
	n       int64
	arrived map[caller]*call
	opened  chan struct{}
}

type queue struct{ items []json.RawMessage }

// New returns a Board on which there is nothing.
func New() *Board {
	return &Board{
		once: map[string]*once{}, barriers: map[string]*barrier{}, counters: map[string]int64{}, queues: map[string]*queue{},
		callers: map[caller]*call{},
	}
}

// Do implements run.Shared. It answers Later only when ctx has ended.
func (b *Board) Do(ctx context.Context, ask run.Ask) (run.Answer, error) {
	if err := ask.Check(); err != nil {
		return run.Answer{Refused: err.Error()}, nil //nolint:nilerr // the answer tells it
	}
	for {
		answer, wait, err := b.try(ask)
		if wait == nil || err != nil {
			return answer, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return run.Answer{Later: true}, nil
		}
	}
}

// Take carries an Ask out as far as it can be now, and does not wait: Do then gives its answer. Boards that take the same Asks in the
// same order hold the same.
func (b *Board) Take(ask run.Ask) {
	if ask.Check() == nil {
		_, _, _ = b.try(ask) // what it answers is Do's to tell
	}
}

// try answers an Ask, or returns what to wait for before it is tried again.
func (b *Board) try(ask run.Ask) (run.Answer, <-chan struct{}, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	who := caller{ask.Runner, ask.Caller}
	c := b.callers[who]
	switch {
	case c == nil:
		c = &call{number: ask.Call}
		b.callers[who] = c
	case ask.Call < c.number:
		return run.Answer{}, nil, fmt.Errorf("request %d of caller %d comes after its request %d", ask.Call, ask.Caller, c.number)
	case ask.Call > c.number:
		b.bytes -= c.held
		*c = call{number: ask.Call}
	case c.done:
		return c.answer, nil, nil
	}
	answer, wait := b.apply(ask, who, c)
	if wait == nil {
		c.done, c.answer = true, answer
	}
	return answer, wait, nil
}

func (b *Board) apply(ask run.Ask, who caller, c *call) (run.Answer, <-chan struct{}) {
	switch ask.Op {
	case run.Claim:
		return b.claim(ask.Key, who)
	case run.Settle:
		return b.settle(ask.Key, who, ask.Values[0]), nil
	case run.Release:
		b.release(ask.Key, who)
		return run.Answer{}, nil
	case run.Arrive:
		return b.arrive(ask, who, c)
	case run.Leave:
		b.leave(ask.Key, who)
		return run.Answer{}, nil
	case run.Add:
		return b.add(ask.Key, ask.N), nil
	case run.Push:
		return b.push(ask.Key, ask.Values), nil
	default:
		return b.pop(ask.Key, c), nil
	}
}

// room reports whether a thing of that size fits; isNew says that it is one thing more.
func (b *Board) room(bytes int, isNew bool) bool {
	things := len(b.once) + len(b.barriers) + len(b.counters) + len(b.queues)
	return b.bytes+bytes <= maxBytes && !(isNew && things >= maxThing)
}

func full() run.Answer {
	return run.Answer{Refused: fmt.Sprintf("what the scripts share is more than %d MiB, or more than %d names", maxBytes>>20, maxThing)}
}

// Forget gives up what the virtual users of a runner that is no more had claimed, and takes them from the barriers at which they waited.
func (b *Board) Forget(runner string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, o := range b.once {
		if o.owner.runner == runner {
			b.release(key, o.owner)
		}
	}
	for key, g := range b.barriers {
		for who := range g.arrived {
			if who.runner == runner {
				b.leave(key, who)
			}
		}
	}
	for who, c := range b.callers {
		if who.runner == runner {
			b.bytes -= c.held
			delete(b.callers, who)
		}
	}
}
