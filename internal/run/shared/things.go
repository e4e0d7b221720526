package shared

import (
	"encoding/json"
	"fmt"

	"throng/internal/run"
)

func (b *Board) claim(key string, who caller) (run.Answer, <-chan struct{}) {
	o := b.once[key]
	switch {
	case o == nil:
		if !b.room(len(key)+itemCost, true) {
			return full(), nil
		}
		b.bytes += len(key) + itemCost
		b.once[key] = &once{owner: who, changed: make(chan struct{})}
		return run.Answer{Mine: true}, nil
	case o.made:
		return run.Answer{Value: o.value}, nil
	case o.owner == who:
		return run.Answer{Mine: true}, nil
	}
	return run.Answer{}, o.changed
}

func (b *Board) settle(key string, who caller, value json.RawMessage) run.Answer {
	o := b.once[key]
	switch {
	case o == nil || o.made || o.owner != who:
		return run.Answer{Refused: fmt.Sprintf("somebody else makes %q now", key)}
	case !b.room(len(value), false):
		b.release(key, who)
		return full()
	}
	b.bytes += len(value)
	o.made, o.value = true, value
	close(o.changed)
	return run.Answer{Value: value}
}

func (b *Board) release(key string, who caller) {
	if o := b.once[key]; o != nil && !o.made && o.owner == who {
		delete(b.once, key)
		b.bytes -= len(key) + itemCost
		close(o.changed)
	}
}

func (b *Board) arrive(ask run.Ask, who caller, c *call) (run.Answer, <-chan struct{}) {
	g := b.barriers[ask.Key]
	if g == nil {
		if !b.room(len(ask.Key)+itemCost, true) {
			return full(), nil
		}
		b.bytes += len(ask.Key) + itemCost
		g = &barrier{n: ask.N, arrived: map[caller]*call{}, opened: make(chan struct{})}
		b.barriers[ask.Key] = g
	}
	if g.n != ask.N {
		return run.Answer{Refused: fmt.Sprintf("barrier %q is for %d, not for %d, until it opens", ask.Key, g.n, ask.N)}, nil
	}
	g.arrived[who] = c
	if int64(len(g.arrived)) < g.n {
		return run.Answer{}, g.opened
	}
	for _, waiting := range g.arrived {
		waiting.done, waiting.answer = true, run.Answer{}
	}
	b.open(ask.Key, g)
	return run.Answer{}, nil
}

func (b *Board) leave(key string, who caller) {
	g := b.barriers[key]
	if g == nil {
		return
	}
	if delete(g.arrived, who); len(g.arrived) == 0 {
		b.open(key, g)
	}
}

// open takes a barrier away: it is past, or nobody waits for it.
func (b *Board) open(key string, g *barrier) {
	delete(b.barriers, key)
	b.bytes -= len(key) + itemCost
	close(g.opened)
}

func (b *Board) add(key string, n int64) run.Answer {
	old, known := b.counters[key]
	switch sum := old + n; {
	case n > 0 && (sum < old || sum > maxCount) || n < 0 && (sum > old || sum < -maxCount):
		return run.Answer{Refused: fmt.Sprintf("counter %q would pass %d, from where on numbers are not exact", key, maxCount)}
	case !known && n == 0:
		return run.Answer{}
	case !known && !b.room(len(key)+itemCost, true):
		return full()
	default:
		if !known {
			b.bytes += len(key) + itemCost
		}
		b.counters[key] = sum
		return run.Answer{N: sum}
	}
}

func (b *Board) push(key string, values []json.RawMessage) run.Answer {
	q, size := b.queues[key], 0
	for _, v := range values {
		size += len(v) + itemCost
	}
	if q == nil {
		size += len(key) + itemCost
	}
	if !b.room(size, q == nil) {
		return full()
	}
	if q == nil {
		if len(values) == 0 {
			return run.Answer{}
		}
		q = &queue{}
		b.queues[key] = q
	}
	b.bytes += size
	q.items = append(q.items, values...)
	return run.Answer{N: int64(len(q.items))}
}

func (b *Board) pop(key string, c *call) run.Answer {
	q := b.queues[key]
	if q == nil {
		return run.Answer{}
	}
	v := q.items[0]
	q.items[0] = nil
	q.items = q.items[1:]
	c.held = len(v) + itemCost
	if len(q.items) == 0 {
		delete(b.queues, key)
		b.bytes -= len(key) + itemCost
	}
	return run.Answer{Value: v, N: int64(len(q.items))}
}
