package shared

import (
	"encoding/json"
	"fmt"

	"throng/internal/run"
)

// held is all that a Board holds, as it travels.
type held struct {
	Once     map[string]heldOnce          `json:"once,omitempty"`
	Barriers map[string]heldBarrier       `json:"barriers,omitempty"`
	Counters map[string]int64             `json:"counters,omitempty"`
	Queues   map[string][]json.RawMessage `json:"queues,omitempty"`
	Calls    []heldCall                   `json:"calls,omitempty"`
	Bytes    int                          `json:"bytes"`
}

type heldCaller struct {
	Runner string `json:"runner,omitempty"`
	ID     uint64 `json:"id"`
}

type heldOnce struct {
	Owner heldCaller      `json:"owner"`
	Made  bool            `json:"made,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

type heldBarrier struct {
	N       int64        `json:"n"`
	Arrived []heldCaller `json:"arrived"`
}

type heldCall struct {
	heldCaller
	Number uint64      `json:"number"`
	Done   bool        `json:"done,omitempty"`
	Answer *run.Answer `json:"answer,omitempty"` // nil: the zero Answer
	Held   int         `json:"held,omitempty"`
}

// MarshalJSON writes all that the Board holds, the last answer to every caller included.
func (b *Board) MarshalJSON() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := held{
		Once: map[string]heldOnce{}, Barriers: map[string]heldBarrier{}, Counters: b.counters, Queues: map[string][]json.RawMessage{}, Bytes: b.bytes,
	}
	for key, o := range b.once {
		h.Once[key] = heldOnce{heldCaller{o.owner.runner, o.owner.id}, o.made, o.value}
	}
	for key, g := range b.barriers {
		one := heldBarrier{N: g.n}
		for who := range g.arrived {
			one.Arrived = append(one.Arrived, heldCaller{who.runner, who.id})
		}
		h.Barriers[key] = one
	}
	for key, q := range b.queues {
		h.Queues[key] = q.items
	}
	for who, c := range b.callers {
		one := heldCall{heldCaller: heldCaller{who.runner, who.id}, Number: c.number, Done: c.done, Held: c.held}
		if a := c.answer; a.Later || a.Mine || a.N != 0 || a.Value != nil || a.Refused != "" {
			one.Answer = &a
		}
		h.Calls = append(h.Calls, one)
	}
	return json.Marshal(h)
}

// UnmarshalJSON has the Board hold what another one wrote, and nothing else. Whoever waits looks again.
func (b *Board) UnmarshalJSON(data []byte) error {
	var h held
	if err := json.Unmarshal(data, &h); err != nil {
		return fmt.Errorf("read what scripts share: %w", err)
	}
	next := New()
	next.bytes = h.Bytes
	if h.Counters != nil {
		next.counters = h.Counters
	}
	for _, c := range h.Calls {
		one := &call{number: c.Number, done: c.Done, held: c.Held}
		if c.Answer != nil {
			one.answer = *c.Answer
		}
		next.callers[caller{c.Runner, c.ID}] = one
	}
	for key, o := range h.Once {
		next.once[key] = &once{owner: caller{o.Owner.Runner, o.Owner.ID}, made: o.Made, value: o.Value, changed: make(chan struct{})}
	}
	for key, g := range h.Barriers {
		one := &barrier{n: g.N, arrived: map[caller]*call{}, opened: make(chan struct{})}
		for _, a := range g.Arrived {
			who := caller{a.Runner, a.ID}
			if next.callers[who] == nil {
				next.callers[who] = &call{}
			}
			one.arrived[who] = next.callers[who]
		}
		next.barriers[key] = one
	}
	for key, items := range h.Queues {
		if len(items) > 0 {
			next.queues[key] = &queue{items}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range b.once {
		if !o.made { // else it is closed already
			close(o.changed)
		}
	}
	for _, g := range b.barriers {
		close(g.opened)
	}
	b.once, b.barriers, b.counters, b.queues, b.callers, b.bytes = next.once, next.barriers, next.counters, next.queues, next.callers, next.bytes
	return nil
}
