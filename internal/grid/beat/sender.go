package beat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"throng/internal/grid/courier"
	"throng/internal/grid/fence"
)

// Voter is somebody to send beats to.
type Voter struct{ Name, URL string }

// SenderConfig says what a Sender sends and whom it tells of what came back.
type SenderConfig struct {
	Self, Life string
	Client     *courier.Client
	// Voters are those who vote, as this node knows it, and who of them leads. What it returns must not be changed.
	Voters func() (voters []Voter, leader string)
	// Reports are the parts' reports; with false, without snapshots and lines.
	Reports func(whole bool) []Report
	// Heard tells that a voter has these reports. Read tells that the leader has the lines up to a number, Over that runs have ended.
	Heard func(reports []Report, by Witness)
	Read  func(lines map[string]int64)
	Over  func(runs []string)
	// Silences are what this node has not heard, if it votes; else nil.
	Silences func() map[string]time.Duration
	// Local takes the beats to this node itself; nil where there is no Receiver.
	Local *Receiver
	// Every is the time between two beats; 0: fence.Every.
	Every time.Duration
	// Failed is told of beats that got no answer; nil: nobody wants to know.
	Failed func(voter string, err error)
}

// Witness is a voter that has heard a beat.
type Witness struct {
	Name   string
	Leader bool
	// Others are the voters on other hosts that can be reached: when all of them have heard something, the death of this host does
	// not make it unknown.
	Others []string
	// Held are the numbers of the snapshots that it keeps, by Key.
	Held map[string]uint64
}

// Sender sends a node's beats and keeps its lease. It is safe for concurrent use.
type Sender struct {
	cfg SenderConfig

	mu     sync.Mutex // guards what follows
	holder fence.Holder
	seq    uint64
	clock  clock
	nudges map[string]chan struct{} // by voter
	there  map[string]time.Time     // when each voter was last known to be there: it answered, or it is new
	lease  chan struct{}            // closed, and made anew, when the lease may have become longer
}

// NewSender returns a Sender that has sent nothing.
func NewSender(cfg SenderConfig) *Sender {
	if cfg.Every == 0 {
		cfg.Every = fence.Every
	}
	return &Sender{cfg: cfg, nudges: map[string]chan struct{}{}, there: map[string]time.Time{}, lease: make(chan struct{})}
}

// Nudge has the next beats sent at once.
func (s *Sender) Nudge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nudges {
		select {
		case n <- struct{}{}:
		default: // one is about to be sent anyway
		}
	}
}

// Until is when this node's lease ends, on its own clock; the zero time while it has none.
func (s *Sender) Until() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holder.Until()
}

// Renewed is closed when the lease may have become longer since the call.
func (s *Sender) Renewed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lease
}

// Offset is how far a leader's clock is ahead of this node's, as measured by the quickest of the last beats, and the time
// that this one took: the measurement's error is at most half of it. It is false while that leader has acknowledged no beat as the leader.
func (s *Sender) Offset(leader string) (offset, round time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	offset, round = s.clock.best()
	return offset, round, s.clock.n > 0 && s.clock.of == leader
}

// Run sends beats until ctx ends: to every voter on its own, so that one that does not answer holds up no other.
func (s *Sender) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	lines := map[Voter]context.CancelFunc{}
	defer func() {
		for _, stop := range lines {
			stop()
		}
	}()
	tick := time.NewTicker(s.cfg.Every / 4)
	defer tick.Stop()
	for {
		voters, _ := s.cfg.Voters()
		names := make([]string, len(voters))
		for i, v := range voters {
			names[i] = v.Name
			if lines[v] == nil {
				lctx, stop := context.WithCancel(ctx)
				lines[v] = stop
				nudge := make(chan struct{}, 1)
				s.mu.Lock()
				s.nudges[v.Name] = nudge
				s.there[v.Name] = time.Now()
				s.mu.Unlock()
				wg.Go(func() { s.line(lctx, v, nudge) })
			}
		}
		for v, stop := range lines {
			if !slices.Contains(voters, v) {
				stop()
				delete(lines, v)
			}
		}
		s.mu.Lock()
		s.holder.Electorate(names)
		for name := range s.nudges {
			if !slices.Contains(names, name) {
				delete(s.nudges, name)
				delete(s.there, name)
			}
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// patience is how much longer than Every a line waits for the nudge that its last beat had: a runner's snapshots come once in
// Every, too, and a beat right before each of them would bring nothing.
func (s *Sender) patience() time.Duration { return s.cfg.Every / 5 }

// line sends beats to one voter: Every after the last one, or when it is nudged.
func (s *Sender) line(ctx context.Context, v Voter, nudge <-chan struct{}) {
	wait := s.cfg.Every
	tick := time.NewTimer(wait)
	defer tick.Stop()
	var held map[string]uint64 // what the voter said that it keeps
	for {
		tick.Reset(wait)
		held = s.send(ctx, v, held)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			wait = s.cfg.Every
		case <-nudge:
			wait = s.cfg.Every + s.patience()
		}
	}
}

// send sends a beat to a voter, without the snapshots that it holds, and returns what it holds then; nil if it does not answer.
func (s *Sender) send(ctx context.Context, v Voter, held map[string]uint64) map[string]uint64 {
	b := s.beat(v)
	for i := range b.Reports {
		if r := &b.Reports[i]; r.Seq <= held[Key(r.Run, r.Part)] {
			r.Snapshot = nil
		}
	}
	sent := time.Now()
	b.Sent = sent
	ack, err := s.deliver(ctx, v, b)
	if err != nil && s.cfg.Failed != nil && ctx.Err() == nil {
		s.cfg.Failed(v.Name, err)
	}
	if err != nil && !errors.Is(err, courier.ErrRefused) {
		return nil
	}
	s.mu.Lock()
	s.holder.Acknowledged(v.Name, sent)
	s.there[v.Name] = sent
	if err != nil {
		s.there[v.Name] = time.Time{}
	}
	by := Witness{Name: v.Name, Leader: err == nil && ack.Leader == v.Name, Others: s.others(), Held: ack.Held}
	if by.Leader {
		s.clock.measured(v.Name, ack.Now.Sub(sent), time.Since(sent))
	}
	close(s.lease)
	s.lease = make(chan struct{})
	s.mu.Unlock()
	if err != nil && len(by.Others) > 0 {
		return nil
	}
	s.cfg.Heard(b.Reports, by) // of one that is dead too, if nobody else is there: then that is all that can be had
	if by.Leader {
		s.cfg.Read(ack.Lines)
		s.cfg.Over(ack.Over)
	}
	return ack.Held
}

// others are the voters on other hosts that have not been away for a lease, in order. The caller holds mu.
func (s *Sender) others() []string {
	var out []string
	for name, last := range s.there {
		if name != s.cfg.Self && time.Since(last) < fence.Lease {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// beat makes the beat for a voter, with snapshots if it is to keep them.
func (s *Sender) beat(v Voter) *Beat {
	voters, leader := s.cfg.Voters()
	s.mu.Lock()
	others := s.others()
	s.mu.Unlock()
	whole := slices.Contains(keepers(len(voters), others, leader), v.Name)
	b := &Beat{Node: s.cfg.Self, Life: s.cfg.Life, Reports: s.cfg.Reports(whole), Silences: s.cfg.Silences()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	b.Seq = s.seq
	b.Offset, _ = s.clock.best()
	return b
}

// keepers are the voters who keep a node's snapshots: the leader, another one in any case, and so many on other hosts as may die at
// once without an end of the grid.
func keepers(voters int, others []string, leader string) []string {
	more := (voters - 1) / 2
	if slices.Contains(others, leader) {
		more--
	}
	keep := []string{leader}
	for _, name := range others {
		if name != leader && len(keep) <= max(1, more) {
			keep = append(keep, name)
		}
	}
	return keep
}

func (s *Sender) deliver(ctx context.Context, v Voter, b *Beat) (Ack, error) {
	if v.Name == s.cfg.Self && s.cfg.Local != nil {
		return s.cfg.Local.Hear(b, time.Now()), nil
	}
	body, err := b.Encode()
	if err != nil {
		return Ack{}, err
	}
	// Not longer than half a lease: a beat that is stuck must leave time for the next one.
	ctx, cancel := context.WithTimeout(ctx, fence.Lease/2)
	defer cancel()
	res, err := s.cfg.Client.Do(ctx, http.MethodPost, v.URL, Path, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		return Ack{}, err
	}
	defer res.Body.Close()
	var ack Ack
	return ack, json.NewDecoder(io.LimitReader(res.Body, courier.MaxJSON)).Decode(&ack)
}

// clock keeps the last measurements of the leader's clock. Those of a former leader tell nothing about the next one's.
type clock struct {
	of   string // the leader
	last [8]struct{ ahead, round time.Duration }
	n    int
}

// measured notes that the leader's clock showed ahead more than ours did when we sent, and that the answer took round.
func (c *clock) measured(leader string, ahead, round time.Duration) {
	if leader != c.of {
		*c = clock{of: leader}
	}
	m := &c.last[c.n%len(c.last)]
	m.ahead, m.round = ahead-round/2, round
	c.n++
}

func (c *clock) best() (offset, round time.Duration) {
	for i := range min(c.n, len(c.last)) {
		if m := c.last[i]; i == 0 || m.round < round {
			offset, round = m.ahead, m.round
		}
	}
	return offset, round
}
