package node

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"throng/internal/grid/beat"
	"throng/internal/grid/board"
	"throng/internal/grid/cluster"
	"throng/internal/grid/conductor"
	"throng/internal/grid/desk"
	"throng/internal/grid/runner"
	"throng/internal/grid/trust"
	"throng/internal/grid/worker"
	"throng/internal/run"
	"throng/internal/run/pipe"
	"throng/internal/view/summary"
)

// makeServices makes what hears, works and leads.
func (n *Node) makeServices() {
	n.receiver = beat.NewReceiver(beat.ReceiverConfig{
		Self: n.name(),
		Grid: func() (string, uint64, []string) {
			leader, _, voters := n.picture.electorate()
			return leader.Name, leader.Term, voters
		},
		Caller: func(r *http.Request) string { return trust.CallerOf(r.Context()).Name },
		Lines: func(node, run, part string, lines []beat.Line, leftOut int64) bool {
			return n.desk.Lines(node, run, part, lines, leftOut)
		},
		Over: func(run string) bool { return n.desk.Over(run) },
	})
	start := n.o.start
	if start == nil {
		start = n.startRunner
	}
	n.spawner = runner.NewSpawner()
	n.worker = worker.New(worker.Config{
		Life: n.life, Depot: n.depot, Client: n.client, Start: start,
		Until:   func() time.Time { return n.sender.Until() },
		Renewed: func() <-chan struct{} { return n.sender.Renewed() },
		Offset:  func(leader string) (time.Duration, time.Duration, bool) { return n.sender.Offset(leader) },
		Leader:  n.leaderURL,
		Nudge:   func() { n.sender.Nudge() },
	})
	n.sender = beat.NewSender(beat.SenderConfig{
		Self: n.name(), Life: n.life, Client: n.client, Local: n.receiver,
		Failed:  n.unheard,
		Reports: n.worker.Reports, Heard: n.worker.Heard, Read: n.worker.Read, Over: n.worker.Over,
		Voters: func() ([]beat.Voter, string) {
			leader, voters, _ := n.picture.electorate()
			return voters, leader.Name
		},
		Silences: func() map[string]time.Duration { return n.picture.heard() },
	})
	n.boards = board.New(board.Config{
		Others: n.otherKeepers, Client: n.client, Term: n.term,
		Told: func(err error) { n.log.Debug(err.Error()) },
	})
	n.desk = desk.New(desk.Config{
		Begun: n.boards.Open, Ended: n.boards.Forget, Lost: func(run, part, life string) { n.boards.Lost(run, runnerName(part, life)) },
		Self: n.name(), Version: n.o.Version, Store: n.store, View: n.picture.view, Census: n.picture.census, Address: n.addressOf, Depot: n.depot, Client: n.client, Receiver: n.receiver, Log: n.log,
		SummaryData: func(out conductor.Outcome, view json.RawMessage) ([]byte, error) {
			var w summary.Wish
			if err := json.Unmarshal(view, &w); err != nil {
				return nil, err
			}
			return w.Data(w.Report(out))
		},
	})
}

// outputTags tell servers which samples a part's runner has sent. A node that took over a lost part has two runners: what these say of one
// series must not be taken for what one runner says.
func (n *Node) outputTags(s worker.Start) map[string]string {
	tags := map[string]string{"node": n.name()}
	if s.Job.Of != "" {
		tags["part"] = s.Part
	}
	return tags
}

// runnerName is the name of one life of a part's runner.
func runnerName(part, life string) string { return part + "/" + life }

// leaderURL is the address of the node that leads, as far as this one knows.
func (n *Node) leaderURL() string {
	leader, _, _ := n.picture.electorate()
	return n.addressOf(leader.Name)
}

func (n *Node) term() uint64 {
	leader, _, _ := n.picture.electorate()
	return leader.Term
}

// otherKeepers are the addresses of the other nodes that live and vote, or are to vote soon: they may lead next.
func (n *Node) otherKeepers() (out []string) {
	for _, v := range n.picture.view().Nodes {
		if v.Name != n.name() && v.Alive && (v.Role == cluster.Voter || v.Role == cluster.Learner) {
			out = append(out, v.ClientURL)
		}
	}
	return out
}

// startRunner starts a runner in a process of its own.
func (n *Node) startRunner(ctx context.Context, s worker.Start) (worker.Runner, error) {
	r, err := runner.Start(ctx, runner.Config{
		Command: []string{n.o.Command, "runner"},
		Shared:  board.Asker{Run: s.Run, Client: n.client, Leader: n.leaderURL},
		Job: run.Job{
			Shared: true, Run: s.Run, Runner: runnerName(s.Part, n.life), Node: n.name(), Bundle: s.Bundle, Share: s.Job.Share, Env: s.Job.Env,
			MemoryLimit: n.memoryFor(), Outputs: s.Job.Outputs, OutputEnv: s.Job.OutputEnv, OutputTags: n.outputTags(s), Parts: s.Job.Full, NoThresholds: s.Job.NoThresholds, InitTimeout: s.Job.InitTimeout, Verbose: s.Job.Verbose,
		},
		Spawner: n.spawner, Until: n.sender.Until, Fresh: s.Fresh, Lines: s.Lines,
		Log: func(rec pipe.Record) {
			s.Line(beat.Line{At: rec.Time, Level: int(rec.Level), Text: rec.Message, Attrs: rec.Attrs, Console: rec.Console})
			if rec.LeftOut > 0 {
				s.LeftOut(rec.LeftOut)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	n.room.add(r.Done())
	return r, nil
}

// memoryFor is how many bytes a runner that starts now may hold; 0 where nothing is known. How many processors it uses is left to the
// kernel: where a node has several runners, their parts were cut from what one would have done.
func (n *Node) memoryFor() uint64 {
	if n.o.Memory == nil {
		return 0
	}
	return n.room.share(n.o.Memory())
}
