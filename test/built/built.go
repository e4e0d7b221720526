package built

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Main is the body of a TestMain: it builds cmd/throng, unless THRONG_BIN names a binary already, sets THRONG_BIN to an
// absolute path for Path and for child processes, runs the tests, cleans up, and returns the exit code.
func Main(m *testing.M) int {
	bin := os.Getenv("THRONG_BIN")
	if bin == "" {
		dir, err := os.MkdirTemp("", "throng-built-")
		if err != nil {
			return report(err)
		}
		defer func() { _ = os.RemoveAll(dir) }() // what stays behind in the temporary folder harms nobody
		bin = filepath.Join(dir, "throng")
		build := exec.Command("go", "build", "-o", bin, "throng/cmd/throng")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return report(fmt.Errorf("build cmd/throng: %w\n%s", err, out))
		}
	}
	abs, err := filepath.Abs(bin)
	if err != nil {
		return report(err)
	}
	if err := os.Setenv("THRONG_BIN", abs); err != nil {
		return report(err)
	}
	// Also what makes `go test` run the tests again, instead of showing what it remembers, once the binary is another.
	if _, err := os.Stat(abs); err != nil {
		return report(err)
	}
	return m.Run()
}

func report(err error) int {
	println(err.Error())
	return 1
}

// Path is the binary's absolute path. It ends the test if Main has not run.
func Path(t testing.TB) string {
	t.Helper()
	bin := os.Getenv("THRONG_BIN")
	if bin == "" {
		t.Fatal("THRONG_BIN is not set: call built.Main from TestMain")
	}
	return bin
}
