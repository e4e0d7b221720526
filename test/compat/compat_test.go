// The cases below cases/ hold what k6 showed for a script; these tests hold the built binary to them.
package compat

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
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
func judge(t *testing.T, globs []string) map[string][]string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "outcome.json")
	args := append([]string{"run", "--bin", built.Path(t), "--json", out}, globs...)
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
	watch(t)
	globs := os.Getenv("COMPAT")
	if globs == "" {
		globs = areas
	}
	outcome := judge(t, strings.Fields(globs))
	if len(outcome) == 0 {
		t.Fatalf("no case matches %q", globs)
	}
	for _, name := range slices.Sorted(maps.Keys(outcome)) {
		t.Run(name, func(t *testing.T) {
			for _, line := range outcome[name] {
				t.Error(line)
			}
		})
	}
}

// watch lets `go test` know every file the kit reads, so that it runs the tests again once one of them is another.
func watch(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"cases", "server"} {
		if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			_, err = os.Stat(path)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"run", "compat.py"} {
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
	}
}
