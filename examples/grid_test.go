package examples

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"throng/test/built"
)

// onGrid starts a grid of three with grid/with-grid, as a reader would, and returns the environment of commands on it. The grid ends
// with the test, and with the test's process if that is killed: it is held by a pipe.
func onGrid(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("grid/with-grid", "3", "sh", "-c", "env; echo; cat")
	cmd.Env = append(os.Environ(), "THRONG="+built.Path(t), "GRID_NET=127.0.6", "GRID_VERBOSE=1")
	cmd.Stderr = os.Stderr
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	told, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = hold.Close()
		_, _ = io.Copy(io.Discard, told)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	env := []string{"THRONG=" + built.Path(t)}
	lines := bufio.NewScanner(told)
	for lines.Scan() && lines.Text() != "" {
		if strings.HasPrefix(lines.Text(), "THRONG_") || strings.HasPrefix(lines.Text(), "GRID_DIR=") {
			env = append(env, lines.Text())
		}
	}
	if len(env) < 4 {
		t.Fatalf("the grid has not formed: it told %q", env)
	}
	return env
}

// TestEveryGridExampleRuns runs what is in grid/ on a grid of three, one after the other as the grid would anyway; the last one
// kills a node.
func TestEveryGridExampleRuns(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" { // other systems have one loopback address
		t.Skip("needs a grid of three on loopback")
	}
	url := target(t)
	env := append(os.Environ(), onGrid(t)...)
	env = append(env, "BASE_URL="+url)
	throng := built.Path(t)
	for _, tt := range []struct {
		name string
		argv []string
		want func(t *testing.T, out string)
	}{
		{"numbers.js", []string{throng, "run", "--quiet", "-e", "BASE_URL=" + url, "grid/numbers.js"}, eachOnce},
		{"detach.sh", []string{"grid/detach.sh"}, says("numbers.js", "checks_succeeded...: 100.00%", "iteration 5: VU ")},
		{"zones.sh", []string{"grid/zones.sh"}, says("VU 1 is on h2", "VU 4 is on h2", "VU 1 is on h1", "node=h1")},
		{"kill-one.sh", []string{"grid/kill-one.sh"}, says("node h3, with 33.3% of the load, was lost", "taken over by h1, h2", "480 iterations were planned")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), tt.argv[0], tt.argv[1:]...)
			cmd.Env = env
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if bytes.Contains(out, []byte("level=error")) || bytes.Contains(out, []byte("✗ ")) {
				t.Errorf("an error or a failed check:\n%s", out)
			}
			tt.want(t, string(out))
		})
	}
}

// says wants all of these in what an example shows.
func says(texts ...string) func(*testing.T, string) {
	return func(t *testing.T, out string) {
		for _, text := range texts {
			if !strings.Contains(out, text) {
				t.Errorf("%q is missing in\n%s", text, out)
			}
		}
	}
}

// eachOnce wants the iterations of numbers.js to have run each once, on all three nodes.
func eachOnce(t *testing.T, out string) {
	var numbers, nodes []string
	for _, m := range regexp.MustCompile(`iteration (\d+): VU \d+ on (h\d)`).FindAllStringSubmatch(out, -1) {
		numbers, nodes = append(numbers, m[1]), append(nodes, m[2])
	}
	slices.Sort(numbers)
	slices.Sort(nodes)
	if got := strings.Join(numbers, " "); got != "0 1 2 3 4 5" {
		t.Errorf("iterations %s, want each of six once\n%s", got, out)
	}
	if got := strings.Join(slices.Compact(nodes), " "); got != "h1 h2 h3" {
		t.Errorf("on nodes %s, want all three", got)
	}
}

func TestGridExamplesAreListed(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("grid/*")
	if err != nil || len(names) == 0 {
		t.Fatalf("examples: %v, %v", names, err)
	}
	for _, name := range names {
		if !strings.Contains(string(readme), "("+name+")") {
			t.Errorf("README.md does not list %s", name)
		}
	}
}
