package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
	"throng/internal/grid/conductor"
	"throng/internal/grid/courier"
	"throng/internal/run"
)

// Result is what a run came to: all that a submitter needs to show what a local run would show.
type Result struct {
	Ready        json.RawMessage       `json:"ready,omitempty"`    // run.Ready
	Snapshot     []byte                `json:"snapshot,omitempty"` // encoded
	Elapsed      time.Duration         `json:"elapsed"`
	Setup        []byte                `json:"setup,omitempty"`
	Fault        *courier.Fault        `json:"fault,omitempty"`
	Measured     bool                  `json:"measured"`
	Files        map[string][]byte     `json:"files,omitempty"` // what handleSummary wants written where
	Summarised   bool                  `json:"summarised,omitempty"`
	SummaryFault *courier.Fault        `json:"summary_fault,omitempty"`
	Disturbances []cluster.Disturbance `json:"disturbances,omitempty"`
	Began        time.Time             `json:"began,omitzero"`  // its scenarios, in the leader's clock
	Lines        []Event               `json:"lines,omitempty"` // what was written to consoles and logs
}

// summarise has one runner call handleSummary, and keeps what came of it for the result.
func (c *chair) summarise(ctx context.Context, cond *conductor.Conductor, out conductor.Outcome) {
	data, err := c.cfg.SummaryData(out, c.asked.View)
	var files map[string][]byte
	if err == nil {
		files, err = cond.Summary(ctx, data)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.summary = &summary{files, err}
}

// began is when the scenarios began; the zero time when they have not.
func (c *chair) began() time.Time {
	var past conductor.Past
	if err := json.Unmarshal(c.record().Past, &past); err != nil {
		return time.Time{} // nothing was noted
	}
	return past.At
}

type summary struct {
	files map[string][]byte
	err   error
}

// finish writes down what the run came to, and lets the runners go.
func (c *chair) finish(ctx context.Context, out conductor.Outcome) error {
	res := Result{
		Elapsed: out.Elapsed, Setup: out.SetupData, Fault: courier.FaultOf(out.Err), Measured: out.Measured,
		Disturbances: c.record().Disturbances, Began: c.began(), Lines: c.feed.history(),
	}
	var errs []error
	keep := func(b []byte, err error) []byte {
		errs = append(errs, err)
		return b
	}
	res.Ready = keep(json.Marshal(out.Ready))
	if out.Measured {
		res.Snapshot = keep(out.Snapshot.MarshalBinary())
	}
	code := exitCode(out.Err)
	if s := c.summary; s != nil {
		res.Summarised, res.Files, res.SummaryFault = true, s.files, courier.FaultOf(s.err)
	}
	b := keep(json.Marshal(res))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	digest, kerr := c.keep(ctx, b)
	if kerr != nil { // the run has ended all the same
		c.cfg.Log.Error("the result of run " + c.id + " cannot be kept: " + kerr.Error())
		code, out.Err = exitCode(kerr), errors.Join(out.Err, fmt.Errorf("the result cannot be kept: %w", kerr))
	}
	heard := c.cfg.Receiver.Parts(c.id)
	err := c.change(ctx, func(r *cluster.Run) error {
		for i := range r.Parts {
			started(&r.Parts[i], heard[r.Parts[i].ID])
		}
		r.State, r.ExitCode, r.Result, r.Ended = stateOf(code), &code, digest, time.Now().UTC()
		if out.Err != nil {
			r.Error = out.Err.Error()
		}
		return nil
	})
	if err == nil {
		c.Desk.mu.Lock()
		c.ended[c.id] = true
		c.Desk.mu.Unlock()
	}
	c.release(ctx)
	return err
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	return fault.KindOf(err).ExitCode()
}

// stateOf says how a run ended that has this exit code.
func stateOf(code int) cluster.RunState {
	switch code {
	case 0, fault.ThresholdsFailed.ExitCode():
		return cluster.Finished
	case fault.Interrupted.ExitCode(), fault.ScriptAborted.ExitCode():
		return cluster.Aborted
	}
	return cluster.Failed
}

// release lets all runners go; a node that is gone has none.
func (c *chair) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range c.record().Parts {
		if r := c.remoteOf(p.ID); r != nil && p.Lost.IsZero() {
			wg.Go(func() {
				if err := r.Release(ctx); err != nil && !errors.Is(err, run.ErrLost) {
					c.cfg.Log.Warn("node " + p.Node + " could not be told that the run is over: " + err.Error())
				}
			})
		}
	}
	wg.Wait()
}

// keep stores a blob here and on every other voter.
func (d *Desk) keep(ctx context.Context, b []byte) (string, error) {
	digest, err := d.cfg.Depot.Put(bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	if err := d.spread(ctx, digest); err != nil {
		d.cfg.Log.Warn("not every voter has what this one keeps: " + err.Error()) // Keep brings it to them later
	}
	return digest, nil
}

func (d *Desk) load(digest string) ([]byte, error) {
	f, err := d.cfg.Depot.Open(digest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// Result returns what a run came to, fetched from a voter if it is not here.
func (d *Desk) Result(ctx context.Context, r *cluster.Run) (*Result, error) {
	if r.Result == "" {
		if r.State.Over() { // it ended before it began
			return &Result{Fault: courier.FaultOf(fault.New(kindOf(r), errors.New(r.Error)))}, nil
		}
		return nil, fmt.Errorf("run %s has not ended", r.ID)
	}
	if err := d.obtain(ctx, r.Result); err != nil {
		return nil, fmt.Errorf("bring the result of run %s: %w", r.ID, err)
	}
	b, err := d.load(r.Result)
	if err != nil {
		return nil, err
	}
	var res Result
	return &res, json.Unmarshal(b, &res)
}

func kindOf(r *cluster.Run) fault.Kind {
	for k := fault.Other; k <= fault.MarkedAsFailed; k++ {
		if r.ExitCode != nil && k.ExitCode() == *r.ExitCode {
			return k
		}
	}
	return fault.Other
}

// obtain fetches a blob from whichever node has it.
func (d *Desk) obtain(ctx context.Context, digest string) error {
	if d.cfg.Depot.Has(digest) {
		return nil
	}
	err := error(missing(digest))
	v := d.cfg.View()
	self, _ := v.Find(d.cfg.Self)
	nodes := slices.DeleteFunc(slices.Clone(v.Nodes), func(n cluster.NodeState) bool {
		// Who does not vote hears nobody, and does not know who is alive.
		return n.Name == d.cfg.Self || self.Role == cluster.Voter && !n.Alive
	})
	slices.SortStableFunc(nodes, func(a, b cluster.NodeState) int { return bit(b.Role == cluster.Voter) - bit(a.Role == cluster.Voter) })
	for _, n := range nodes {
		ferr := d.cfg.Client.Fetch(ctx, d.cfg.Depot, n.ClientURL, digest)
		if ferr == nil {
			return nil
		}
		err = errors.Join(err, ferr)
	}
	return err
}

// missing is the digest of a blob that nobody has who was asked.
type missing string

func (m missing) Error() string        { return fmt.Sprintf("no node has blob %.12s", string(m)) }
func (m missing) Is(target error) bool { return target == cluster.ErrNotFound }

// sweepAge is how old a blob must be to be thrown away when no record names it: one that is being submitted is younger.
const sweepAge = time.Hour

// Keep has this node hold what the records name, if it votes, and throws away what none names, until ctx ends.
func (d *Desk) Keep(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := d.tidy(ctx); err != nil && ctx.Err() == nil {
			d.cfg.Log.Debug("blobs are not all where they should be: " + err.Error())
		}
	}
}

func (d *Desk) tidy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	all, err := d.List(ctx)
	if err != nil {
		return err
	}
	d.know(all)
	v := d.cfg.View()
	self, _ := v.Find(d.cfg.Self)
	wanted := map[string]bool{}
	for _, r := range all {
		digests := []string{r.Result}
		if !r.State.Over() {
			digests = append(digests, r.Asked.Bundle, r.Setup)
		} else {
			d.cfg.Receiver.Forget(r.ID)
			if d.cfg.Ended != nil {
				d.cfg.Ended(r.ID)
			}
		}
		for _, digest := range digests {
			if digest == "" {
				continue
			}
			wanted[digest] = true
			if self.Role == cluster.Voter {
				err = errors.Join(err, d.obtain(ctx, digest))
			}
		}
	}
	return errors.Join(err, d.cfg.Depot.Sweep(time.Now(), sweepAge, func(digest string) bool { return wanted[digest] }))
}
