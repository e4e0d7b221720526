// The cases below cases/ hold what k6 showed for a script; these tests hold the built binary to them.
package compat

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"throng/test/built"
)

func TestMain(m *testing.M) { os.Exit(built.Main(m)) }

// areas are the cases that must pass. COMPAT, a list of globs with spaces between, chooses others.
const areas = "core-* exec-* cli-* http-* js-* mod-crypto-* mod-encoding mod-data-* mod-timers-* mod-textcodec mod-html-response"

// judge runs the kit over the cases that match and returns, for each case, the differences from k6.
func judge(t *testing.T, jobs string, globs []string) map[string][]string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "outcome.json")
	args := append([]string{"run", "--bin", built.Path(t), "--jobs", jobs, "--json", out}, globs...)
	kit := exec.CommandContext(t.Context(), "python3", args...)
	var log bytes.Buffer
	kit.Stdout, kit.Stderr = &log, &log
	err := kit.Run() // fails whenever a case does; the outcome tells which
	var outcome map[string][]string
	b, missing := os.ReadFile(out)
	if missing != nil {
		t.Fatalf("the kit ended without an outcome: %v\n%s", err, &log)
	}
	if err := json.Unmarshal(b, &outcome); err != nil {
		t.Fatal(err)
	}
	return outcome
}

func TestCompat(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes: -short")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("the kit needs python3: apt-get install python3")
	}
	globs := os.Getenv("COMPAT")
	if globs == "" {
		globs = areas
	}
	first := judge(t, "2", strings.Fields(globs))
	if len(first) == 0 {
		t.Fatalf("no case matches %q", globs)
	}
	var again []string
	for name, lines := range first {
		if len(lines) > 0 {
			again = append(again, name)
		}
	}
	// Some cases watch the clock, and other tests share this machine: what failed gets a second try, alone, and the
	// first try is told.
	second := map[string][]string{}
	if len(again) > 0 && len(again) <= 20 {
		second = judge(t, "1", again)
	}
	names := make([]string, 0, len(first))
	for name := range first {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			lines, retried := second[name]
			if !retried {
				lines = first[name]
			} else if len(lines) == 0 {
				t.Logf("passed at the second try; the first said: %s", strings.Join(first[name], "; "))
			}
			for _, line := range lines {
				t.Error(line)
			}
		})
	}
}
