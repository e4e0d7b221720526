package term_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"throng/internal/view/term"
)

func TestHeaderIsK6s(t *testing.T) {
	b, err := os.ReadFile("../../../test/compat/cases/cli/run-header/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ Stdout string }
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	got := term.Header{Script: "script.js", Outputs: []string{"json (samples.ndjson)"}, MaxVUs: 11, MaxDuration: 10*time.Minute + 5100*time.Millisecond, Scenarios: []string{
		"climb: Up to 3.00 iterations/s for 900ms over 1 stages (maxVUs: 2, gracefulStop: 30s)",
		"pool: 4 iterations shared among 2 VUs (maxDuration: 5s, exec: other, gracefulStop: 30s)",
		"rate: 0.50 iterations/s for 1s (maxVUs: 1-3, gracefulStop: 30s)",
		"steady: 1 looping VUs for 1s (exec: pause)",
		"wave: Up to 2 looping VUs for 1s over 2 stages (gracefulRampDown: 1s, exec: pause, gracefulStop: 30s)",
		"each: 3 iterations for each of 1 VUs (maxDuration: 10m0s, startTime: 100ms, gracefulStop: 5s)",
	}}.String()
	got = got[strings.Index(got, "     execution: local"):]
	if got = strings.TrimRight(got, "\n") + "\n"; got != want.Stdout {
		t.Errorf("got:\n%s\nwant:\n%s", got, want.Stdout)
	}
	one := term.Header{Script: "-", Scenarios: []string{"default: x"}, MaxVUs: 1, MaxDuration: time.Minute}.String()
	if !strings.Contains(one, "output: -\n") || !strings.Contains(one, "(100.00%) 1 scenario, 1 max VUs, 1m0s max") || strings.Contains(one, "\x1b") {
		t.Error(one)
	}
}
