package desk_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/grid/cluster"
)

func play(t *testing.T, test scene, voters int, names []string, f func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, test, voters, names...)
		defer l.close()
		f(l)
	})
}

var three = []string{"h1", "h2", "h3"}
var four = []string{"h1", "h2", "h3", "h4"}

func TestARunOnThreeNodesIsOneRun(t *testing.T) {
	play(t, scene{rate: 100, length: 10 * time.Second}, 3, three, func(l *lab) {
		rec, res := l.until(l.submit(nil), time.Minute)
		total, twice, highest := l.seen()
		if total != 1000 || twice != 0 || highest != 999 || reported(t, res) != 1000 {
			t.Errorf("%d iterations, %d twice, the highest is %d, reported %d", total, twice, highest, reported(t, res))
		}
		if rec.State != cluster.Finished || *rec.ExitCode != 0 || len(rec.Disturbances) != 0 {
			t.Errorf("the record: %+v", rec)
		}
		if s := cluster.SpreadOf(rec.Parts); s.Nodes != 3 || s.Starts > 10*time.Millisecond {
			t.Errorf("they began so: %+v", s)
		}
		if res.Elapsed < 10*time.Second || res.Elapsed > 10100*time.Millisecond {
			t.Errorf("10 s of load took %v", res.Elapsed)
		}
		if want := []string{"setup", "teardown", "summary"}; !slices.Equal(l.calls, want) {
			t.Errorf("calls: %v, want %v", l.calls, want)
		}
		for name, n := range l.who {
			if n < 320 || n > 340 {
				t.Errorf("%s did %d", name, n)
			}
		}
	})
}

func TestNoDeathStopsTheRun(t *testing.T) {
	for _, tt := range []struct {
		name, dies, leads string
	}{{"a worker that votes", "h2", ""}, {"a worker that does not vote", "h4", ""}, {"the leader, and the standby leads", "h1", "h2"}, {"the leader, and the other voter leads", "h1", "h3"}} {
		play(t, scene{rate: 100, length: 25 * time.Second}, 3, four, func(l *lab) {
			id := l.submit(nil)
			time.Sleep(8 * time.Second)
			l.kill(tt.dies)
			died := l.since()
			if tt.leads != "" {
				time.Sleep(1500 * time.Millisecond)
				l.elect(tt.leads)
			}
			rec, res := l.until(id, time.Minute)
			total, twice, highest := l.seen()
			told := int(reported(t, res))
			if twice != 0 || highest > 2499 || told > total || total-told > 27 {
				t.Errorf("%s: %d iterations, %d twice, the highest is %d, reported %d", tt.name, total, twice, highest, told)
			}
			if total < 2500-6*25 {
				t.Errorf("%s: the share was not taken over: %d", tt.name, total)
			}
			if r := l.rate(died+6*time.Second, died+10*time.Second); r < 95 || r > 105 {
				t.Errorf("%s: 6 s after the death the rate is %v", tt.name, r)
			}
			if rec.State != cluster.Finished || len(rec.Disturbances) != 1 || rec.Disturbances[0].Node != tt.dies || rec.Disturbances[0].Until.IsZero() {
				t.Errorf("%s: the record: %+v", tt.name, rec)
			}
			if n := len(slices.DeleteFunc(slices.Clone(l.calls), func(c string) bool { return c != "setup" && c != "teardown" })); n != 2 {
				t.Errorf("%s: calls %v", tt.name, l.calls)
			}
		})
	}
}

func TestLoadIsNeverDoubledByAPartition(t *testing.T) {
	for _, victim := range []string{"h2", "h3"} {
		play(t, scene{rate: 90, length: 40 * time.Second}, 3, three, func(l *lab) {
			id := l.submit(nil)
			time.Sleep(8 * time.Second)
			at := l.since()
			l.cut(victim, true)
			time.Sleep(15 * time.Second)
			l.cut(victim, false)
			rec, res := l.until(id, time.Minute)
			total, twice, highest := l.seen()
			if told := int(reported(t, res)); twice != 0 || highest > 3599 || told != total {
				t.Errorf("%d iterations, %d twice, the highest is %d, reported %d: what was cut off told its numbers when it came back", total, twice, highest, told)
			}
			for s := time.Second; s < 40*time.Second; s += time.Second {
				if r := l.rate(s, s+2*time.Second); r > 95 {
					t.Errorf("%v after the start the rate is %v", s, r)
				}
			}
			if r := l.rate(at+6*time.Second, at+13*time.Second); r < 86 {
				t.Errorf("6 s after the cut the rate is %v", r)
			}
			if len(rec.Disturbances) != 1 {
				t.Errorf("disturbances: %+v", rec.Disturbances)
			}
		})
	}
}

func TestANodeThatLeavesLosesNothing(t *testing.T) {
	play(t, scene{rate: 100, length: 20 * time.Second}, 3, three, func(l *lab) {
		id := l.submit(nil)
		time.Sleep(7 * time.Second)
		if err := l.hosts["h3"].worker.Leave(l.t.Context()); err != nil {
			t.Error(err)
		}
		rec, res := l.until(id, time.Minute)
		total, twice, _ := l.seen()
		if told := int(reported(t, res)); total != 2000 || twice != 0 || told != 2000 {
			t.Errorf("%d iterations, %d twice, reported %d", total, twice, told)
		}
		if len(rec.Disturbances) != 1 || !strings.Contains(rec.Disturbances[0].What, "the node leaves") {
			t.Errorf("disturbances: %+v", rec.Disturbances)
		}
	})
}

// TestARunIsOfOneVersion has nodes updated in mid-run, which is not how it should be done: none of the new version takes part, not even when
// it leads.
func TestARunIsOfOneVersion(t *testing.T) {
	play(t, scene{rate: 100, length: 30 * time.Second}, 3, four, func(l *lab) {
		update := func(name string) {
			l.kill(name)
			l.mu.Lock()
			l.hosts[name].version = "2"
			l.mu.Unlock()
			l.start(name)
		}
		update("h4")
		time.Sleep(2 * time.Second)
		id := l.submit(nil)
		time.Sleep(5 * time.Second)
		update("h3")
		time.Sleep(8 * time.Second)
		l.elect("h3")
		time.Sleep(3 * time.Second)
		l.kill("h2")
		rec, _ := l.until(id, time.Minute)
		took := map[string]int{}
		for _, p := range rec.Parts {
			took[p.Node]++
			if p.Node == "h3" && p.Life != "1" {
				t.Errorf("h3 took part after its update: %+v", p)
			}
		}
		if rec.State != cluster.Finished || took["h4"] > 0 || took["h3"] != 1 || took["h1"] < 3 || rec.Version != "" {
			t.Errorf("%s, parts %+v", rec.State, rec.Parts)
		}
		// The next one is of the new version: the nodes that have it are enough.
		rec, _ = l.until(l.submit(nil), time.Minute)
		if rec.State != cluster.Finished || len(rec.Parts) != 2 || rec.Version != "2" {
			t.Errorf("the next: %s %q, parts %+v", rec.State, rec.Version, rec.Parts)
		}
	})
}

func TestPoliciesForALostNode(t *testing.T) {
	for policy, want := range map[cluster.NodeLoss]cluster.RunState{cluster.Continue: cluster.Finished, cluster.Fail: cluster.Failed} {
		play(t, scene{rate: 100, length: 20 * time.Second}, 3, four, func(l *lab) {
			id := l.submit(func(a *cluster.Asked) { a.NodeLoss = policy })
			time.Sleep(5 * time.Second)
			l.kill("h4")
			rec, res := l.until(id, time.Minute)
			if rec.State != want || len(rec.Parts) != 4 {
				t.Errorf("%s: %+v", policy, rec)
			}
			if len(rec.Disturbances) != 1 || rec.Disturbances[0].Node != "h4" || rec.Disturbances[0].At.Before(rec.Started) || len(res.Disturbances) != 1 {
				t.Errorf("%s: the record tells %+v, the result %+v", policy, rec.Disturbances, res.Disturbances)
			}
			if i := slices.IndexFunc(rec.Parts, func(p cluster.Part) bool { return p.Node == "h4" }); rec.Parts[i].Lost.IsZero() {
				t.Errorf("%s: h4's part is not lost: %+v", policy, rec.Parts)
			}
			if policy == cluster.Continue && (l.rate(12*time.Second, 16*time.Second) > 76 || *rec.ExitCode != 0) {
				t.Errorf("the rate is %v", l.rate(12*time.Second, 16*time.Second))
			}
			if policy == cluster.Fail && rec.Ended.Sub(rec.Started) > 12*time.Second {
				t.Errorf("it took %v", rec.Ended.Sub(rec.Started))
			}
		})
	}
}

func TestAScriptThatFailsOnOneNodeFailsTheRun(t *testing.T) {
	play(t, scene{rate: 100, length: 20 * time.Second, fails: "h2"}, 3, three, func(l *lab) {
		rec, res := l.until(l.submit(nil), time.Minute)
		if err := res.Fault.Err(); rec.State != cluster.Failed || err == nil || !strings.Contains(err.Error(), "only-here.txt") || !strings.Contains(err.Error(), "h2") {
			t.Errorf("%+v: %v", rec, err)
		}
		if total, _, _ := l.seen(); total != 0 {
			t.Errorf("%d iterations", total)
		}
	})
}

func TestRunsQueueAndCanBeStopped(t *testing.T) {
	play(t, scene{rate: 10, length: 10 * time.Second}, 3, three, func(l *lab) {
		first, second, third := l.submit(nil), l.submit(nil), l.submit(nil)
		time.Sleep(3 * time.Second)
		if a, b := l.record(first), l.record(second); a.State != cluster.Running || b.State != cluster.Queued {
			t.Errorf("%s and %s", a.State, b.State)
		}
		h := l.hosts["h1"]
		for _, id := range []string{first, third} {
			if err := h.desk.Stop(l.t.Context(), id, errInterrupted); err != nil {
				t.Error(err)
			}
		}
		rec, _ := l.until(first, 5*time.Second)
		if rec.State != cluster.Aborted || *rec.ExitCode != 105 {
			t.Errorf("stopped: %+v", rec)
		}
		if rec, _ := l.until(second, 20*time.Second); rec.State != cluster.Finished {
			t.Errorf("the next: %+v", rec)
		}
		if rec := l.record(third); rec.State != cluster.Aborted || !rec.Started.IsZero() {
			t.Errorf("stopped in the queue: %+v", rec)
		}
		if err := h.desk.Stop(l.t.Context(), second, errInterrupted); err == nil || !strings.Contains(err.Error(), "has ended already") {
			t.Errorf("stop what has ended: %v", err)
		}
	})
}

func TestWhoFollowsAQueuedRunHearsOfItsEnd(t *testing.T) {
	play(t, scene{rate: 10, length: 10 * time.Second}, 3, three, func(l *lab) {
		first, second, third := l.submit(nil), l.submit(nil), l.submit(nil)
		for id, want := range map[string]cluster.RunState{first: cluster.Finished, second: cluster.Aborted, third: cluster.Finished} {
			l.follow(id, func() {
				if r := l.record(id); r.State != want {
					l.t.Errorf("followed to its end, it is %s", r.State)
				}
			})
		}
		time.Sleep(3 * time.Second)
		l.elect("h2") // the old leader lives on
		time.Sleep(3 * time.Second)
		if err := l.hosts["h2"].desk.Stop(l.t.Context(), second, errInterrupted); err != nil {
			t.Error(err)
		}
		if r := l.record(second); r.State != cluster.Aborted || *r.ExitCode != 105 {
			t.Errorf("stopped in the queue: %+v", r)
		}
		l.until(third, time.Minute)
		l.followed()
	})
}

func TestAnOrderGivenTwiceMakesOneRun(t *testing.T) {
	play(t, scene{rate: 10, length: 2 * time.Second}, 3, three, func(l *lab) {
		same := func(a *cluster.Asked) { a.ID = "20260101-000000-abcde" }
		if a, b := l.submit(same), l.submit(same); a != b || a != "20260101-000000-abcde" {
			t.Errorf("%s and %s", a, b)
		}
		l.until("20260101-000000-abcde", time.Minute)
		if total, _, _ := l.seen(); total != 20 {
			t.Errorf("%d iterations", total)
		}
	})
}

func TestTheBeginningOfAnIDIsEnoughIfNoOtherBeginsSo(t *testing.T) {
	play(t, scene{rate: 10, length: time.Second}, 3, three, func(l *lab) {
		for _, id := range []string{"20260101-000000-aaaaa", "20260101-000001-aaaaa", "20260101-000001-bbbbb"} {
			l.submit(func(a *cluster.Asked) { a.ID = id })
			l.until(id, time.Minute)
		}
		d := l.hosts["h1"].desk
		if r, err := d.Get(t.Context(), "20260101-000000"); err != nil || r.ID != "20260101-000000-aaaaa" {
			t.Errorf("%+v, %v", r, err)
		}
		_, err := d.Get(t.Context(), "20260101-000001")
		if err == nil || err.Error() != `"20260101-000001" is ambiguous: 20260101-000001-aaaaa, 20260101-000001-bbbbb begin so` {
			t.Errorf("two begin so: %v", err)
		}
		if _, err = d.Get(t.Context(), "2027"); err == nil || !strings.Contains(err.Error(), "there is no run") {
			t.Errorf("none begins so: %v", err)
		}
	})
}

func TestARunThatEndedStaysAsItEnded(t *testing.T) {
	play(t, scene{rate: 10, length: 2 * time.Second}, 3, three, func(l *lab) {
		id := l.submit(nil)
		before, res := l.until(id, time.Minute)
		l.kill("h1")
		l.elect("h2")
		time.Sleep(5 * time.Second)
		after := l.record(id)
		again, err := l.hosts["h2"].desk.Result(l.t.Context(), after)
		if err != nil || string(again.Snapshot) != string(res.Snapshot) || !after.Ended.Equal(before.Ended) {
			t.Errorf("%+v became %+v: %v", before, after, err)
		}
	})
}
