package runner_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"throng/internal/grid/runner"
	"throng/internal/run"
)

// weight is what a process holds, in KiB: memory of its own; pages of files, which it shares with others of the same binary.
func weight(t testing.TB, pid int) (own, shared int) {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(data)) {
		var kib int
		name, rest, _ := strings.Cut(line, ":")
		_, _ = fmt.Sscan(rest, &kib) // the first line is no number
		switch name {
		case "Private_Clean", "Private_Dirty":
			own += kib
		case "Shared_Clean", "Shared_Dirty":
			shared += kib
		}
	}
	return own, shared
}

// TestWhatARunnerWeighs starts several, so that what they share counts as shared.
func TestWhatARunnerWeighs(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds")
	}
	for _, tt := range []struct {
		name, script, options string
		most                  int // KiB
	}{
		{"waits for its job's start", idle, `{"vus": 1, "duration": "1h"}`, 8 << 10},
		{"has 10 VUs that wait", `import http from 'k6/http'; import { check, sleep } from 'k6'; export default function () { check(1, { ok: (x) => x === 1 }); sleep(1) }`,
			`{"vus": 10, "duration": "1h"}`, 12 << 10},
	} {
		path := packed(t, tt.script, tt.options, nil)
		var all []*runner.Runner
		var took time.Duration
		for range 4 {
			began := time.Now()
			r, _ := start(t, run.Job{Bundle: path, Node: "n"}, func(c *runner.Config) { c.Processors = 1 })
			if _, err := r.Init(t.Context()); err != nil {
				t.Fatal(err)
			}
			took = time.Since(began)
			if strings.Contains(tt.name, "10 VUs") {
				go func() { _ = r.Run(t.Context(), run.Begin{}) }()
			}
			all = append(all, r)
		}
		for range 4 {
			<-all[0].Updated()
		}
		own, shared := weight(t, all[0].Pid())
		t.Logf("a runner that %s holds %d KiB of its own and %d KiB of files that all share; it was ready after %v", tt.name, own, shared, took)
		if own > tt.most {
			t.Errorf("a runner that %s holds %d KiB", tt.name, own)
		}
	}
}
