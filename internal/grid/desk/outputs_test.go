package desk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/grid/desk"
)

// Drain is what a server does that takes two seconds to answer.
func (c *counter) Drain(context.Context) error {
	c.call("drain")
	time.Sleep(2 * time.Second)
	return nil
}

func secret(a *cluster.Asked) {
	a.Outputs = []string{"influxdb=http://ana:hunter2@h:8086/db", "json=x.json"}
	a.OutputEnv = map[string]string{"K6_INFLUXDB_PASSWORD": "hunter3"}
}

// TestASlowServerDoesNotMakeARunLonger: rates are counted by Elapsed.
func TestASlowServerDoesNotMakeARunLonger(t *testing.T) {
	play(t, scene{rate: 100, length: 10 * time.Second}, 3, three, func(l *lab) {
		_, res := l.until(l.submit(secret), time.Minute)
		if res.Elapsed < 10*time.Second || res.Elapsed > 10100*time.Millisecond {
			t.Errorf("10 s of load took %v", res.Elapsed)
		}
		if want := []string{"setup", "teardown", "summary", "drain", "drain", "drain"}; !slices.Equal(l.calls, want) {
			t.Errorf("calls: %v, want %v", l.calls, want)
		}
	})
}

// TestNobodyIsToldTheOutputsSecrets but the runners, those of take-overs under another leader included.
func TestNobodyIsToldTheOutputsSecrets(t *testing.T) {
	play(t, scene{rate: 100, length: 20 * time.Second}, 3, four, func(l *lab) {
		id := l.submit(secret)
		time.Sleep(5 * time.Second)
		shown := func() string {
			client := &courier.Client{HTTP: &http.Client{Transport: &wire{&host{l: l, name: "viewer"}}}}
			var one, all json.RawMessage
			for path, into := range map[string]*json.RawMessage{desk.RunsPath + "/" + id: &one, desk.RunsPath: &all} {
				if err := client.JSON(l.t.Context(), http.MethodGet, "http://h2", path, nil, into); err != nil {
					t.Fatal(err)
				}
			}
			return string(one) + string(all)
		}
		if text := shown(); strings.Contains(text, "hunter") || strings.Contains(text, "ana") || strings.Count(text, "influxdb=http://h:8086/db") != 2 {
			t.Errorf("while it goes on: %s", text)
		}
		if rec := l.record(id); rec.Asked.OutputEnv["K6_INFLUXDB_PASSWORD"] != "hunter3" {
			t.Errorf("a later leader will find %+v", rec.Asked)
		}
		l.kill("h1") // which leads
		l.elect("h2")
		rec, _ := l.until(id, time.Minute)
		text, err := json.Marshal(rec)
		if err != nil || strings.Contains(string(text), "hunter") || !strings.Contains(string(text), "influxdb=http://h:8086/db") {
			t.Errorf("when it has ended, the record is %s", text)
		}
		took := 0
		for _, h := range l.hosts {
			for c := range h.runners {
				if got := fmt.Sprint(c.start.Job.Outputs, c.start.Job.OutputEnv); got != "[influxdb=http://ana:hunter2@h:8086/db json=x.json] map[K6_INFLUXDB_PASSWORD:hunter3]" {
					t.Errorf("a runner on %s has %s", h.name, got)
				}
				if c.start.Job.Of != "" {
					took++
				}
			}
		}
		if took == 0 {
			t.Error("nobody knows that it took over")
		}
	})
}
