// The plays of run are real grids: processes that are killed, cut off and drowned in work, and a witness that counts.
package grid

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"

	"throng/test/built"
)

func TestMain(m *testing.M) { os.Exit(built.Main(m)) }

// TestPlays runs the plays that THRONG_PLAYS names, "all" for all of them. They measure seconds, so they want the machine for
// themselves: `make grid` runs them, and `go test ./...` beside everything else does not.
func TestPlays(t *testing.T) {
	plays := os.Getenv("THRONG_PLAYS")
	if plays == "" {
		t.Skip("wants the machine for itself: make grid")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("the kit needs python3: apt-get install python3")
	}
	args := []string{"run", "--bin", built.Path(t), "-v"}
	if plays != "all" {
		args = append(args, "--only", plays)
	}
	kit := exec.CommandContext(t.Context(), "python3", args...)
	kit.Stderr = os.Stderr
	out, err := kit.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := kit.Start(); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "ok", "skip", "FAIL":
			ran++
			name, note, _ := strings.Cut(strings.TrimSpace(rest), " ")
			t.Run(name, func(t *testing.T) {
				t.Log(strings.TrimSpace(note))
				switch word {
				case "FAIL":
					t.Fail()
				case "skip":
					t.SkipNow()
				}
			})
		default:
			t.Log(lines.Text())
		}
	}
	if err := kit.Wait(); err != nil {
		t.Errorf("the kit: %v", err)
	}
	if ran == 0 {
		t.Error("no play was run")
	}
}
