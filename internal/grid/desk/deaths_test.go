package desk_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/conductor"
	"throng/internal/grid/desk"
)

var five = []string{"h1", "h2", "h3", "h4", "h5"}

// death is who dies, so long after the one before; elects names who leads then, and seat who votes in the place of the dead, a
// moment later.
type death struct {
	after        time.Duration
	who          []string
	elects, seat string
}

// die plays deaths.
func (l *lab) die(deaths []death) {
	for _, d := range deaths {
		time.Sleep(d.after)
		for _, name := range d.who {
			l.kill(name)
		}
		if d.elects != "" {
			time.Sleep(1500 * time.Millisecond)
			l.elect(d.elects)
		}
		if d.seat != "" {
			time.Sleep(1500 * time.Millisecond)
			l.vote(d.who[0], false)
			l.vote(d.seat, true)
		}
	}
}

func TestNoNumberIsUsedTwiceWhoeverDies(t *testing.T) {
	for _, tt := range []struct {
		name   string
		voters int
		names  []string
		deaths []death
	}{
		{"a worker", 3, four, []death{{6 * time.Second, []string{"h4"}, "", ""}}},
		{"the leader", 3, four, []death{{6 * time.Second, []string{"h1"}, "h2", ""}}},
		{"a worker, then who took over from it", 3, four, []death{{6 * time.Second, []string{"h4"}, "", ""}, {6 * time.Second, []string{"h3"}, "", ""}}},
		{"a worker, then who took over from it before it could begin", 3, four, []death{{6 * time.Second, []string{"h4"}, "", ""}, {3600 * time.Millisecond, []string{"h3"}, "", ""}}},
		{"a worker, then the leader", 3, four, []death{{6 * time.Second, []string{"h4"}, "", ""}, {6 * time.Second, []string{"h1"}, "h2", ""}}},
		{"the leader, and the next one as soon as it leads", 5, five, []death{{6 * time.Second, []string{"h1"}, "h2", ""}, {time.Second, []string{"h2"}, "h3", ""}}},
		{"who keeps what the others measure, then the leader", 3, four, []death{{6 * time.Second, []string{"h2"}, "", "h4"}, {6 * time.Second, []string{"h1"}, "h3", ""}}},
		{"the leader and a worker at once", 5, five, []death{{6 * time.Second, []string{"h1", "h2"}, "h3", ""}}},
		{"the leader and another worker at once", 5, five, []death{{6 * time.Second, []string{"h1", "h5"}, "h3", ""}}},
		{"one after the other", 3, five, []death{{5 * time.Second, []string{"h5"}, "", ""}, {6 * time.Second, []string{"h2"}, "", "h4"}, {6 * time.Second, []string{"h1"}, "h3", ""}}},
	} {
		for what, test := range map[string]scene{
			"loops": {rate: 100, length: 30 * time.Second, loops: true}, "shared iterations": {rate: 100, length: time.Minute, loops: true, total: 3000},
			"arrivals": {rate: 100, length: 30 * time.Second},
		} {
			t.Run(tt.name+"; "+what, func(t *testing.T) {
				play(t, test, tt.voters, tt.names, func(l *lab) {
					id := l.submit(nil)
					l.die(tt.deaths)
					dead := 0
					for _, d := range tt.deaths {
						dead += len(d.who)
					}
					rec, res := l.until(id, 2*time.Minute)
					total, twice, highest := l.seen()
					told := int(reported(l.t, res))
					if twice != 0 || test.total > 0 && highest >= test.total {
						l.t.Errorf("%d were done twice, the highest is %d", twice, highest)
					}
					if told > total || total-told > 40*dead {
						l.t.Errorf("reported %d of %d", told, total)
					}
					if test.total > 0 && total < int(test.total)-60*dead {
						l.t.Errorf("%d of %d were done", total, test.total)
					}
					if test.total == 0 && total < 3000-dead*6*35 {
						l.t.Errorf("the shares were not taken over: %d", total)
					}
					if rec.State != cluster.Finished || len(rec.Disturbances) < dead {
						l.t.Errorf("it ended as %s, %s; disturbances: %+v", rec.State, rec.Error, rec.Disturbances)
					}
					if n := strings.Count(strings.Join(l.calls, " "), "down"); n != 1 {
						l.t.Errorf("calls %v", l.calls)
					}
				})
			})
		}
	}
}

func TestARunWhoseEveryNodeDiedIsLost(t *testing.T) {
	for _, after := range []time.Duration{6 * time.Second, 300 * time.Millisecond} {
		play(t, scene{rate: 100, length: 20 * time.Second, loops: true}, 3, four, func(l *lab) {
			id := l.submit(nil)
			time.Sleep(after)
			for _, name := range four {
				l.kill(name)
			}
			before, _, _ := l.seen()
			time.Sleep(5 * time.Second)
			for _, name := range four {
				l.start(name)
			}
			l.elect("h2")
			rec, res := l.until(id, 20*time.Second)
			if total, _, _ := l.seen(); total != before {
				t.Errorf("%d iterations began out of nowhere", total-before)
			}
			if rec.State != cluster.Failed || !strings.Contains(rec.Error, "the run is lost") || res.Measured || *rec.ExitCode != 255 {
				t.Errorf("it ended as %s: %s", rec.State, rec.Error)
			}
			if rec, _ := l.until(l.submit(nil), time.Minute); rec.State != cluster.Finished {
				t.Errorf("the next one ended as %s: %s", rec.State, rec.Error)
			}
		})
	}
}

func TestWhoLivesThroughTheLossOfTheQuorumGoesOn(t *testing.T) {
	for _, back := range []bool{true, false} {
		for _, dies := range [][]string{{"h1", "h2"}, {"h2", "h3"}, {"h1", "h2", "h3"}} {
			for what, test := range map[string]scene{
				"loops": {rate: 100, length: 25 * time.Second, loops: true}, "shared iterations": {rate: 100, length: time.Minute, loops: true, total: 2500},
				"arrivals": {rate: 100, length: 25 * time.Second},
			} {
				t.Run(strings.Join(dies, " ")+"; "+what, func(t *testing.T) {
					play(t, test, 3, five, func(l *lab) {
						id := l.submit(nil)
						time.Sleep(6 * time.Second)
						died := l.since()
						for _, name := range dies {
							l.kill(name)
						}
						if l.leader.Name == "h1" && dies[0] != "h1" {
							l.hosts["h1"].depose(cluster.ErrDeposed) // raft's leader steps down without its quorum
						}
						time.Sleep(8 * time.Second)
						if got, want := l.rate(died+time.Second, died+7*time.Second), float64(20*(5-len(dies))); got < want*0.9 {
							l.t.Errorf("while there is no quorum those who live do %v/s, not %v", got, want)
						}
						for _, name := range dies {
							l.start(name)
						}
						l.elect(map[bool]string{true: dies[0], false: "h2"}[back])
						rec, res := l.until(id, 2*time.Minute)
						total, twice, _ := l.seen()
						told := int(reported(l.t, res))
						if twice != 0 || told > total {
							l.t.Errorf("%d were done twice; %d of %d reported", twice, told, total)
						}
						if rec.State != cluster.Finished || len(rec.Disturbances) < len(dies) {
							l.t.Errorf("it ended as %s, %s; disturbances: %+v", rec.State, rec.Error, rec.Disturbances)
						}
						for _, d := range rec.Disturbances {
							if d.Unreported == 0 {
								l.t.Errorf("what is missing is not told: %+v", d)
							}
						}
						if got := l.rate(died+12*time.Second, died+16*time.Second); test.total == 0 && got < 90 {
							l.t.Errorf("when the quorum is back the rate is %v", got)
						}
					})
				})
			}
		}
	}
}

// TestALossIsToldOnce has a leader that was asleep give a part away and find that it is deposed: whoever follows the run hears of the loss
// from the next leader alone, which decides it.
func TestALossIsToldOnce(t *testing.T) {
	play(t, scene{rate: 100, length: 25 * time.Second}, 3, four, func(l *lab) {
		id := l.submit(nil)
		var told []string
		l.hear(id, func(e desk.Event) {
			if e.Line != nil && strings.Contains(e.Line.Text, "was lost") {
				told = append(told, e.Line.Text)
			}
		}, func() {})
		time.Sleep(6 * time.Second)
		l.hosts["h1"].link.Cut() // what it writes does not arrive
		l.kill("h4")
		time.Sleep(4 * time.Second)
		l.elect("h2")
		rec, _ := l.until(id, time.Minute)
		l.followed()
		if len(rec.Disturbances) != 1 || len(told) != 1 || told[0] != rec.Disturbances[0].What {
			t.Errorf("told %q, written down: %+v", told, rec.Disturbances)
		}
	})
}

// TestClocksOfTwoLeadersMayDiffer has the leader die whose clock is minutes off: what it noted goes by that clock, and the next leader's
// orders and its report by another.
func TestClocksOfTwoLeadersMayDiffer(t *testing.T) {
	for _, ahead := range []time.Duration{3 * time.Minute, -3 * time.Minute} {
		for what, test := range map[string]scene{
			"loops": {rate: 100, length: 25 * time.Second, loops: true}, "arrivals": {rate: 100, length: 25 * time.Second},
		} {
			t.Run(ahead.String()+"; "+what, func(t *testing.T) {
				play(t, test, 3, four, func(l *lab) {
					id := l.submit(nil)
					time.Sleep(2 * time.Second)
					l.kill("h4")
					time.Sleep(8 * time.Second)
					l.kill("h1")
					died := l.since()
					l.noted(id, ahead)
					time.Sleep(1500 * time.Millisecond)
					l.elect("h2")
					rec, res := l.until(id, time.Minute)
					total, twice, _ := l.seen()
					if told := int(reported(l.t, res)); twice != 0 || told > total || total-told > 2*40 {
						l.t.Errorf("%d were done twice; %d of %d reported", twice, told, total)
					}
					if got := l.rate(died+6*time.Second, died+12*time.Second); got < 95 || got > 105 {
						l.t.Errorf("after the take-over the rate is %v", got)
					}
					if res.Elapsed < 24900*time.Millisecond || res.Elapsed > 26*time.Second {
						l.t.Errorf("25 s of load took %v", res.Elapsed)
					}
					if took := rec.Ended.Sub(rec.Started); took < 25*time.Second || took > 28*time.Second {
						l.t.Errorf("from its start to its end: %v", took)
					}
					var at []time.Duration
					for _, d := range rec.Disturbances {
						at = append(at, d.At.Sub(res.Began).Round(time.Second), d.Until.Sub(res.Began).Round(time.Second))
					}
					if want := []time.Duration{time.Second, 5 * time.Second, 9 * time.Second, 13 * time.Second, 9 * time.Second, 13 * time.Second}; !near(at, want) {
						l.t.Errorf("disturbances at %v, want about %v", at, want)
					}
				})
			})
		}
	}
}

// noted has a run's record be as a leader had left it whose clock is ahead.
func (l *lab) noted(id string, ahead time.Duration) {
	l.t.Helper()
	rec := l.record(id)
	var past conductor.Past
	if err := json.Unmarshal(rec.Past, &past); err != nil {
		l.t.Fatal(err)
	}
	past.At, past.Begun, rec.Started = past.At.Add(ahead), past.Begun.Add(ahead), rec.Started.Add(ahead)
	for i := range rec.Disturbances {
		rec.Disturbances[i].At, rec.Disturbances[i].Until = rec.Disturbances[i].At.Add(ahead), rec.Disturbances[i].Until.Add(ahead)
	}
	var err error
	if rec.Past, err = json.Marshal(past); err != nil {
		l.t.Fatal(err)
	}
	b, err := rec.Encode()
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.store.Commit(context.Background(), cluster.Txn{Put: map[string][]byte{cluster.Runs + id: b}}); err != nil {
		l.t.Fatal(err)
	}
}

// near reports whether two lists of times differ by no more than a second each.
func near(got, want []time.Duration) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if (got[i] - want[i]).Abs() > time.Second {
			return false
		}
	}
	return true
}

// TestALateBeginningIsTold has the leader die when it has decided when the scenarios begin, and told nobody.
func TestALateBeginningIsTold(t *testing.T) {
	play(t, scene{rate: 100, length: 20 * time.Second}, 3, four, func(l *lab) {
		l.hosts["h1"].link.Delay(20 * time.Millisecond) // it hears later that it is written than we do
		id := l.submit(nil)
		for !strings.Contains(string(l.record(id).Past), `"at":`) {
			time.Sleep(100 * time.Microsecond)
		}
		l.kill("h1")
		time.Sleep(1500 * time.Millisecond)
		l.elect("h2")
		rec, res := l.until(id, time.Minute)
		total, twice, _ := l.seen()
		first := l.when[0].Sub(res.Began)
		if told := int(reported(t, res)); twice != 0 || told != total || first < time.Second {
			t.Errorf("%d were done twice; %d of %d reported; the first %v after the start", twice, told, total, first)
		}
		if len(rec.Disturbances) != 2 || rec.Disturbances[1].Share != 1 || !near([]time.Duration{rec.Disturbances[1].At.Sub(res.Began), rec.Disturbances[1].Until.Sub(res.Began)}, []time.Duration{0, first}) {
			t.Errorf("the first began %v after the start; disturbances: %+v", first, rec.Disturbances)
		}
	})
}

// TestAVoterThatIsSlowIsAskedAgain has the one that alone knows what the dead leader had measured not answer the next one at first.
func TestAVoterThatIsSlowIsAskedAgain(t *testing.T) {
	play(t, scene{rate: 100, length: 20 * time.Second}, 3, three, func(l *lab) {
		slow := func(yes bool) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.hosts["h2"].slow = yes
		}
		id := l.submit(nil)
		time.Sleep(7 * time.Second)
		slow(true)
		l.kill("h1")
		time.Sleep(1500 * time.Millisecond)
		l.elect("h3")
		time.Sleep(4 * time.Second)
		slow(false)
		_, res := l.until(id, time.Minute)
		total, twice, _ := l.seen()
		if told := int(reported(t, res)); twice != 0 || told > total || total-told > 40 {
			t.Errorf("%d were done twice; %d of %d reported", twice, told, total)
		}
	})
}

// TestWhoTakesOverAnEndBringsItToItsEnd has a run told to end about when its leader dies: teardown() is called and what was measured is told
// all the same.
func TestWhoTakesOverAnEndBringsItToItsEnd(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy cluster.NodeLoss
		before bool // it is stopped before the leader dies
		after  bool // it is stopped when the next one leads
		state  cluster.RunState
	}{
		{"its loss is to end the run", cluster.Fail, false, false, cluster.Failed},
		{"a user had stopped the run", cluster.Reassign, true, false, cluster.Aborted},
		{"a user stops the run as the next one begins to lead", cluster.Reassign, false, true, cluster.Aborted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, scene{rate: 100, length: 30 * time.Second}, 3, four, func(l *lab) {
				id := l.submit(func(a *cluster.Asked) { a.NodeLoss = tt.policy })
				time.Sleep(6 * time.Second)
				if tt.before {
					if err := l.hosts["h1"].desk.Stop(l.t.Context(), id, errInterrupted); err != nil {
						l.t.Error(err)
					}
				}
				l.kill("h1")
				time.Sleep(1500 * time.Millisecond)
				l.elect("h2")
				if tt.after {
					time.Sleep(time.Second)
					if err := l.hosts["h2"].desk.Stop(l.t.Context(), id, errInterrupted); err != nil {
						l.t.Error(err)
					}
				}
				rec, res := l.until(id, 20*time.Second)
				total, twice, _ := l.seen()
				if rec.State != tt.state || !res.Measured {
					l.t.Fatalf("it ended as %s (%s), measured: %v", rec.State, rec.Error, res.Measured)
				}
				if told := int(reported(l.t, res)); twice != 0 || told > total || total-told > 60 {
					l.t.Errorf("%d were done twice; %d of %d reported", twice, told, total)
				}
				if res.Elapsed < 5*time.Second || res.Elapsed > 15*time.Second {
					l.t.Errorf("it took %v", res.Elapsed)
				}
				if len(rec.Disturbances) != 1 || rec.Disturbances[0].Node != "h1" || rec.Disturbances[0].Unreported == 0 || len(res.Disturbances) != 1 {
					l.t.Errorf("the record tells %+v, the result %+v", rec.Disturbances, res.Disturbances)
				}
				if !slices.Equal(l.calls, []string{"setup", "teardown", "summary"}) {
					l.t.Errorf("calls %v", l.calls)
				}
				time.Sleep(2 * time.Second)
				if now, _, _ := l.seen(); now != total {
					l.t.Errorf("load goes on after the end: %d", now-total)
				}
			})
		})
	}
}
