// Every example is run against the demo server; one that is not listed in the README is not finished.
package examples

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"throng/internal/demo"
	"throng/test/built"
)

func TestMain(m *testing.M) { os.Exit(built.Main(m)) }

// target serves the demo server until the test has ended, and returns its address.
func target(t *testing.T) string {
	t.Helper()
	s, err := demo.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s.URL()
}

func TestEveryExampleRuns(t *testing.T) {
	url := target(t)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("*.[jt]s")
	if err != nil || len(names) == 0 {
		t.Fatalf("examples: %v, %v", names, err)
	}
	for _, name := range names {
		if !strings.Contains(string(readme), "("+name+")") {
			t.Errorf("README.md does not list %s", name)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := exec.CommandContext(t.Context(), built.Path(t), "run", "--quiet", "--no-usage-report", "-e", "BASE_URL="+url, name).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			// A script that throws in its iterations ends with 0: k6's rule. An example must not.
			if bytes.Contains(out, []byte("level=error")) || bytes.Contains(out, []byte("✗ ")) && name != "demo.js" {
				t.Errorf("an error or a failed check:\n%s", out)
			}
		})
	}
}

func TestDemoIsTheOneInTheBinary(t *testing.T) {
	_, source := demo.Script()
	b, err := os.ReadFile("demo.js")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, source) {
		t.Error("examples/demo.js differs from internal/demo/demo.js: copy one over the other")
	}
}
