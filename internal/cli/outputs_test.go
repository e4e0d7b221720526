package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"throng/internal/run"
	"throng/internal/view/output"
)

func withEnviron(pairs ...string) *global {
	return &global{log: slog.New(slog.DiscardHandler), Env: Env{
		Stdout: os.Stdout, Environ: func() []string { return pairs },
		Lookup: func(name string) (string, bool) {
			for _, p := range pairs {
				if v, ok := strings.CutPrefix(p, name+"="); ok {
					return v, true
				}
			}
			return "", false
		},
	}}
}

func TestOnlyTheVariablesOfOutputsThatAreAskedForTravel(t *testing.T) {
	t.Parallel()
	g := withEnviron("K6_INFLUXDB_PASSWORD=hunter2", "K6_PROMETHEUS_RW_HEADERS_X-Scope=team", "K6_CSV_TIME_FORMAT=unix", "K6_CLOUD_TOKEN=secret", "HOME=/home/ana")
	for spec, want := range map[string]string{
		"influxdb=http://h/db":       "map[K6_INFLUXDB_PASSWORD:hunter2]",
		"experimental-prometheus-rw": "map[K6_PROMETHEUS_RW_HEADERS_X-Scope:team]",
		"csv=x.csv":                  "map[K6_CSV_TIME_FORMAT:unix]",
		"json":                       "map[]",
	} {
		if got := fmt.Sprint(g.outputEnv([]string{spec})); got != want {
			t.Errorf("%s: %s, want %s", spec, got, want)
		}
	}
}

func TestTheSubmitterWritesFilesAndTheNodesWriteToServers(t *testing.T) {
	t.Parallel()
	specs := []string{"influxdb=http://ana:hunter2@h:1/db", "json=x.json", "experimental-prometheus-rw"}
	here, described, err := withEnviron().outputsForGrid(specs)
	if err != nil || len(here) != 3 || here[0] != nil || here[1] == nil || here[2] != nil {
		t.Fatalf("%v, %v", here, err)
	}
	if got := strings.Join(described, ", "); got != "InfluxDBv1 (http://h:1), json (x.json), Prometheus remote write (http://localhost:9090/api/v1/write)" {
		t.Errorf("they are described as %s", got)
	}
	if files := (&follower{outputs: here}).files(); len(files) != 1 || files[0] != here[1] {
		t.Errorf("files: %v", files)
	}
	all, servers, err := remoteOutputs(run.Job{Outputs: specs[:1], OutputEnv: map[string]string{"K6_INFLUXDB_DB": "x"}, OutputTags: map[string]string{"node": "h1"}}, func(int) io.Writer { return io.Discard }, slog.New(slog.DiscardHandler))
	if err != nil || len(all) != 1 || len(servers) != 1 || all[0] != servers[0] {
		t.Errorf("a node has %v, of them %v, %v", all, servers, err)
	}
	if _, _, err := withEnviron("K6_INFLUXDB_PUSH_INTERVAL=x").outputsForGrid(specs[:1]); err == nil || !strings.HasPrefix(err.Error(), "could not create the 'influxdb' output: K6_INFLUXDB_PUSH_INTERVAL: ") {
		t.Errorf("a bad variable: %v", err)
	}
	if _, known := output.Find("nope=x"); known {
		t.Error("an output that there is not was found")
	}
}
